"""Who has a scheduled run, whatever happens to executors."""

import pytest

from lightly_pipeline.api import RunState
from lightly_pipeline.scheduling import database as database_module
from lightly_pipeline.scheduling.address import state_address
from lightly_pipeline.scheduling.database import Database, now_ms
from lightly_pipeline.scheduling.errors import ClaimLostError
from lightly_pipeline.scheduling.models import Claim, Priority
from lightly_pipeline.scheduling.queue import RunQueue
from lightly_pipeline.scheduling.scheduled_run import EXPIRY_MS, MAX_SILENCES


@pytest.fixture
def queue(state: str) -> RunQueue:
    return RunQueue(Database(state_address()))


class Clock:
    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return now_ms() + self.ahead_ms


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(database_module, "now_ms", clock)
    return clock


def add(
    queue: RunQueue, dataset: str = "d", priority: Priority = Priority.MID, *labels: str
) -> str:
    return queue.add(dataset, {}, priority=priority, runs_on=labels, message="waiting")


def test_higher_priority_goes_first_then_the_older_one(queue: RunQueue) -> None:
    low = add(queue, "a", Priority.LOW)
    first, second = add(queue, "b"), add(queue, "c")
    critical = add(queue, "d", Priority.CRITICAL)
    taken = [queue.claim_next((), "worker") for _ in range(4)]
    assert [run.id for run in taken if run] == [critical, first, second, low]
    assert queue.claim_next((), "worker") is None


def test_a_worker_takes_only_runs_whose_labels_it_has(queue: RunQueue) -> None:
    run = add(queue, "d", Priority.MID, "gpu", "berlin")
    assert queue.claim_next(["gpu"], "worker") is None
    taken = queue.claim_next(["gpu", "berlin", "fast"], "worker")
    assert taken is not None
    assert taken.id == run


def test_a_dataset_has_one_run_at_a_time(queue: RunQueue) -> None:
    first, second = add(queue), add(queue)
    taken = queue.claim_next((), "one")
    assert taken is not None
    assert taken.id == first
    assert queue.claim_next((), "two") is None
    assert queue.claim(second, "two")[0] is Claim.BUSY
    queue.finish(taken, RunState.COMPLETED, "completed")
    assert queue.claim(second, "two")[0] is Claim.TAKEN


def test_a_run_has_one_executor(queue: RunQueue) -> None:
    run = add(queue)
    assert queue.claim(run, "one")[0] is Claim.TAKEN
    assert queue.claim(run, "two")[0] is Claim.GONE
    # The same Dagster run, started again after its process died.
    assert queue.claim(run, "one")[0] is Claim.TAKEN


def test_a_silent_executor_loses_its_run_and_cannot_write_to_it_any_more(
    queue: RunQueue, clock: Clock
) -> None:
    add(queue)
    lost = queue.claim_next((), "one")
    assert lost is not None
    clock.ahead_ms = EXPIRY_MS + 1000
    info = queue.watch(lost.id)[0].info(clock())
    assert info.state is RunState.OPEN
    assert "one fell silent" in info.message
    assert queue.claim_next((), "two") is not None
    for write in (queue.beat, lambda run, message: queue.finish(run, RunState.FAILED, message)):
        with pytest.raises(ClaimLostError):
            write(lost, "late")
    assert queue.find(lost.id).run_state is RunState.STARTED


def test_a_run_that_silences_every_executor_counts_as_crashed(
    queue: RunQueue, clock: Clock
) -> None:
    run_id = add(queue)
    for attempt in range(MAX_SILENCES):
        assert queue.claim_next((), f"worker {attempt}") is not None
        clock.ahead_ms += EXPIRY_MS + 1000
    info = queue.find(run_id).info(clock())
    assert info.state is RunState.CRASHED
    assert info.in_end_state()
    assert not info.ended_successfully()
    assert queue.claim_next((), "one more") is None
    assert queue.find(run_id).info(clock()) == info
    assert queue.unended() == []


def test_a_run_given_back_is_open_again(queue: RunQueue) -> None:
    add(queue)
    run = queue.claim_next((), "one")
    queue.release(run, "worker stopped")
    assert queue.find(run.id).info(now_ms()).state is RunState.OPEN
    assert queue.claim_next((), "two").id == run.id
