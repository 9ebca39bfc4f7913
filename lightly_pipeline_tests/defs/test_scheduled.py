"""What clients schedule becomes Dagster runs of their datasets."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from lightly_pipeline import build_definitions
from lightly_pipeline.api import ApiWorkflowClient, DatasetType, DatasourcePurpose
from lightly_pipeline.scheduling.deployment import Deployment
from lightly_pipeline_tests.support.scheduled import launch, tick
from lightly_pipeline_tests.support.videos import RECIPES, make_video

pytestmark = pytest.mark.slow

BY_NAME = {recipe.name: recipe for recipe in RECIPES}
FIVE = {"n_samples": 5}


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTLY_PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LIGHTLY_PIPELINE_DATASETS", raising=False)
    monkeypatch.delenv("LIGHTLY_PIPELINE_LABELS", raising=False)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def client(tmp_path: Path) -> ApiWorkflowClient:
    make_video(tmp_path / "in", BY_NAME["mpeg4.avi"], "a.avi", seed=1)
    client = ApiWorkflowClient()
    client.create_dataset("dataset-name", DatasetType.VIDEOS)
    client.set_local_config(str(tmp_path / "in"), purpose=DatasourcePurpose.INPUT)
    client.set_local_config(str(tmp_path / "out"), purpose=DatasourcePurpose.LIGHTLY)
    return client


def test_a_scheduled_run_is_executed_once_and_reports_the_assets_of_its_dataset(
    client: ApiWorkflowClient, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    run_id = client.schedule_compute_worker_run(
        worker_config={"outputImageFormat": "jpg"}, selection_config=FIVE, priority="HIGH"
    )
    (request,) = tick(instance)
    assert request.tags["lightly_pipeline/dataset"] == "dataset-name"
    assert request.tags["lightly_pipeline/scheduled_run"] == run_id
    assert request.tags["dagster/priority"] == "1"
    shown = request.run_config["ops"]["process_scheduled"]["config"]
    assert shown["worker_config"] == {"output_image_format": "jpg"}
    assert launch(request, instance).success
    assert client.get_compute_worker_run_info(run_id).ended_successfully()
    assert len(list((tmp_path / "out" / ".lightly" / "frames").glob("*.jpg"))) == 5
    assert instance.get_dynamic_partitions("dataset__2dname_videos") == ["a.avi"]
    for name in ("video_catalog", "frame_embeddings", "selected_frames", "uploaded_frames"):
        key = dg.AssetKey(["dataset__2dname", name])
        assert instance.get_latest_materialization_event(key) is not None
    # Launched again by hand, it does nothing and harms nothing.
    before = client.get_compute_worker_run(run_id)
    assert launch(request, instance).success
    assert client.get_compute_worker_run(run_id) == before
    assert tick(instance) == []


def test_a_failed_run_gives_its_reason_to_dagster_and_to_the_client(
    client: ApiWorkflowClient, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    client.set_local_config(str(tmp_path / "empty"), purpose=DatasourcePurpose.INPUT)
    run_id = client.schedule_compute_worker_run()
    result = launch(tick(instance)[0], instance)
    assert not result.success
    info = client.get_compute_worker_run_info(run_id)
    assert info.state == "FAILED"
    assert info.message.startswith(f"no videos in {tmp_path / 'empty'}")
    (failure,) = result.get_step_failure_events()
    assert failure.step_failure_data.user_failure_data.description == info.message


def test_the_sensor_takes_runs_for_its_labels_only(
    client: ApiWorkflowClient, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = client.schedule_compute_worker_run(runs_on=["gpu", "berlin"])
    assert tick(instance) == []
    monkeypatch.setenv("LIGHTLY_PIPELINE_LABELS", "berlin, gpu")
    (request,) = tick(instance)
    assert request.tags["lightly_pipeline/scheduled_run"] == run_id
    assert request.tags["lightly_pipeline/runs_on"] == "gpu,berlin"


FAILURE, CANCELED = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED


@pytest.mark.parametrize("is_claimed", [False, True])
@pytest.mark.parametrize(
    ("status", "tags", "state"),
    [
        (CANCELED, {}, "ABORTED"),
        (FAILURE, {}, "CRASHED"),
        (FAILURE, {"dagster/will_retry": "false"}, "CRASHED"),
        (FAILURE, {"dagster/will_retry": "true"}, None),
        (dg.DagsterRunStatus.STARTED, {}, None),
    ],
)
def test_a_dagster_run_that_ends_without_a_word_ends_the_scheduled_run(
    client: ApiWorkflowClient,
    instance: dg.DagsterInstance,
    status: dg.DagsterRunStatus,
    tags: dict[str, str],
    state: str | None,
    is_claimed: bool,
) -> None:
    run_id = client.schedule_compute_worker_run()
    (request,) = tick(instance)
    launched = dg.DagsterRun(
        job_name="scheduled_runs", tags={**request.tags, **tags}, status=status
    )
    instance.add_run(launched)
    if is_claimed:
        Deployment().queue.claim(run_id, f"Dagster run {launched.run_id}")
    before = client.get_compute_worker_run_info(run_id).state
    tick(instance)
    assert client.get_compute_worker_run_info(run_id).state == (state or before)


def test_a_run_that_a_worker_has_is_not_ended_by_a_dagster_run_that_came_too_late(
    client: ApiWorkflowClient, instance: dg.DagsterInstance
) -> None:
    run_id = client.schedule_compute_worker_run()
    (request,) = tick(instance)
    Deployment().queue.claim(run_id, "worker")
    instance.add_run(
        dg.DagsterRun(job_name="scheduled_runs", tags=dict(request.tags), status=CANCELED)
    )
    assert tick(instance) == []
    assert client.get_compute_worker_run_info(run_id).state == "STARTED"


def test_nothing_is_made_where_no_client_was(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    assert tick(instance) == []
    assert not (tmp_path / "home").exists()


def test_the_code_location_holds_complete_datasets_of_clients(
    client: ApiWorkflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.create_dataset("incomplete", DatasetType.VIDEOS)
    client.create_dataset("declared", DatasetType.VIDEOS)
    client.set_local_config(str(tmp_path / "in"))
    (tmp_path / "datasets.yaml").write_text("datasets: {declared: {input: in, lightly: out}}\n")
    monkeypatch.setenv("LIGHTLY_PIPELINE_DATASETS", str(tmp_path / "datasets.yaml"))
    jobs = {job.name for job in build_definitions().resolve_all_job_defs()}
    assert {"dataset__2dname_run_job", "declared_run_job", "scheduled_runs"} <= jobs
    assert "incomplete_run_job" not in jobs
