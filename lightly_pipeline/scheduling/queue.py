"""Scheduled runs: who may take one, and what becomes of it.

A run is OPEN until an executor claims it (LOCKED), and DONE when it has ended. Claims are
compare-and-swap in one transaction, so a run has one executor, and a dataset one run at a time.
An executor proves by beats that it lives; the claim of a silent one is open again, a few times.
What is executed, and how, is `execution.py`.
"""

import json
import sqlite3
from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any

from lightly_pipeline.scheduling.database import Database, now_ms
from lightly_pipeline.scheduling.errors import ClaimLostError
from lightly_pipeline.scheduling.models import (
    ComputeWorkerRunInfo,
    Priority,
    RunState,
    ScheduledState,
)
from lightly_pipeline.scheduling.names import new_id
from lightly_pipeline.scheduling.scheduled_run import EXPIRY_MS, ScheduledRun, oldest_beat


class Claim(Enum):
    """What became of an attempt to take a run."""

    TAKEN = "taken"
    BUSY = "another run of the dataset is in progress"
    GONE = "somebody else has it, or it has ended"


class RunQueue:
    """The scheduled runs of a deployment.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        dataset_id: str,
        blocks: Mapping[str, Mapping[str, Any]],
        *,
        priority: Priority,
        runs_on: Collection[str],
        message: str,
    ) -> str:
        """Schedules a run and returns its id."""
        run_id, now = new_id(), now_ms()
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO runs (id, dataset_id, blocks, priority, rank, runs_on, state, "
                "run_state, message, created_ms, modified_ms) "
                "VALUES (?, ?, ?, ?, ?, ?, 'OPEN', 'OPEN', ?, ?, ?)",
                (
                    run_id,
                    dataset_id,
                    json.dumps(blocks),
                    priority,
                    priority.rank,
                    json.dumps(list(runs_on)),
                    message,
                    now,
                    now,
                ),
            )
        return run_id

    def find(self, run_id: str) -> ScheduledRun | None:
        """Returns a run, or None."""
        with self._database.reading() as connection:
            return _find(connection, run_id)

    def watch(
        self, run_id: str, after: int | None = None
    ) -> tuple[ScheduledRun | None, list[ComputeWorkerRunInfo], int]:
        """Returns a run, its changes of state since the last call, and where to go on.

        Args:
            run_id: The run.
            after: What the last call returned; None the first time, which returns no change.
        """
        with self._database.reading() as connection:
            changes = connection.execute(
                "SELECT * FROM run_changes WHERE run_id = ? AND number > ? ORDER BY number",
                (run_id, after or 0),
            ).fetchall()
            run = _find(connection, run_id)
        last = changes[-1]["number"] if changes else after or 0
        infos = [ComputeWorkerRunInfo(RunState(c["run_state"]), c["message"]) for c in changes]
        return run, infos if after is not None else [], last

    def all(self, dataset_id: str | None = None) -> list[ScheduledRun]:
        """Returns the runs, of one dataset or of all, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM runs WHERE ? IS NULL OR dataset_id = ? ORDER BY number",
                (dataset_id, dataset_id),
            ).fetchall()
        return [ScheduledRun.from_row(row) for row in rows]

    def unended(self) -> list[ScheduledRun]:
        """Returns the runs that wait or are in progress, the next one first."""
        with self._database.reading() as connection:
            return _unended(connection)

    def waiting(self, labels: Collection[str]) -> list[ScheduledRun]:
        """Returns the runs that an executor with these labels may take, the next one first."""
        with self._database.reading() as connection:
            return _waiting(connection, labels, now_ms())

    def claim(self, run_id: str, executor: str) -> tuple[Claim, ScheduledRun | None]:
        """Tries to take one run; who has it already keeps it.

        Returns:
            What became of it, and the run when it was taken.
        """
        with self._database.writing() as connection:
            now = now_ms()
            _end_hopeless(connection, now)
            run = _find(connection, run_id)
            if run is None:
                return Claim.GONE, None
            is_mine = run.state is ScheduledState.LOCKED and run.executor == executor
            if not (run.is_open(now) or is_mine):
                return Claim.GONE, None
            if not is_mine and run.dataset_id in _busy_datasets(connection, now):
                return Claim.BUSY, None
            return Claim.TAKEN, _lock(connection, run, executor, now)

    def claim_next(self, labels: Collection[str], executor: str) -> ScheduledRun | None:
        """Takes the run that is next for an executor with these labels, if there is one."""
        with self._database.writing() as connection:
            now = now_ms()
            _end_hopeless(connection, now)
            busy = _busy_datasets(connection, now)
            for run in _waiting(connection, labels, now):
                if run.dataset_id not in busy:
                    return _lock(connection, run, executor, now)
        return None

    def beat(self, run: ScheduledRun, message: str) -> None:
        """Says that the executor lives, and how far it is.

        Raises:
            ClaimLostError: It was taken for dead, and the run from it; as from all that follow.
        """
        with self._database.writing() as connection:
            _update(connection, run, message=message)

    def enter(self, run: ScheduledRun, run_state: RunState, message: str) -> None:
        """Notes a change of state."""
        with self._database.writing() as connection:
            _update(connection, run, run_state=run_state, message=message)
            _note(connection, run.id, run_state, message)

    def finish(self, run: ScheduledRun, run_state: RunState, message: str) -> None:
        """Notes how the run ended."""
        with self._database.writing() as connection:
            _update(connection, run, run_state=run_state, message=message, state="DONE")
            _note(connection, run.id, run_state, message)

    def release(self, run: ScheduledRun, message: str) -> None:
        """Gives a run back, to be taken by another executor."""
        with self._database.writing() as connection:
            _update(
                connection,
                run,
                run_state=RunState.OPEN,
                message=message,
                state="OPEN",
                executor=None,
            )
            _note(connection, run.id, RunState.OPEN, message)

    def end_for(self, run: ScheduledRun, run_state: RunState, message: str) -> None:
        """Ends a run whose executor is known to be gone, unless something happened to it since."""
        with self._database.writing() as connection:
            ended = connection.execute(
                "UPDATE runs SET state = 'DONE', run_state = ?, message = ?, modified_ms = ? "
                "WHERE id = ? AND state = ? AND executor IS ? AND claims = ?",
                (run_state, message, now_ms(), run.id, run.state, run.executor, run.claims),
            )
            if ended.rowcount:
                _note(connection, run.id, run_state, message)


def _find(connection: sqlite3.Connection, run_id: str) -> ScheduledRun | None:
    row = connection.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
    return None if row is None else ScheduledRun.from_row(row)


def _unended(connection: sqlite3.Connection) -> list[ScheduledRun]:
    rows = connection.execute(
        "SELECT * FROM runs WHERE state IN ('OPEN', 'LOCKED') ORDER BY rank DESC, number"
    ).fetchall()
    return [ScheduledRun.from_row(row) for row in rows]


def _end_hopeless(connection: sqlite3.Connection, now: int) -> None:
    """Ends runs over which too many executors fell silent."""
    for run in _unended(connection):
        if run.is_silent(now) and not run.is_open(now):
            info = run.info(now)
            connection.execute(
                "UPDATE runs SET state = 'DONE', run_state = ?, message = ?, modified_ms = ? "
                "WHERE id = ?",
                (info.state, info.message, now, run.id),
            )
            _note(connection, run.id, info.state, info.message)


def _waiting(
    connection: sqlite3.Connection, labels: Collection[str], now: int
) -> list[ScheduledRun]:
    has = set(labels)
    return [run for run in _unended(connection) if run.is_open(now) and set(run.runs_on) <= has]


def _busy_datasets(connection: sqlite3.Connection, now: int) -> set[str]:
    rows = connection.execute(
        "SELECT dataset_id FROM runs WHERE state = 'LOCKED' AND beat_ms >= ?", (oldest_beat(now),)
    ).fetchall()
    return {row["dataset_id"] for row in rows}


def _lock(
    connection: sqlite3.Connection, run: ScheduledRun, executor: str, now: int
) -> ScheduledRun:
    message = f"taken by {executor}"
    connection.execute(
        "UPDATE runs SET state = 'LOCKED', run_state = ?, message = ?, executor = ?, "
        "claims = claims + 1, silences = silences + ?, beat_ms = ?, started_ms = ?, "
        "modified_ms = ? WHERE id = ?",
        (
            RunState.STARTED,
            message,
            executor,
            run.is_silent(now),
            now,
            run.started_ms or now,
            now,
            run.id,
        ),
    )
    _note(connection, run.id, RunState.STARTED, message)
    locked = _find(connection, run.id)
    assert locked is not None
    return locked


def _update(connection: sqlite3.Connection, run: ScheduledRun, **values: Any) -> None:
    now = now_ms()
    fields = {**values, "beat_ms": now, "modified_ms": now}
    assignments = ", ".join(f"{name} = ?" for name in fields)
    changed = connection.execute(
        f"UPDATE runs SET {assignments} "  # noqa: S608  names are ours
        "WHERE id = ? AND state = 'LOCKED' AND executor = ? AND claims = ?",
        (*fields.values(), run.id, run.executor, run.claims),
    )
    if changed.rowcount == 0:
        raise ClaimLostError(
            f"run {run.id} was taken from {run.executor}, which was not heard of for "
            f"{EXPIRY_MS // 1000} s"
        )


def _note(connection: sqlite3.Connection, run_id: str, run_state: RunState, message: str) -> None:
    connection.execute(
        "INSERT INTO run_changes (run_id, run_state, message) VALUES (?, ?, ?)",
        (run_id, run_state, message),
    )
