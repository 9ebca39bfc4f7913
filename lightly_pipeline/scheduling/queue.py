"""Scheduled runs: who may take one, and what becomes of it.

A run is OPEN until an executor claims it (LOCKED), and DONE when it has ended. A claim reads and
writes in one transaction, and writers come one after the other, so a run has one executor, and a
dataset one run at a time. An executor proves by beats that it lives; the claim of a silent one is
open again, a few times. What is executed, and how, is `execution.py`.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, insert, select, update

from lightly_pipeline.scheduling.database import Database
from lightly_pipeline.scheduling.errors import ClaimLostError
from lightly_pipeline.scheduling.models import (
    Claim,
    ComputeWorkerRunInfo,
    Priority,
    RunState,
    ScheduledState,
)
from lightly_pipeline.scheduling.names import new_id
from lightly_pipeline.scheduling.scheduled_run import EXPIRY_MS, ScheduledRun
from lightly_pipeline.scheduling.schema import run_changes, runs
from lightly_pipeline.scheduling.turns import busy_datasets, hopeless, next_of, waiting

_OPEN, _LOCKED, _DONE = (
    ScheduledState.OPEN.value,
    ScheduledState.LOCKED.value,
    ScheduledState.DONE.value,
)


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
        run_id, now = new_id(), self._database.now_ms()
        with self._database.writing() as connection:
            connection.execute(
                insert(runs).values(
                    id=run_id,
                    dataset_id=dataset_id,
                    blocks=json.dumps(blocks),
                    priority=priority.value,
                    rank=priority.rank,
                    runs_on=json.dumps(list(runs_on)),
                    state=_OPEN,
                    run_state=RunState.OPEN.value,
                    message=message,
                    created_ms=now,
                    modified_ms=now,
                )
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
            found = connection.execute(
                select(run_changes)
                .where(run_changes.c.run_id == run_id, run_changes.c.number > (after or 0))
                .order_by(run_changes.c.number)
            ).all()
            run = _find(connection, run_id)
        last = found[-1].number if found else after or 0
        infos = [ComputeWorkerRunInfo(RunState(row.run_state), row.message) for row in found]
        return run, infos if after is not None else [], last

    def all(self, dataset_id: str | None = None) -> list[ScheduledRun]:
        """Returns the runs, of one dataset or of all, oldest first."""
        wanted = select(runs).order_by(runs.c.number)
        if dataset_id is not None:
            wanted = wanted.where(runs.c.dataset_id == dataset_id)
        with self._database.reading() as connection:
            return _scheduled(connection.execute(wanted))

    def unended(self) -> list[ScheduledRun]:
        """Returns the runs that wait or are in progress, the next one first."""
        with self._database.reading() as connection:
            return _unended(connection)

    def waiting(self, labels: Collection[str]) -> list[ScheduledRun]:
        """Returns the runs that an executor with these labels may take, the next one first."""
        with self._database.reading() as connection:
            return waiting(_unended(connection), labels, self._now_of_silence())

    def claim(self, run_id: str, executor: str) -> tuple[Claim, ScheduledRun | None]:
        """Tries to take one run; who has it already keeps it.

        Returns:
            What became of it, and the run when it was taken.
        """
        with self._database.writing() as connection:
            now = self._now_of_silence()
            self._end_hopeless(connection, now)
            run = _find(connection, run_id)
            if run is None:
                return Claim.GONE, None
            is_mine = run.state is ScheduledState.LOCKED and run.executor == executor
            if not (run.is_open(now) or is_mine):
                return Claim.GONE, None
            if not is_mine and run.dataset_id in busy_datasets(_unended(connection), now):
                return Claim.BUSY, None
            return Claim.TAKEN, self._lock(connection, run, executor)

    def claim_next(self, labels: Collection[str], executor: str) -> ScheduledRun | None:
        """Takes the run that is next for an executor with these labels, if there is one."""
        with self._database.reading() as connection:
            # Many workers look often, and mostly in vain: they keep nobody from writing.
            unended, now = _unended(connection), self._now_of_silence()
            if not hopeless(unended, now) and next_of(unended, labels, now) is None:
                return None
        with self._database.writing() as connection:
            now = self._now_of_silence()
            self._end_hopeless(connection, now)
            run = next_of(_unended(connection), labels, now)
            return None if run is None else self._lock(connection, run, executor)

    def beat(self, run: ScheduledRun, message: str) -> None:
        """Says that the executor lives, and how far it is.

        Raises:
            ClaimLostError: It was taken for dead, and the run from it; as from all that follow.
        """
        with self._database.writing() as connection:
            self._update(connection, run, message=message)

    def enter(self, run: ScheduledRun, run_state: RunState, message: str) -> None:
        """Notes a change of state."""
        with self._database.writing() as connection:
            self._update(connection, run, run_state=run_state.value, message=message)
            _note(connection, run.id, run_state, message)

    def finish(self, run: ScheduledRun, run_state: RunState, message: str) -> None:
        """Notes how the run ended; saying it again changes nothing."""
        with self._database.writing() as connection:
            if _is_ended_by(connection, run, run_state):
                return
            self._update(connection, run, run_state=run_state.value, message=message, state=_DONE)
            _note(connection, run.id, run_state, message)

    def release(self, run: ScheduledRun, message: str) -> None:
        """Gives a run back, to be taken by another executor."""
        with self._database.writing() as connection:
            self._update(
                connection,
                run,
                run_state=RunState.OPEN.value,
                message=message,
                state=_OPEN,
                executor=None,
            )
            _note(connection, run.id, RunState.OPEN, message)

    def end_for(self, run: ScheduledRun, run_state: RunState, message: str) -> None:
        """Ends a run whose executor is known to be gone, unless something happened to it since."""
        with self._database.writing() as connection:
            self._end(connection, run, run_state, message)

    def _now_of_silence(self) -> int:
        """Returns the time at which executors are judged by their last beat.

        Just after nobody could reach the state nobody was heard of, either: then it is a time at
        which nobody is silent.
        """
        return 0 if self._database.was_out_of_reach else self._database.now_ms()

    def _end_hopeless(self, connection: Connection, now: int) -> None:
        """Ends runs over which too many executors fell silent."""
        for run in hopeless(_unended(connection), now):
            info = run.info(now)
            self._end(connection, run, info.state, info.message)

    def _end(
        self, connection: Connection, run: ScheduledRun, run_state: RunState, message: str
    ) -> None:
        ended = connection.execute(
            update(runs)
            .where(
                runs.c.id == run.id,
                runs.c.state == run.state.value,
                runs.c.executor.is_not_distinct_from(run.executor),
                runs.c.claims == run.claims,
            )
            .values(
                state=_DONE,
                run_state=run_state.value,
                message=message,
                modified_ms=self._database.now_ms(),
            )
        )
        if ended.rowcount:
            _note(connection, run.id, run_state, message)

    def _lock(self, connection: Connection, run: ScheduledRun, executor: str) -> ScheduledRun:
        message, now = f"taken by {executor}", self._database.now_ms()
        connection.execute(
            update(runs)
            .where(runs.c.id == run.id)
            .values(
                state=_LOCKED,
                run_state=RunState.STARTED.value,
                message=message,
                executor=executor,
                claims=runs.c.claims + 1,
                silences=runs.c.silences + int(run.is_silent(now)),
                beat_ms=now,
                started_ms=run.started_ms or now,
                modified_ms=now,
            )
        )
        _note(connection, run.id, RunState.STARTED, message)
        locked = _find(connection, run.id)
        assert locked is not None
        return locked

    def _update(self, connection: Connection, run: ScheduledRun, **values: Any) -> None:
        now = self._database.now_ms()
        changed = connection.execute(
            update(runs)
            .where(_is_held(run), runs.c.state == _LOCKED)
            .values(**values, beat_ms=now, modified_ms=now)
        )
        if changed.rowcount == 0:
            raise ClaimLostError(
                f"run {run.id} was taken from {run.executor}, which was not heard of for "
                f"{EXPIRY_MS // 1000} s"
            )


def _scheduled(rows: Iterable[Row[Any]]) -> list[ScheduledRun]:
    return [ScheduledRun.from_row(row._mapping) for row in rows]


def _find(connection: Connection, run_id: str) -> ScheduledRun | None:
    found = _scheduled(connection.execute(select(runs).where(runs.c.id == run_id)))
    return found[0] if found else None


def _unended(connection: Connection) -> list[ScheduledRun]:
    return _scheduled(
        connection.execute(
            select(runs)
            .where(runs.c.state.in_([_OPEN, _LOCKED]))
            .order_by(runs.c.rank.desc(), runs.c.number)
        )
    )


def _is_held(run: ScheduledRun) -> ColumnElement[bool]:
    """Whether nobody has taken the run since it was taken as it is here."""
    return and_(runs.c.id == run.id, runs.c.executor == run.executor, runs.c.claims == run.claims)


def _is_ended_by(connection: Connection, run: ScheduledRun, run_state: RunState) -> bool:
    ended = select(runs.c.id).where(
        _is_held(run), runs.c.state == _DONE, runs.c.run_state == run_state.value
    )
    return connection.scalar(ended) is not None


def _note(connection: Connection, run_id: str, run_state: RunState, message: str) -> None:
    connection.execute(
        insert(run_changes).values(run_id=run_id, run_state=run_state.value, message=message)
    )
