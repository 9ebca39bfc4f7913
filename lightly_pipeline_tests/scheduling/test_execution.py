"""How a claimed run ends, as its user sees it."""

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest

from lightly_pipeline.errors import DatasourceError
from lightly_pipeline.scheduling.address import state_address
from lightly_pipeline.scheduling.database import Database
from lightly_pipeline.scheduling.errors import ClaimLostError
from lightly_pipeline.scheduling.execution import executing
from lightly_pipeline.scheduling.models import ComputeWorkerRunInfo, Priority, RunState
from lightly_pipeline.scheduling.queue import RunQueue
from lightly_pipeline.scheduling.scheduled_run import ScheduledRun

pytestmark = pytest.mark.slow


@pytest.fixture
def queue(state: str) -> RunQueue:
    return RunQueue(Database(state_address()))


@pytest.fixture
def run(queue: RunQueue) -> ScheduledRun:
    queue.add("d", {}, priority=Priority.MID, runs_on=(), message="waiting")
    claimed = queue.claim_next((), "one")
    assert claimed is not None
    return claimed


def info(queue: RunQueue, run: ScheduledRun) -> ComputeWorkerRunInfo:
    found = queue.find(run.id)
    assert found is not None
    return found.info(found.beat_ms)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DatasourceError("cannot list s3://bucket/"), "cannot list s3://bucket/"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    ],
)
def test_an_error_ends_the_run_with_its_reason(
    queue: RunQueue, run: ScheduledRun, error: Exception, message: str
) -> None:
    with (
        pytest.raises(type(error)),
        executing(queue, run, when_interrupted="release"),
    ):
        raise error
    assert info(queue, run) == ComputeWorkerRunInfo(RunState.FAILED, message)


def test_an_interruption_gives_the_run_back_or_ends_it(queue: RunQueue, run: ScheduledRun) -> None:
    with pytest.raises(KeyboardInterrupt), executing(queue, run, when_interrupted="release"):
        raise KeyboardInterrupt
    assert info(queue, run).state is RunState.OPEN
    again = queue.claim_next((), "Dagster run 1")
    assert again is not None
    with pytest.raises(KeyboardInterrupt), executing(queue, again, when_interrupted="abort"):
        raise KeyboardInterrupt
    assert info(queue, run) == ComputeWorkerRunInfo(RunState.ABORTED, "canceled in Dagster run 1")


def test_who_lost_its_run_stops_and_leaves_it_alone(
    queue: RunQueue, run: ScheduledRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work() -> None:
        with executing(queue, run, when_interrupted="release") as reporter:
            reporter.meter("list", 1, None, "videos")
            monkeypatch.setattr("lightly_pipeline.scheduling.scheduled_run.EXPIRY_MS", -1000)
            assert queue.claim_next((), "two") is not None
            reporter.meter("decode", 1, None, "frames")

    with pytest.raises(ClaimLostError, match="taken from one"):
        work()
    monkeypatch.undo()
    assert info(queue, run) == ComputeWorkerRunInfo(RunState.STARTED, "taken by two")


def test_a_step_that_the_original_does_not_know_changes_no_state(
    queue: RunQueue, run: ScheduledRun
) -> None:
    with executing(queue, run, when_interrupted="release") as reporter:
        reporter.meter("something new", 1, 2, "things")
        assert info(queue, run).state is RunState.STARTED
    assert info(queue, run).state is RunState.COMPLETED


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightly_pipeline.scheduling.sqlite._BUSY_S", 0.5)
    monkeypatch.setattr("lightly_pipeline.scheduling.postgres._BUSY_MS", 500)


@contextmanager
def locked(state: str, home: Path) -> Iterator[None]:
    """Another process that holds the state for longer than anybody waits."""
    if state == "sqlite":
        with closing(sqlite3.connect(home / "state.sqlite")) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
    else:
        with closing(psycopg2.connect(os.environ["LIGHTLY_PIPELINE_STATE"])) as other:
            other.cursor().execute("SELECT * FROM lightly_pipeline.state FOR UPDATE")
            yield


def test_a_state_that_is_locked_for_long_costs_no_run(
    impatient: None, queue: RunQueue, run: ScheduledRun, state: str, home: Path
) -> None:
    with executing(queue, run, when_interrupted="release") as reporter:
        with locked(state, home):
            reporter.meter("decode", 1, None, "frames")
        assert info(queue, run).state is RunState.STARTED
        reporter.meter("decode", 2, None, "frames")
        assert info(queue, run).state is RunState.EMBEDDING


def test_the_run_s_user_hears_how_far_it_is_even_if_nothing_moves(
    queue: RunQueue, run: ScheduledRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightly_pipeline.scheduling.execution.BEAT_S", 0.01)
    with executing(queue, run, when_interrupted="release") as reporter:
        step = reporter.meter.begin("decode", "frames", sizes=[5, 5])
        with step.item("a.mp4", 5, total=100) as item:
            item.add(25)
            while "in hand" not in info(queue, run).message:
                time.sleep(0.01)
        told = info(queue, run)
    assert told.state is RunState.EMBEDDING
    assert told.message.startswith("Decoding and embedding: 25 of about 200 frames (12 %)")
    assert re.search(r"in hand: a\.mp4 \(\d+ s, 25 %\)$", told.message)
