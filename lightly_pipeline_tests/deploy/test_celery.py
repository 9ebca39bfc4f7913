"""Several machines: what is chosen, and what becomes of runs when a part of it fails."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from lightly_pipeline import Dataset, LocalDatasource, run
from lightly_pipeline.api import ApiWorkflowClient
from lightly_pipeline_tests.support.celery_deployment import (
    Deployment,
    celery_deployment,
    missing_servers,
)
from lightly_pipeline_tests.support.clients import add_dataset
from lightly_pipeline_tests.support.dagster_server import WAIT_S
from lightly_pipeline_tests.support.videos import BY_NAME, X264, Recipe, make_video

pytestmark = [
    pytest.mark.slow,
    pytest.mark.integration,
    pytest.mark.skipif(bool(missing_servers()), reason=missing_servers()),
]

N_VIDEOS, CHUNK = 40, 10
SHORT = Recipe("short.mp4", "libx264", 20, options=X264)
LONG = Recipe("long.mp4", "libx264", 600, options=X264)
# What is not done before it can be killed: one second of pictures, so often.
LASTING, N_TIMES = "10.hevc", 200
VIDEOS = [LASTING if i == CHUNK else f"{i:02}.mp4" for i in range(N_VIDEOS)]
T = TypeVar("T")
FIVE = {"resources": {"selection_config": {"config": {"n_samples": 5}}}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("machines")
    for i, name in enumerate(VIDEOS):
        make_video(base / "in", BY_NAME["h265.hevc"] if name == LASTING else SHORT, name, seed=i)
    lasting = base / "in" / LASTING
    lasting.write_bytes(lasting.read_bytes() * N_TIMES)
    for name in ("redis", "postgres"):
        make_video(base / f"in_{name}", LONG, f"{name}.mp4", seed=len(name))
    inputs = {"many": "in", "redis": "in_redis"}
    declared = [f"  {name}: {{input: {at}, lightly: {name}}}\n" for name, at in inputs.items()]
    declared.append("  gpu: {input: in, lightly: gpu, run_tags: {dagster-celery/queue: gpu}}\n")
    (base / "datasets.yaml").write_text("datasets:\n" + "".join(declared))
    return base


@pytest.fixture(scope="module")
def deployment(folder: Path) -> Iterator[Deployment]:
    with celery_deployment(folder / "deployment", folder / "datasets.yaml", 2) as running:
        yield running


def test_a_killed_worker_s_videos_are_finished_by_others_and_nothing_is_decoded_twice(
    deployment: Deployment, folder: Path
) -> None:
    listed = deployment.dagster.launch("many_catalog_job", {})
    assert deployment.dagster.ended(listed) == "SUCCESS"
    chunks = [VIDEOS[i : i + CHUNK] for i in range(0, N_VIDEOS, CHUNK)]
    runs = {deployment.materialize("many", chunk): chunk for chunk in chunks}
    struck = next(run_id for run_id, chunk in runs.items() if LASTING in chunk)
    lost = wait_until(lambda: deployment.worker_of(struck))
    assert lost is not None
    wait_until(lambda: done_of(folder / "many") & set(runs[struck]))
    lost.kill()
    done = done_of(folder / "many") & set(runs[struck])
    in_flight = set(runs[struck]) - done
    assert in_flight

    for run_id in runs:
        assert deployment.ended_at_last(run_id) == "SUCCESS", deployment.dagster.failures(run_id)
    assert deployment.dagster.status(struck) == "FAILURE"
    selection = deployment.dagster.launch("many_selection_job", FIVE)
    assert deployment.ended_at_last(selection) == "SUCCESS"

    # What was done when the worker was killed may not be in its log.
    assert decoded_by(deployment) | Counter(done) == Counter(VIDEOS)
    again = deployment.lines(f"{len(in_flight)} videos to decode, {CHUNK - len(in_flight)} known")
    assert len(again) == 1
    alone = Dataset(
        "alone", input=LocalDatasource(folder / "in"), lightly=LocalDatasource(folder / "alone")
    )
    run(alone, selection_config={"n_samples": 5})
    assert images(folder / "many") == images(folder / "alone")


def test_runs_wait_while_redis_is_away_and_go_on_when_it_is_back(
    deployment: Deployment, folder: Path
) -> None:
    underway = deployment.dagster.launch("redis_run_job", FIVE)
    wait_until(lambda: deployment.process_of(underway))
    waiting = [deployment.dagster.launch("many_catalog_job", {}) for _ in range(2)]
    deployment.redis.stop()
    launched_meanwhile = deployment.dagster.launch("many_catalog_job", {})
    time.sleep(6)
    deployment.redis.start()
    for run_id in (underway, *waiting, launched_meanwhile):
        assert deployment.ended_at_last(run_id) == "SUCCESS", deployment.dagster.failures(run_id)
    assert decoded_by(deployment)["redis.mp4"] == 1


def test_runs_of_a_dataset_go_to_the_workers_that_its_tags_name(deployment: Deployment) -> None:
    run_id = deployment.dagster.launch("gpu_catalog_job", {})
    deployment.start_workers(1, queue="gpu")
    assert deployment.dagster.ended(run_id) == "SUCCESS"
    log = deployment.workers[-1].log.read_text()
    assert run_id in log


def test_runs_survive_that_redis_has_forgotten_them_and_postgres_was_gone(
    deployment: Deployment, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTLY_PIPELINE_HOME", str(deployment.home / "lightly_pipeline"))
    client = ApiWorkflowClient(token="any")
    add_dataset(client, "scheduled", folder / "in_postgres", folder / "scheduled")
    scheduled = client.schedule_compute_worker_run(selection_config={"n_samples": 5})
    (launched,) = wait_until(
        lambda: [r for r in deployment.runs() if r["jobName"] == "scheduled_runs"]
    )
    wait_until(lambda: deployment.process_of(launched["runId"]))
    deployment.redis.kill()
    deployment.redis.forget()
    deployment.redis.start()
    waiting = deployment.dagster.launch("many_catalog_job", {})
    deployment.postgres.stop("immediate")
    time.sleep(3)
    deployment.postgres.start()
    for run_id in (launched["runId"], waiting):
        assert deployment.ended_at_last(run_id) == "SUCCESS", deployment.dagster.failures(run_id)
    # Given back, it may have been taken by another run than that which Dagster started again.
    wait_until(lambda: client.get_compute_worker_run_info(scheduled).in_end_state())
    info = client.get_compute_worker_run_info(scheduled)
    assert info.state == "COMPLETED", info
    assert decoded_by(deployment)["postgres.mp4"] == 1


def images(lightly: Path) -> dict[str, bytes]:
    """The images of a LIGHTLY folder by path."""
    store = LocalDatasource(lightly)
    return {item.path: store.read(item.path) for item in store.list(".lightly/frames/")}


def done_of(lightly: Path) -> set[str]:
    """The videos whose tables are complete."""
    found = lightly.glob(".lightly/tables/*/*/*/outcome.json")
    return {json.loads(file.read_text())["video"] for file in found}


def decoded_by(deployment: Deployment) -> Counter[str]:
    """How often workers have decoded each video to its end, as their logs tell."""
    lines = deployment.lines("frames, ")
    return Counter(
        word.rstrip(":")
        for line in lines
        for word in line.split()
        if word.endswith((".mp4:", ".hevc:"))
    )


def wait_until(ask: Callable[[], T]) -> T:
    """Returns what is told, once it is something."""
    deadline = time.monotonic() + WAIT_S
    while not (told := ask()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return told
