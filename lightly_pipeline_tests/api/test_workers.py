"""A script sees the workers of its deployment, and gives them their labels."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lightly_pipeline.api import ApiException, ApiWorkflowClient, InvalidConfigurationError
from lightly_pipeline.cli import main
from lightly_pipeline_tests.support.clients import add_dataset

pytestmark = pytest.mark.slow

TWO = {"n_samples": 2}


def state(client: ApiWorkflowClient, worker_id: str) -> str:
    return {worker.id: str(worker.state) for worker in client.get_compute_workers()}[worker_id]


@pytest.mark.usefixtures("state")
def test_a_registered_worker_takes_runs_for_its_labels(client: ApiWorkflowClient) -> None:
    worker_id = client.register_compute_worker("berlin 1", labels=["gpu"])
    assert client.register_compute_worker("berlin 1", labels=["other"]) == worker_id
    (worker,) = client.get_compute_workers()
    assert (worker.name, worker.labels, worker.state) == ("berlin 1", ("gpu",), "OFFLINE")
    assert worker.docker_version is None
    run_id = client.schedule_compute_worker_run(selection_config=TWO, runs_on=["gpu"])
    assert main(["worker", "--once"]) == 0
    assert not client.get_compute_worker_run_info(run_id).in_end_state()
    assert main(["worker", "--once", "--worker-id", worker_id]) == 0
    assert client.get_compute_worker_run_info(run_id).ended_successfully()
    (worker,) = client.get_compute_workers()
    assert (worker.state, worker.worker_type) == ("OFFLINE", "FULL")
    assert worker.docker_version == client.get_compute_worker_run(run_id).docker_version
    client.delete_compute_worker(worker_id)
    assert client.get_compute_worker_ids() == []
    with pytest.raises(ApiException, match="no worker with the id"):
        client.delete_compute_worker(worker_id)
    assert main(["worker", "--once", "--worker-id", worker_id]) == 1


@pytest.mark.parametrize(("name", "labels"), [("a", []), ("a/b/c", []), ("abc", "gpu")])
def test_what_is_no_worker_is_refused(client: ApiWorkflowClient, name: str, labels: list) -> None:
    with pytest.raises(InvalidConfigurationError, match=r"three letters|list of labels"):
        client.register_compute_worker(name, labels)


def test_a_running_worker_is_seen_idle_busy_and_gone(
    client: ApiWorkflowClient, home: Path, videos: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "lightly_pipeline", "worker", "--labels", "b,a"],
        env={**os.environ, "LIGHTLY_PIPELINE_HOME": str(home)},
    )
    try:
        seen = set[str]()
        wait_until(lambda: client.get_compute_worker_ids() != [])
        (worker,) = client.get_compute_workers()
        assert worker.labels == ("a", "b")
        assert state(client, worker.id) == "IDLE"
        for number in range(3):
            add_dataset(client, f"dataset {number}", videos, videos.parent / f"out{number}")
            run_id = client.schedule_compute_worker_run(selection_config=TWO)
        while not client.get_compute_worker_run_info(run_id).in_end_state():
            seen.add(state(client, worker.id))
            time.sleep(0.02)
        assert "BUSY" in seen
        assert seen <= {"IDLE", "BUSY"}
    finally:
        process.terminate()
        process.wait()
    assert client.get_compute_workers() == []


@pytest.mark.usefixtures("state")
def test_a_worker_that_was_killed_shows_as_crashed(
    client: ApiWorkflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = client._deployment.workers
    worker_id = workers.start("worker somewhere:1", [], "1.0")
    assert state(client, worker_id) == "IDLE"
    later = time.time() + 100
    monkeypatch.setattr("lightly_pipeline.scheduling.database.now_ms", lambda: int(later * 1000))
    assert state(client, worker_id) == "CRASHED"
    monkeypatch.setattr(
        "lightly_pipeline.scheduling.database.now_ms", lambda: int((later + 90_000) * 1000)
    )
    other = workers.start("worker somewhere:2", [], "1.0")
    assert client.get_compute_worker_ids() == [other]


def wait_until(holds: object) -> None:
    deadline = time.monotonic() + 60
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_configuration_is_checked_and_named(client: ApiWorkflowClient) -> None:
    first = client.create_compute_worker_config(selection_config=TWO)
    assert client.create_compute_worker_config(selection_config={"nSamples": 2}) == first
    assert client.create_compute_worker_config({"resize": 64}, selection_config=TWO) != first
    assert len(first) == 24
    with pytest.raises(InvalidConfigurationError, match="did you mean n_samples"):
        client.create_compute_worker_config(selection_config={"n_sample": 2})
