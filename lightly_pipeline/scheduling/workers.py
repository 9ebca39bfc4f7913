"""Workers: those that a client has registered, and those that run.

A running worker says now and then that it lives; what it does follows from that and from the runs
that it has. What it executes is `queue.py`'s business.
"""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from lightly_pipeline.scheduling.database import Database, now_ms
from lightly_pipeline.scheduling.errors import ApiException
from lightly_pipeline.scheduling.models import WorkerState
from lightly_pipeline.scheduling.names import check_worker_name, new_id
from lightly_pipeline.scheduling.scheduled_run import oldest_beat

# Workers that nobody registered and that fell silent are forgotten after a day.
_FORGOTTEN_AFTER_MS = 24 * 3600 * 1000


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
        now = now_ms()
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO workers (id, name, labels, is_registered, created_ms, modified_ms) "
                "VALUES (?, ?, ?, 1, ?, ?) ON CONFLICT (name) DO NOTHING",
                (new_id(), name, json.dumps(sorted(labels)), now, now),
            )
            row = connection.execute("SELECT id FROM workers WHERE name = ?", (name,)).fetchone()
        return str(row["id"])

    def all(self) -> list[Worker]:
        """Returns all workers, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM workers ORDER BY rowid").fetchall()
            busy = connection.execute(
                "SELECT executor FROM runs WHERE state = 'LOCKED' AND beat_ms >= ?",
                (oldest_beat(now_ms()),),
            ).fetchall()
        return [_worker(row, {run["executor"] for run in busy}) for row in rows]

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
            found = connection.execute("DELETE FROM workers WHERE id = ?", (worker_id,))
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
        now = now_ms()
        with self._database.writing() as connection:
            connection.execute(
                "DELETE FROM workers WHERE NOT is_registered AND beat_ms < ?",
                (now - _FORGOTTEN_AFTER_MS,),
            )
            if worker_id is None:
                worker_id = new_id()
                shown = json.dumps(sorted(labels))
                connection.execute(
                    "INSERT OR REPLACE INTO workers VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?)",
                    (worker_id, executor, shown, executor, version, now, now, now),
                )
                return worker_id
            found = connection.execute(
                "UPDATE workers SET executor = ?, version = ?, beat_ms = ?, modified_ms = ? "
                "WHERE id = ?",
                (executor, version, now, now, worker_id),
            )
            if found.rowcount == 0:
                raise ApiException(f"there is no worker with the id {worker_id}: register it first")
        return worker_id

    def beat(self, worker_id: str) -> None:
        """Says that a worker lives; nothing happens when it was deleted."""
        now = now_ms()
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE workers SET beat_ms = ?, modified_ms = ? WHERE id = ?",
                (now, now, worker_id),
            )

    def stop(self, worker_id: str) -> None:
        """Says that a worker has ended; one that nobody registered is forgotten."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE workers SET beat_ms = 0, executor = NULL, modified_ms = ? WHERE id = ?",
                (now_ms(), worker_id),
            )
            connection.execute(
                "DELETE FROM workers WHERE id = ? AND NOT is_registered", (worker_id,)
            )


def _worker(row: sqlite3.Row, busy: Collection[str]) -> Worker:
    return Worker(
        id=row["id"],
        name=row["name"],
        labels=tuple(json.loads(row["labels"])),
        state=_state(row, busy),
        version=row["version"],
        created_ms=row["created_ms"],
        modified_ms=row["modified_ms"],
    )


def _state(row: sqlite3.Row, busy: Collection[str]) -> WorkerState:
    if row["executor"] is None:
        return WorkerState.OFFLINE
    if row["executor"] in busy:
        return WorkerState.BUSY
    is_heard_of = row["beat_ms"] >= oldest_beat(now_ms())
    return WorkerState.IDLE if is_heard_of else WorkerState.CRASHED
