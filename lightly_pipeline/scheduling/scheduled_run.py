"""A scheduled run as it was at one moment, and what that says of its executor.

A value; how it changes is in `queue.py`.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lightly_pipeline.scheduling.models import (
    ComputeWorkerRunInfo,
    Priority,
    RunState,
    ScheduledState,
)

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

BEAT_S = 10.0
"""How often an executor says that it lives."""
EXPIRY_MS = 90_000
"""After how long without a beat a claim is open again."""
MAX_SILENCES = 3
"""How many executors may fall silent over a run before it counts as crashed."""


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """A scheduled run as it was at one moment.

    Attributes:
        id: 24 hexadecimal digits.
        dataset_id: Whose run it is.
        blocks: Its configuration blocks by name, in snake_case.
        priority: Which is taken first.
        runs_on: Labels that a worker must all have.
        state: Whether it was taken.
        run_state: Where it is.
        message: How far it is, or why it failed.
        executor: Who has it, or had it at its end.
        claims: How often it was taken.
        silences: How often it was taken from an executor that had fallen silent.
        beat_ms: When its executor was last heard of.
        started_ms: When it was first taken; 0 before.
        created_ms: When it was scheduled.
        modified_ms: When it last changed.
    """

    id: str
    dataset_id: str
    blocks: dict[str, dict[str, Any]]
    priority: Priority
    runs_on: tuple[str, ...]
    state: ScheduledState
    run_state: RunState
    message: str
    executor: str | None
    claims: int
    silences: int
    beat_ms: int
    started_ms: int
    created_ms: int
    modified_ms: int

    @classmethod
    def from_row(cls, row: "RowMapping") -> "ScheduledRun":
        """Returns the run that a row of the state's table describes."""
        return cls(
            id=row["id"],
            dataset_id=row["dataset_id"],
            blocks=json.loads(row["blocks"]),
            priority=Priority(row["priority"]),
            runs_on=tuple(json.loads(row["runs_on"])),
            state=ScheduledState(row["state"]),
            run_state=RunState(row["run_state"]),
            message=row["message"],
            executor=row["executor"],
            claims=row["claims"],
            silences=row["silences"],
            beat_ms=row["beat_ms"],
            started_ms=row["started_ms"],
            created_ms=row["created_ms"],
            modified_ms=row["modified_ms"],
        )

    def is_silent(self, now: int) -> bool:
        """Returns whether its executor has not been heard of for too long."""
        return self.state is ScheduledState.LOCKED and self.beat_ms < oldest_beat(now)

    def is_open(self, now: int) -> bool:
        """Returns whether an executor may take it."""
        return self.state is ScheduledState.OPEN or (
            self.is_silent(now) and self.silences < MAX_SILENCES - 1
        )

    def info(self, now: int) -> ComputeWorkerRunInfo:
        """Returns where the run is, for its user."""
        if self.state is ScheduledState.CANCELED:
            return ComputeWorkerRunInfo(
                RunState.CANCELED_OR_NOT_EXISTING, "canceled: its dataset was deleted"
            )
        if not self.is_silent(now):
            return ComputeWorkerRunInfo(self.run_state, self.message)
        if self.is_open(now):
            return ComputeWorkerRunInfo(
                RunState.OPEN, f"{self.executor} fell silent; waiting to be taken by another one"
            )
        return ComputeWorkerRunInfo(
            RunState.CRASHED,
            f"{self.silences + 1} executors fell silent over it, lastly {self.executor}: its log "
            "may say why (out of memory?)",
        )


def oldest_beat(now: int) -> int:
    """Returns the time before which an executor was last heard of if it is silent by now."""
    return now - EXPIRY_MS
