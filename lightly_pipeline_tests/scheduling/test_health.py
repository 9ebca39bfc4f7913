"""`worker --status` says what is wrong with workers and queue, and nothing where all is well."""

from pathlib import Path

import pytest

from lightly_pipeline.api import ApiWorkflowClient
from lightly_pipeline.cli import EXIT_DONE, EXIT_FAILED, main
from lightly_pipeline.scheduling.database import now_ms
from lightly_pipeline.scheduling.deployment import Deployment
from lightly_pipeline.scheduling.health import LONG_WAIT_MS, health_of, queue_of
from lightly_pipeline.scheduling.scheduled_run import EXPIRY_MS
from lightly_pipeline_tests.support.clients import add_dataset


def test_no_deployment_is_nothing_to_worry_about(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["worker", "--status"]) == EXIT_DONE
    assert "no client has scheduled a run yet" in capsys.readouterr().out


def test_a_run_that_waits_for_nobody_is_a_problem(
    client: ApiWorkflowClient, videos: Path, tmp_path: Path
) -> None:
    add_dataset(client, "street", videos, tmp_path / "out")
    run_id = client.schedule_compute_worker_run(runs_on=["gpu"])
    deployment, now = Deployment(), now_ms()
    well = health_of(deployment, now)
    assert well.problems == ()
    assert any(run_id in line and "for a worker with gpu" in line for line in well.lines)
    assert queue_of(deployment, now).length == 1
    late = now + LONG_WAIT_MS + 5000
    [problem] = health_of(deployment, late).problems
    assert f"run {run_id} has waited for 10 min" in problem
    assert "start a worker with the labels gpu" in problem
    assert queue_of(deployment, late).age_s == pytest.approx(LONG_WAIT_MS / 1000 + 5, abs=5)


def test_a_run_that_waits_for_another_one_of_its_dataset_is_none(
    client: ApiWorkflowClient, videos: Path, tmp_path: Path
) -> None:
    add_dataset(client, "street", videos, tmp_path / "out")
    client.schedule_compute_worker_run()
    client.schedule_compute_worker_run()
    deployment = Deployment()
    assert deployment.queue.claim_next((), "worker one") is not None
    # The second has waited for long, and the first lives: it is judged at one time.
    now = now_ms()
    health = health_of(deployment, now)
    assert health.problems == ()
    assert sum("in worker one" in line for line in health.lines) == 1
    # Once the first is silent, both wait for a worker.
    late = now + max(LONG_WAIT_MS, EXPIRY_MS) + 5000
    assert len(health_of(deployment, late).problems) == 2


def test_a_worker_that_fell_silent_is_a_problem_and_the_exit_code(
    client: ApiWorkflowClient,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client.register_compute_worker(name="machine one", labels=["gpu"])
    deployment = Deployment()
    [worker] = deployment.workers.all()
    deployment.workers.start("worker host:1", ["gpu"], "1.0", worker.id)
    assert main(["worker", "--status"]) == EXIT_DONE
    assert "worker machine one: IDLE" in capsys.readouterr().out
    now = now_ms()
    monkeypatch.setattr(
        "lightly_pipeline.scheduling.database.now_ms", lambda: now + EXPIRY_MS + 5000
    )
    assert main(["worker", "--status"]) == EXIT_FAILED
    assert "PROBLEM: worker machine one fell silent" in capsys.readouterr().out
    deployment.workers.stop(worker.id)
    assert main(["worker", "--status"]) == EXIT_DONE
