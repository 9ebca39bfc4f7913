"""The SQLite file of the deployment's state: where it is, its tables, its transactions.

Short transactions on short connections, so that clients, workers and Dagster's processes on one
machine share it without a server. What is in the tables is `datasets.py`, `queue.py` and
`workers.py`.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lightly_pipeline.errors import LightlyPipelineError

HOME_VARIABLE = "LIGHTLY_PIPELINE_HOME"
_FILE = "state.sqlite"
_VERSION = 2
_BUSY_S = 30.0
_TABLES = """
CREATE TABLE IF NOT EXISTS datasets (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL,
    created_ms INTEGER NOT NULL, modified_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS datasources (
    dataset_id TEXT NOT NULL, purpose TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,
    full_path TEXT NOT NULL, options TEXT NOT NULL, PRIMARY KEY (dataset_id, purpose));
CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, dataset_id TEXT NOT NULL,
    blocks TEXT NOT NULL, priority TEXT NOT NULL, rank INTEGER NOT NULL, runs_on TEXT NOT NULL,
    state TEXT NOT NULL, run_state TEXT NOT NULL, message TEXT NOT NULL,
    executor TEXT, claims INTEGER NOT NULL DEFAULT 0, silences INTEGER NOT NULL DEFAULT 0,
    beat_ms INTEGER NOT NULL DEFAULT 0, started_ms INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL, modified_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS runs_by_state ON runs (state);
CREATE TABLE IF NOT EXISTS run_changes (
    number INTEGER PRIMARY KEY, run_id TEXT NOT NULL, run_state TEXT NOT NULL,
    message TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS changes_by_run ON run_changes (run_id, number);
CREATE TABLE IF NOT EXISTS processed_until (
    dataset_id TEXT PRIMARY KEY, timestamp INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS workers (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, labels TEXT NOT NULL,
    is_registered INTEGER NOT NULL, executor TEXT, version TEXT,
    beat_ms INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL, modified_ms INTEGER NOT NULL);
"""


def default_home() -> Path:
    """Returns the folder of the deployment's state.

    The one that LIGHTLY_PIPELINE_HOME names; else beside Dagster's instance, if there is a
    DAGSTER_HOME; else `~/.lightly_pipeline`.
    """
    if home := os.environ.get(HOME_VARIABLE):
        return Path(home).expanduser().resolve()
    if dagster_home := os.environ.get("DAGSTER_HOME"):
        return Path(dagster_home).expanduser().resolve() / "lightly_pipeline"
    return Path.home() / ".lightly_pipeline"


def now_ms() -> int:
    """Returns the Unix time in milliseconds."""
    return int(time.time() * 1000)


class Database:
    """The state's file in a folder; both are made when they are not there.

    Args:
        home: The folder.

    Raises:
        LightlyPipelineError: The folder or the file cannot be used.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._file = home / _FILE
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
            self._make_tables()
        except (OSError, sqlite3.DatabaseError) as error:
            raise LightlyPipelineError(
                f"the state folder {home} cannot be used ({error}); name another one in "
                f"{HOME_VARIABLE}"
            ) from error

    @staticmethod
    def exists(home: Path) -> bool:
        """Returns whether a client has left a state in a folder."""
        return (home / _FILE).exists()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yields a connection that sees one moment.

        Raises:
            LightlyPipelineError: The file cannot be read, or was locked for too long.
        """
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yields the one connection that may write meanwhile; an error undoes what it wrote.

        Raises:
            LightlyPipelineError: The file cannot be written, or was locked for too long.
        """
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            with self._connected(begin) as connection:
                yield connection
        except sqlite3.OperationalError as error:
            raise LightlyPipelineError(
                f"the state in {self._file} cannot be read or written: {error}"
            ) from error

    @contextmanager
    def _connected(self, begin: str) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._file, timeout=_BUSY_S, isolation_level=None)
        with closing(connection):
            connection.row_factory = sqlite3.Row
            connection.execute(begin)
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _make_tables(self) -> None:
        with self.reading() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise LightlyPipelineError(
                f"{self._file} was written by a newer release of this package: upgrade this one"
            )
        if version == _VERSION:
            return
        with self.writing() as connection:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
