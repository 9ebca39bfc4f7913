"""A running webserver and daemon do what the UI asks them to."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from lightly_pipeline import Dataset, LocalDatasource, S3Datasource, run
from lightly_pipeline_tests.support.dagster_server import (
    IMPATIENT,
    ROOT,
    WAIT_S,
    Dagster,
    running_dagster,
    wait_for,
)
from lightly_pipeline_tests.support.page_script import BUCKET, REGION, page_script
from lightly_pipeline_tests.support.s3_servers import (
    ACCESS_KEY,
    SECRET_KEY,
    has_swift,
    swift_server,
)
from lightly_pipeline_tests.support.videos import RECIPES, make_video

BY_NAME = {recipe.name: recipe for recipe in RECIPES}
TEN = {"resources": {"selection_config": {"config": {"n_samples": 10}}}}

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("live")
    make_video(base / "in", BY_NAME["h264.mp4"], "a.mp4", seed=1)
    make_video(base / "in", BY_NAME["cinepak.avi"], "sub dir/b,c.avi", seed=3)
    make_video(base / "in", BY_NAME["vp9.webm"], "d.webm", seed=4)
    (base / "in" / "broken.mov").write_text("no video")
    names = ("launched", "materialized", "empty")
    datasets = "".join(f"  {name}: {{input: in, lightly: {name}}}\n" for name in names)
    (base / "datasets.yaml").write_text("datasets:\n" + datasets)
    return base


@pytest.fixture(scope="module")
def bucket_environment(folders: Path) -> Iterator[dict[str, str]]:
    """Environment of a store with the same videos in two buckets; empty where there is none."""
    if not has_swift():
        yield {}
        return
    (folders / "swift").mkdir()
    with swift_server(folders / "swift", REGION) as url:
        keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
        client = boto3.client("s3", endpoint_url=url, region_name=REGION, **keys)
        for bucket, prefix in (("live", "in/"), (BUCKET, "input/")):
            client.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
            for file in (folders / "in").rglob("*.*"):
                key = f"{prefix}{file.relative_to(folders / 'in')}"
                client.upload_file(str(file), bucket, key)
        with (folders / "datasets.yaml").open("a") as datasets:
            datasets.write("  bucket: {input: s3://live/in/, lightly: s3://live/out/}\n")
        yield {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": url,
        }


@pytest.fixture(scope="module")
def dagster(folders: Path, bucket_environment: dict[str, str]) -> Iterator[Dagster]:
    if not (ROOT / "workspace.yaml").exists():
        pytest.skip("not in a checkout")
    with running_dagster(
        folders / "home", folders / "datasets.yaml", {**IMPATIENT, **bucket_environment}
    ) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def expected(folders: Path) -> set[str]:
    dataset = Dataset(
        "a", input=LocalDatasource(folders / "in"), lightly=LocalDatasource(folders / "reference")
    )
    return {frame.image for frame in run(dataset, selection_config={"n_samples": 10}).selected}


def images(folders: Path, name: str) -> set[str]:
    store = LocalDatasource(folders / name)
    return {item.path for item in store.list(".lightly/frames/")}


def test_one_launch_gives_the_same_frames_as_python(
    dagster: Dagster, folders: Path, expected: set[str]
) -> None:
    run_id = dagster.launch("launched_run_job", TEN)
    assert dagster.ended(run_id) == "SUCCESS", dagster.failures(run_id)
    assert images(folders, "launched") == expected


def test_one_launch_on_a_bucket_gives_the_same_frames_and_keeps_the_secret(
    dagster: Dagster, folders: Path, expected: set[str], bucket_environment: dict[str, str]
) -> None:
    if not bucket_environment:
        pytest.skip("Swift is not installed (Linux only)")
    run_id = dagster.launch("bucket_run_job", TEN)
    assert dagster.ended(run_id) == "SUCCESS", dagster.failures(run_id)
    store = S3Datasource(
        "s3://live/out/",
        region=REGION,
        endpoint_url=bucket_environment["AWS_ENDPOINT_URL_S3"],
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET_KEY,
    )
    assert {item.path for item in store.list(".lightly/frames/")} == expected
    assert not files_with_secret(folders / "home")


def files_with_secret(home: Path) -> list[Path]:
    files = [f for f in home.rglob("*") if f.is_file() and f.parent.name != "credentials"]
    return [file for file in files if SECRET_KEY.encode() in file.read_bytes()]


def test_the_page_s_script_becomes_runs_of_its_dataset(
    dagster: Dagster, folders: Path, bucket_environment: dict[str, str]
) -> None:
    if not bucket_environment:
        pytest.skip("Swift is not installed (Linux only)")
    environment = {**os.environ, **bucket_environment, "DAGSTER_HOME": str(folders / "home")}
    environment.pop("LIGHTLY_PIPELINE_HOME", None)
    script = [sys.executable, "-c", page_script()]
    done = subprocess.run(
        script, capture_output=True, text=True, env=environment, timeout=WAIT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    states = [line.split()[0] for line in done.stdout.splitlines()]
    assert states.count("COMPLETED") == 2
    assert "UPLOADING_DATASET" in states
    store = S3Datasource(
        f"s3://{BUCKET}/lightly/",
        region=REGION,
        endpoint_url=bucket_environment["AWS_ENDPOINT_URL_S3"],
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET_KEY,
    )
    images = [item.path for item in store.list(".lightly/frames/")]
    assert len(images) == 50
    assert all(image.endswith(".png") for image in images)
    # Dagster shows both with their configuration, as runs of the page's dataset.
    ask = (
        '{ runsOrError(filter: {pipelineName: "scheduled_runs"}) { ... on Runs { results { '
        "status runConfigYaml tags { key value } } } } }"
    )
    launched = dagster.ask(ask)["runsOrError"]["results"]
    while any(each["status"] in ("STARTED", "STARTING") for each in launched):
        # The script hears of the end before Dagster's process of the run has ended.
        time.sleep(0.5)
        launched = dagster.ask(ask)["runsOrError"]["results"]
    assert [each["status"] for each in launched] == ["SUCCESS", "SUCCESS"]
    for each in launched:
        tags = {tag["key"]: tag["value"] for tag in each["tags"]}
        assert tags["lightly_pipeline/dataset"] == "dataset-name"
        assert "n_samples: 50" in each["runConfigYaml"]
    assert sum("output_image_format: png" in each["runConfigYaml"] for each in launched) == 1
    assert not files_with_secret(folders / "home")
    # Once reloaded, the dataset has its own jobs and assets, with what the runs reported.
    dagster.ask(
        'mutation { reloadRepositoryLocation(repositoryLocationName: "lightly_pipeline") '
        "{ __typename } }"
    )
    nodes = dagster.ask(
        '{ assetNodes(group: {repositoryLocationName: "lightly_pipeline", repositoryName: '
        '"__repository__", groupName: "dataset__2dname"}) { jobNames '
        "assetMaterializations(limit: 1) { runId } } }"
    )["assetNodes"]
    assert all(node["assetMaterializations"] for node in nodes)
    assert "dataset__2dname_selection_job" in {name for node in nodes for name in node["jobNames"]}
    # A name that exists is refused, as in the original.
    again = subprocess.run(
        script, capture_output=True, text=True, env=environment, timeout=WAIT_S, check=False
    )
    assert "a dataset with the name 'dataset-name' already exists" in again.stderr


def test_a_wrong_block_fails_within_seconds_with_our_message(dagster: Dagster) -> None:
    wrong = {"n_samples": 5, "proportion_samples": 0.5}
    run_id = dagster.launch(
        "launched_run_job", {"resources": {"selection_config": {"config": wrong}}}
    )
    assert dagster.ended(run_id) == "FAILURE"
    assert "exactly one of n_samples and proportion_samples" in dagster.failures(run_id)


def test_selecting_with_nothing_catalogued_fails_and_says_what_to_do(dagster: Dagster) -> None:
    run_id = dagster.launch("empty_selection_job", {})
    assert dagster.ended(run_id) == "FAILURE"
    assert "materialize video_catalog" in dagster.failures(run_id)


def test_materialize_all_runs_in_chunks_and_selects_once(
    dagster: Dagster, folders: Path, expected: set[str]
) -> None:
    run_id = dagster.launch("materialized_catalog_job", {})
    assert dagster.ended(run_id) == "SUCCESS", dagster.failures(run_id)
    backfill = dagster.materialize_all("materialized", TEN)
    done = ("COMPLETED_SUCCESS", "COMPLETED", "COMPLETED_FAILED", "FAILED", "CANCELED")
    assert wait_for(lambda: dagster.backfill_status(backfill), done) == "COMPLETED_SUCCESS"
    assert images(folders, "materialized") == expected
    inside = (folders / "materialized" / ".lightly" / "runs").iterdir()
    runs = [run for run in inside if run.is_dir()]
    assert len(runs) == 1
