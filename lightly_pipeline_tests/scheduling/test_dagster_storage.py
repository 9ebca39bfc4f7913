"""A connection to Dagster's PostgreSQL that breaks in the middle of a run costs no run."""

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from lightly_pipeline import Dataset, LocalDatasource, build_definitions
from lightly_pipeline.api import ApiWorkflowClient
from lightly_pipeline_tests.support.dagster_server import ROOT
from lightly_pipeline_tests.support.dagster_storage import break_connection_at
from lightly_pipeline_tests.support.postgres_server import PostgresServer
from lightly_pipeline_tests.support.scheduled import launch, tick

pytestmark = [pytest.mark.slow, pytest.mark.integration]
DATABASE = "lost_storage"
FIVE = {"n_samples": 5}
IN_A_STEP = ["STEP_START", "ASSET_MATERIALIZATION"]
WILL_RETRY = "dagster/will_retry"


@pytest.fixture
def instance(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    monkeypatch.delenv("LIGHTLY_PIPELINE_DATASETS", raising=False)
    settings = yaml.safe_load((ROOT / "deploy" / "dagster-celery.yaml").read_text())
    postgres.execute(f"CREATE DATABASE {DATABASE}")
    login = {"username": postgres.user, "password": postgres.password}
    place = {"hostname": "127.0.0.1", "port": postgres.port, "db_name": DATABASE}
    settings["storage"]["postgres"]["postgres_db"] |= login | place
    (tmp_path / "dagster").mkdir()
    kept = {name: settings[name] for name in ("telemetry", "storage", "run_retries")}
    (tmp_path / "dagster" / "dagster.yaml").write_text(json.dumps(kept))
    with dg.DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        yield instance
    postgres.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def run_job(videos: Path, out: Path) -> dg.JobDefinition:
    """The job that does everything."""
    data = Dataset("demo", input=LocalDatasource(videos), lightly=LocalDatasource(out))
    return build_definitions(data).resolve_job_def("demo_run_job")


def retried(instance: dg.DagsterInstance, run_id: str) -> str:
    """What Dagster has decided about a failed run."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.FAILURE
    return run.tags[WILL_RETRY]


@pytest.mark.parametrize("event", IN_A_STEP)
def test_a_scheduled_run_is_taken_again_and_completed(
    client: ApiWorkflowClient, instance: dg.DagsterInstance, postgres: PostgresServer, event: str
) -> None:
    scheduled = client.schedule_compute_worker_run(selection_config=FIVE)
    (request,) = tick(instance)
    break_connection_at(postgres, DATABASE, event)
    broken = launch(request, instance)
    assert not broken.success
    assert retried(instance, broken.run_id) == "true"
    tick(instance)
    assert client.get_compute_worker_run_info(scheduled).state == "OPEN"
    assert launch(request, instance).success
    assert client.get_compute_worker_run_info(scheduled).ended_successfully()


def test_a_run_of_a_dataset_is_started_again(
    videos: Path, instance: dg.DagsterInstance, postgres: PostgresServer, tmp_path: Path
) -> None:
    job = run_job(videos, tmp_path / "out")
    for event in IN_A_STEP:
        break_connection_at(postgres, DATABASE, event)
        broken = job.execute_in_process(instance=instance, raise_on_error=False)
        assert retried(instance, broken.run_id) == "true"
    assert job.execute_in_process(instance=instance).success


def test_a_run_that_failed_for_its_data_or_its_store_is_not_started_again(
    client: ApiWorkflowClient, videos: Path, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    wrong_store = run_job(tmp_path / "nowhere", tmp_path / "demo").execute_in_process(
        instance=instance, raise_on_error=False
    )
    assert retried(instance, wrong_store.run_id) == "false"
    for video in videos.rglob("*.*"):
        video.unlink()
    scheduled = client.schedule_compute_worker_run(selection_config=FIVE)
    (request,) = tick(instance)
    no_videos = launch(request, instance)
    assert retried(instance, no_videos.run_id) == "false"
    assert client.get_compute_worker_run_info(scheduled).state == "FAILED"
