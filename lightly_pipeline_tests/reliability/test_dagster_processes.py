"""Daemon, code server, run worker, our own worker are killed: no run is lost or done twice."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lightly_pipeline import Dataset, LocalDatasource, run
from lightly_pipeline.api import ApiWorkflowClient
from lightly_pipeline_tests.support.clients import add_dataset
from lightly_pipeline_tests.support.clock import JumpingClock, can_jump
from lightly_pipeline_tests.support.commands import command
from lightly_pipeline_tests.support.dagster_parts import DagsterParts, dagster_parts, eventually
from lightly_pipeline_tests.support.dagster_server import ROOT
from lightly_pipeline_tests.support.videos import BY_NAME, make_video

N_SAMPLES = 8
WAIT_S = 600
ORDER = [
    "OPEN",
    "STARTED",
    "LOADING_DATASET",
    "EMBEDDING",
    "SAMPLING",
    "UPLOADING_DATASET",
    "GENERATING_REPORT",
    "UPLOADING_REPORT",
    "COMPLETED",
]

pytestmark = [pytest.mark.slow, pytest.mark.integration]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ApiWorkflowClient:
    """A client whose state lies in Dagster's home, and videos that take a moment."""
    monkeypatch.setenv("LIGHTLY_PIPELINE_HOME", str(tmp_path / "home" / "lightly_pipeline"))
    recipe = replace(BY_NAME["mpeg4.avi"], n_frames=2000)
    for i in range(2):
        make_video(tmp_path / "in", recipe, f"{i}.avi", seed=i)
    return ApiWorkflowClient(token="any")


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[DagsterParts]:
    """A running daemon and code server."""
    if not (ROOT / "workspace.yaml").exists():
        pytest.skip("not in a checkout")
    with dagster_parts(tmp_path / "home", {}) as deployment:
        yield deployment


def scheduled(client: ApiWorkflowClient, tmp_path: Path, name: str) -> str:
    """Schedules a run of a new dataset."""
    add_dataset(client, name, tmp_path / "in", tmp_path / name)
    return client.schedule_compute_worker_run(selection_config={"n_samples": N_SAMPLES})


def changes(client: ApiWorkflowClient, run_id: str) -> list[str]:
    """Returns the states that a run has been in, as its client saw them."""
    _, infos, _ = client._deployment.queue.watch(run_id, 0)
    return [str(info.state) for info in infos]


def images(folder: Path) -> list[list[tuple[str, str]]]:
    """Returns the images of every manifest in a folder of results, with their hashes."""
    manifests = [json.loads(p.read_text()) for p in folder.glob(".lightly/runs/*/manifest.json")]
    return [[(i["image"], i["sha256"]) for i in manifest["images"]] for manifest in manifests]


def assert_done_once(client: ApiWorkflowClient, run_id: str, folder: Path, tmp_path: Path) -> None:
    """Each run has ended well, once, with the frames of an undisturbed one."""
    source, target = LocalDatasource(tmp_path / "in"), LocalDatasource(tmp_path / "undisturbed")
    if not images(tmp_path / "undisturbed"):
        run(Dataset("any", input=source, lightly=target), selection_config={"n_samples": N_SAMPLES})
    assert images(folder) == images(tmp_path / "undisturbed")
    assert len(list(folder.glob(".lightly/tags/*.json"))) == 1
    seen = changes(client, run_id)
    assert seen.count("COMPLETED") == 1
    # From its last start on, in order.
    last = seen[len(seen) - 1 - seen[::-1].index("STARTED") :]
    assert [ORDER.index(state) for state in last] == sorted(ORDER.index(s) for s in set(last))


def test_runs_survive_the_daemon_their_worker_and_the_code_server(
    client: ApiWorkflowClient, parts: DagsterParts, tmp_path: Path
) -> None:
    names = ("one", "two", "three")
    run_ids = {name: scheduled(client, tmp_path, name) for name in names}
    # Two at a time: the third waits in the queue.
    eventually(lambda: sum("EMBEDDING" in changes(client, r) for r in run_ids.values()) >= 1, "one")
    parts.kill("daemon")
    parts.start_daemon()
    workers = [worker for r in parts.active_runs() if (worker := parts.worker_of(r))]
    workers[0].kill()
    for name, run_id in run_ids.items():
        assert client.wait_for_run(run_id, timeout_s=WAIT_S).ended_successfully(), name
    last = scheduled(client, tmp_path, "four")
    eventually(lambda: "EMBEDDING" in changes(client, last), "a run at work")
    parts.kill("code_server")
    parts.start_code_server()
    run_ids["four"] = last
    assert client.wait_for_run(last, timeout_s=WAIT_S).ended_successfully()
    eventually(lambda: not parts.active_runs(), "the end of all of Dagster's runs")
    for name, run_id in run_ids.items():
        assert_done_once(client, run_id, tmp_path / name, tmp_path)


@pytest.mark.skipif(not can_jump(), reason="needs Linux and a C compiler")
def test_the_run_of_a_killed_worker_is_done_by_another_one(
    client: ApiWorkflowClient, tmp_path: Path
) -> None:
    run_id = scheduled(client, tmp_path, "one")
    with command("worker") as process:
        process.until(lambda: "EMBEDDING" in changes(client, run_id))
        process.signal(9, group=True)
        process.ended()
    # Two minutes later, by the clock of the other one.
    clock = JumpingClock(tmp_path / "clock")
    clock.jump(120)
    with command("worker", "--once", environment=clock.environment) as another:
        assert another.ended(WAIT_S) == 0, another.errors
    assert_done_once(client, run_id, tmp_path / "one", tmp_path)
    assert changes(client, run_id).count("STARTED") == 2
