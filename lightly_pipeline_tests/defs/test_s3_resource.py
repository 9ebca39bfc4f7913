"""A user's own S3 resource reaches the stores, and Dagster's logs reach a bucket."""

import shutil
import uuid
from pathlib import Path

import boto3
import dagster as dg
import pytest
import yaml
from dagster_aws.s3 import S3Resource

from lightly_pipeline import Dataset, LocalDatasource, S3Datasource, VideoDataset, build_definitions
from lightly_pipeline_tests.support.videos import RECIPES, make_video

BY_NAME = {recipe.name: recipe for recipe in RECIPES}
DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
KEYS = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}

pytestmark = pytest.mark.slow


@pytest.fixture
def bucket(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket with a video, in a store of which the environment says nothing."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    name = f"own-{uuid.uuid4().hex[:8]}"
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **KEYS)
    client.create_bucket(Bucket=name)
    make_video(tmp_path / "in", BY_NAME["mpeg4.avi"], "a.avi", seed=1)
    client.upload_file(str(tmp_path / "in" / "a.avi"), name, "videos/a.avi")
    return name


def dataset_in(bucket: str) -> Dataset:
    return Dataset(
        "street",
        input=S3Datasource(f"s3://{bucket}/videos/", profile="of-nobody"),
        lightly=S3Datasource(f"s3://{bucket}/lightly/", profile="of-nobody"),
        selection_config={"n_samples": 3},
    )


def test_the_client_of_a_resource_takes_the_place_of_the_datasources_own(
    bucket: str, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_MINE", KEYS["aws_secret_access_key"])
    resource = S3Resource(
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key=dg.EnvVar("SECRET_OF_MINE"),
    )
    definitions = build_definitions(dataset_in(bucket), resource_overrides={"s3": resource})
    with dg.DagsterInstance.ephemeral() as instance:
        sensor = definitions.get_sensor_def("street_new_videos")
        assert sensor(dg.build_sensor_context(instance=instance)).run_requests
        job = definitions.resolve_job_def("street_run_job")
        assert job.execute_in_process(instance=instance).success
        event = instance.get_latest_materialization_event(
            dg.AssetKey(["street", "uploaded_frames"])
        )
        assert event is not None
        assert event.asset_materialization is not None
        assert event.asset_materialization.metadata["images"].value == 3


def test_a_component_takes_a_resource_or_its_fields(bucket: str, endpoint: str) -> None:
    component = VideoDataset(
        name="street",
        input=f"s3://{bucket}/videos/",
        lightly=f"s3://{bucket}/lightly/",
        selection_config={"n_samples": 3},
        s3={"endpoint_url": endpoint, "region_name": "us-east-1", **KEYS},
    )
    assert "aws_secret_access_key" not in repr(component)
    definitions = component.build_defs(dg.ComponentTree.for_test().load_context)
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def("street_catalog_job")
        assert job.execute_in_process(instance=instance).success


def test_folders_are_left_as_they_are(tmp_path: Path) -> None:
    folders = Dataset(
        "street", input=LocalDatasource(tmp_path), lightly=LocalDatasource(tmp_path / "out")
    )
    definitions = build_definitions(folders, resource_overrides={"s3": S3Resource()})
    assert definitions.resolve_job_def("street_run_job")


def test_the_deployment_with_logs_in_a_bucket_is_what_dagster_takes(
    bucket: str, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loaded as an instance; what a step prints is in the bucket afterwards."""
    if not DEPLOY.exists():
        pytest.skip("not in a checkout")
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(DEPLOY / "dagster-s3.yaml", home / "dagster.yaml")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    monkeypatch.setenv("DAGSTER_LOGS_BUCKET", bucket)

    @dg.op
    def talks() -> None:
        print("said by a step")

    @dg.job
    def talking() -> None:
        talks()

    # Loading validates every block against Dagster's own schema.
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert type(instance.compute_log_manager).__name__ == "S3ComputeLogManager"
        assert talking.execute_in_process(instance=instance).success
    client = boto3.client("s3", endpoint_url=endpoint)
    listed = client.list_objects_v2(Bucket=bucket, Prefix="dagster-logs/")["Contents"]
    content = [client.get_object(Bucket=bucket, Key=o["Key"])["Body"].read() for o in listed]
    assert any(b"said by a step" in one for one in content)


def test_both_deployments_differ_in_their_logs_only() -> None:
    if not DEPLOY.exists():
        pytest.skip("not in a checkout")
    plain, with_bucket = (
        yaml.safe_load((DEPLOY / name).read_text()) for name in ("dagster.yaml", "dagster-s3.yaml")
    )
    del with_bucket["compute_logs"]
    assert plain == with_bucket
