"""Whether a deployment's workers and queue are well, for who looks and for what alarms.

Judges what `workers.py` and `queue.py` know; nothing is changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lightly_pipeline.progress.text import duration
from lightly_pipeline.scheduling.deployment import Deployment
from lightly_pipeline.scheduling.models import ScheduledState, WorkerState
from lightly_pipeline.scheduling.scheduled_run import ScheduledRun
from lightly_pipeline.scheduling.workers import Worker

LONG_WAIT_MS = 10 * 60 * 1000
"""How long a run may wait while no other one of its dataset is in progress."""


@dataclass(frozen=True, slots=True)
class Health:
    """What there is, and what is wrong with it.

    Attributes:
        lines: Every worker and every run that has not ended, for people.
        problems: What somebody should do something about; empty where all is well.
    """

    lines: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Queue:
    """The runs that wait.

    Attributes:
        length: How many.
        age_s: How long the oldest has waited; 0 without any.
    """

    length: int
    age_s: float


def health_of(deployment: Deployment, now_ms: int) -> Health:
    """Returns how a deployment is at a time in Unix milliseconds."""
    workers, runs = deployment.workers.all(), deployment.queue.unended()
    lines = [_worker_line(worker, now_ms) for worker in workers]
    lines += [_run_line(run, now_ms) for run in runs]
    return Health(
        tuple(lines or ["no worker, and no run that has not ended"]),
        (*_crashed(workers, now_ms), *_stuck(runs, now_ms)),
    )


def queue_of(deployment: Deployment, now_ms: int) -> Queue:
    """Returns the runs that wait at a time in Unix milliseconds."""
    waiting = [run for run in deployment.queue.unended() if run.state is ScheduledState.OPEN]
    oldest = min((run.created_ms for run in waiting), default=now_ms)
    return Queue(len(waiting), max(now_ms - oldest, 0) / 1000)


def _worker_line(worker: Worker, now_ms: int) -> str:
    labels = f", labels {', '.join(worker.labels)}" if worker.labels else ""
    heard = f", heard of {_ago(worker.modified_ms, now_ms)}"
    release = f", release {worker.version}" if worker.version else ", never started"
    return f"worker {worker.name}: {worker.state}{heard}{labels}{release}"


def _run_line(run: ScheduledRun, now_ms: int) -> str:
    if run.state is ScheduledState.OPEN:
        labels = f" for a worker with {', '.join(run.runs_on)}" if run.runs_on else ""
        return f"run {run.id}: has waited for {duration((now_ms - run.created_ms) / 1000)}{labels}"
    return (
        f"run {run.id}: {run.run_state} in {run.executor}, heard of "
        f"{_ago(run.beat_ms, now_ms)}: {run.message}"
    )


def _crashed(workers: Sequence[Worker], now_ms: int) -> list[str]:
    return [
        f"worker {worker.name} fell silent {_ago(worker.modified_ms, now_ms)}: look at its log and "
        "its memory, and start it again"
        for worker in workers
        if worker.state is WorkerState.CRASHED
    ]


def _stuck(runs: Sequence[ScheduledRun], now_ms: int) -> list[str]:
    busy = {
        run.dataset_id
        for run in runs
        if run.state is ScheduledState.LOCKED and not run.is_silent(now_ms)
    }
    return [
        f"run {run.id} has waited for {duration((now_ms - run.created_ms) / 1000)} though its "
        f"dataset is free: {_remedy(run)}"
        for run in runs
        if run.is_open(now_ms)
        and run.dataset_id not in busy
        and now_ms - run.created_ms > LONG_WAIT_MS
    ]


def _remedy(run: ScheduledRun) -> str:
    if run.runs_on:
        return f"start a worker with the labels {', '.join(run.runs_on)}"
    return "start a worker, or Dagster's sensor take_scheduled_runs"


def _ago(at_ms: int, now_ms: int) -> str:
    return f"{duration(max(now_ms - at_ms, 0) / 1000)} ago"
