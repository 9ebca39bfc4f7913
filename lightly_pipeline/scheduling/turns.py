"""Whose turn it is, of the runs that wait or are in progress. Pure functions.

Runs come in the order in which they are taken. `now` is the time in milliseconds at which executors
are judged by their last beat.
"""

from collections.abc import Collection, Iterable

from lightly_pipeline.scheduling.models import ScheduledState
from lightly_pipeline.scheduling.scheduled_run import ScheduledRun


def hopeless(unended: Iterable[ScheduledRun], now: int) -> list[ScheduledRun]:
    """Returns the runs over which too many executors fell silent."""
    return [run for run in unended if run.is_silent(now) and not run.is_open(now)]


def waiting(
    unended: Iterable[ScheduledRun], labels: Collection[str], now: int
) -> list[ScheduledRun]:
    """Returns the runs that an executor with these labels may take."""
    has = set(labels)
    return [run for run in unended if run.is_open(now) and set(run.runs_on) <= has]


def next_of(
    unended: Collection[ScheduledRun], labels: Collection[str], now: int
) -> ScheduledRun | None:
    """Returns the run that an executor with these labels takes; a dataset has one at a time."""
    busy = busy_datasets(unended, now)
    may_be = waiting(unended, labels, now)
    return next((run for run in may_be if run.dataset_id not in busy), None)


def busy_datasets(unended: Iterable[ScheduledRun], now: int) -> set[str]:
    """Returns the datasets of which a run is in progress."""
    return {
        run.dataset_id
        for run in unended
        if run.state is ScheduledState.LOCKED and not run.is_silent(now)
    }
