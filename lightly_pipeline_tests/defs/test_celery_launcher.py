"""Whether a run is still being executed, by what is known of its task and what it says."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.launcher import WorkerStatus

pytest.importorskip("dagster_celery")

LAUNCHER = {
    "module": "lightly_pipeline.defs.celery_launcher",
    "class": "WatchfulCeleryRunLauncher",
}


@dg.op
def nothing() -> None: ...


@dg.job
def a_job() -> None:
    nothing()


@contextmanager
def launched(home: Path, lost_after_s: int) -> Iterator[tuple[dg.DagsterInstance, dg.DagsterRun]]:
    """An instance with a run that has a task and has said something."""
    config = {
        "broker": "memory://",
        "backend": "cache+memory://",
        "lost_after_seconds": lost_after_s,
    }
    settings = {"run_launcher": {**LAUNCHER, "config": config}, "telemetry": {"enabled": False}}
    (home / "dagster.yaml").write_text(yaml.dump(settings))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        run = instance.create_run_for_job(a_job, tags={"dagster-celery/task_id": str(home)})
        instance.report_engine_event("I have begun", run)
        yield instance, run


def test_a_run_that_was_heard_of_is_executed_whatever_the_broker_says(tmp_path: Path) -> None:
    with launched(tmp_path, lost_after_s=300) as (instance, run):
        launcher = instance.run_launcher
        # As after Redis came back empty, and as after a task was delivered twice.
        assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
        launcher.celery.backend.store_result(str(tmp_path), 0, "SUCCESS")
        assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING


def test_a_run_of_which_nothing_is_heard_is_lost_though_its_task_has_started(
    tmp_path: Path,
) -> None:
    with launched(tmp_path, lost_after_s=0) as (instance, run):
        launcher = instance.run_launcher
        launcher.celery.backend.store_result(str(tmp_path), None, "STARTED")
        time.sleep(0.01)
        health = launcher.check_run_worker_health(run)
        assert health.status is WorkerStatus.FAILED
        assert "its worker is lost" in str(health.msg)


def test_a_process_that_died_is_known_at_once(tmp_path: Path) -> None:
    with launched(tmp_path, lost_after_s=300) as (instance, run):
        launcher = instance.run_launcher
        launcher.celery.backend.store_result(str(tmp_path), RuntimeError("killed"), "FAILURE")
        assert launcher.check_run_worker_health(run).status is WorkerStatus.FAILED


@pytest.mark.slow
def test_a_worker_says_what_to_do_where_runs_are_launched_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", "import lightly_pipeline.defs.celery_app"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "deploy/dagster-celery.yaml" in done.stderr.splitlines()[-1]
