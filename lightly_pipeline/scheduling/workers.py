"""Workers: those that a client has registered, and those that run.

A running worker says now and then that it lives; what it does follows from that and from the runs
that it has. What it executes is `queue.py`'s business.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from lightly_pipeline.scheduling import schema
from lightly_pipeline.scheduling.database import Database
from lightly_pipeline.scheduling.errors import ApiException
from lightly_pipeline.scheduling.models import ScheduledState, WorkerState
from lightly_pipeline.scheduling.names import check_worker_name, new_id
from lightly_pipeline.scheduling.scheduled_run import oldest_beat

# Workers that nobody registered and that fell silent are forgotten after a day.
_FORGOTTEN_AFTER_MS = 24 * 3600 * 1000
_WORKERS = schema.workers


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker.

    Attributes:
        id: 24 hexadecimal digits.
        name: Unique in the deployment.
        labels: It takes runs whose `runs_on` are all among them.
        state: What it does.
        version: Release of this package that it runs or ran; None before it was started.
        created_ms: When it was registered or started.
        modified_ms: When it was last heard of.
    """

    id: str
    name: str
    labels: tuple[str, ...]
    state: WorkerState
    version: str | None
    created_ms: int
    modified_ms: int


class Workers:
    """The workers of a deployment.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, name: str, labels: Collection[str]) -> str:
        """Registers a worker and returns its id; of a name that is known the one that it has.

        Raises:
            InvalidConfigurationError: There is no such name.
        """
        check_worker_name(name)
        with self._database.writing() as connection:
            known = connection.scalar(select(_WORKERS.c.id).where(_WORKERS.c.name == name))
            if known is not None:
                return str(known)
            worker_id, now = new_id(), _later(connection, self._database.now_ms())
            connection.execute(
                insert(_WORKERS).values(
                    id=worker_id,
                    name=name,
                    labels=json.dumps(sorted(labels)),
                    is_registered=True,
                    created_ms=now,
                    modified_ms=now,
                )
            )
        return worker_id

    def all(self) -> list[Worker]:
        """Returns all workers, oldest first."""
        runs, now = schema.runs, self._database.now_ms()
        with self._database.reading() as connection:
            rows = connection.execute(select(_WORKERS).order_by(_WORKERS.c.created_ms))
            found = rows.mappings().all()
            busy = connection.scalars(
                select(runs.c.executor).where(
                    runs.c.state == ScheduledState.LOCKED.value,
                    runs.c.beat_ms >= oldest_beat(now),
                )
            ).all()
        return [_worker(row, {*busy}, now) for row in found]

    def get(self, worker_id: str) -> Worker:
        """Returns a worker.

        Raises:
            ApiException: There is none with this id.
        """
        for worker in self.all():
            if worker.id == worker_id:
                return worker
        raise ApiException(f"there is no worker with the id {worker_id}")

    def delete(self, worker_id: str) -> None:
        """Forgets a worker; one that runs goes on unseen.

        Raises:
            ApiException: There is none with this id.
        """
        with self._database.writing() as connection:
            found = connection.execute(delete(_WORKERS).where(_WORKERS.c.id == worker_id))
            if found.rowcount == 0:
                raise ApiException(f"there is no worker with the id {worker_id}")

    def start(
        self, executor: str, labels: Collection[str], version: str, worker_id: str | None = None
    ) -> str:
        """Says that a worker has started, and returns its id.

        Args:
            executor: As which it takes runs.
            labels: Of a worker that nobody registered.
            version: Release of this package.
            worker_id: Under which it was registered, if it was.

        Raises:
            ApiException: There is none with this id.
        """
        now = self._database.now_ms()
        with self._database.writing() as connection:
            connection.execute(
                delete(_WORKERS).where(
                    ~_WORKERS.c.is_registered, _WORKERS.c.beat_ms < now - _FORGOTTEN_AFTER_MS
                )
            )
            if worker_id is None:
                return _start_unregistered(connection, executor, labels, version, now)
            found = connection.execute(
                update(_WORKERS)
                .where(_WORKERS.c.id == worker_id)
                .values(executor=executor, version=version, beat_ms=now, modified_ms=now)
            )
            if found.rowcount == 0:
                raise ApiException(f"there is no worker with the id {worker_id}: register it first")
        return worker_id

    def beat(self, worker_id: str) -> None:
        """Says that a worker lives; nothing happens when it was deleted."""
        now = self._database.now_ms()
        with self._database.writing() as connection:
            connection.execute(
                update(_WORKERS)
                .where(_WORKERS.c.id == worker_id)
                .values(beat_ms=now, modified_ms=now)
            )

    def stop(self, worker_id: str) -> None:
        """Says that a worker has ended; one that nobody registered is forgotten."""
        is_it = _WORKERS.c.id == worker_id
        with self._database.writing() as connection:
            connection.execute(
                update(_WORKERS)
                .where(is_it)
                .values(beat_ms=0, executor=None, modified_ms=self._database.now_ms())
            )
            connection.execute(delete(_WORKERS).where(is_it, ~_WORKERS.c.is_registered))


def _start_unregistered(
    connection: Connection, executor: str, labels: Collection[str], version: str, now: int
) -> str:
    # An earlier process of the same number, which ended without a word.
    connection.execute(delete(_WORKERS).where(_WORKERS.c.name == executor))
    worker_id = new_id()
    connection.execute(
        insert(_WORKERS).values(
            id=worker_id,
            name=executor,
            labels=json.dumps(sorted(labels)),
            is_registered=False,
            executor=executor,
            version=version,
            beat_ms=now,
            created_ms=_later(connection, now),
            modified_ms=now,
        )
    )
    return worker_id


def _later(connection: Connection, now: int) -> int:
    """Returns the time, later than that of every worker before, whatever the clock says."""
    return max(now, (connection.scalar(select(func.max(_WORKERS.c.created_ms))) or 0) + 1)


def _worker(row: RowMapping, busy: Collection[str], now: int) -> Worker:
    return Worker(
        id=row["id"],
        name=row["name"],
        labels=tuple(json.loads(row["labels"])),
        state=_state(row, busy, now),
        version=row["version"],
        created_ms=row["created_ms"],
        modified_ms=row["modified_ms"],
    )


def _state(row: RowMapping, busy: Collection[str], now: int) -> WorkerState:
    if row["executor"] is None:
        return WorkerState.OFFLINE
    if row["executor"] in busy:
        return WorkerState.BUSY
    is_heard_of = row["beat_ms"] >= oldest_beat(now)
    return WorkerState.IDLE if is_heard_of else WorkerState.CRASHED
