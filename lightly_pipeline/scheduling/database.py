"""The database of a deployment's state: its transactions, the same for SQLite and PostgreSQL.

Short transactions on short connections, so that clients, workers and Dagster's processes share it,
and a process may fork. Writers come one after the other in both: what a writer has read nobody
changes meanwhile. Which rows there are is `schema.py`; what differs between the two is `sqlite.py`
and `postgres.py`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.scheduling.address import StateAddress, StateFolder
from lightly_pipeline.scheduling.errors import StateUnavailableError

# How long executors need to be heard of again after nobody could be.
_GRACE_S = 30.0


def now_ms() -> int:
    """Returns the Unix time in milliseconds."""
    return int(time.time() * 1000)


class Dialect(Protocol):
    """What differs between the two databases."""

    engine: Engine
    offset_ms: int

    def prepare(self) -> None:
        """Makes the tables where there are none.

        Raises:
            LightlyPipelineError: They were written by a newer release.
        """
        ...

    def begin(self, connection: Connection, *, writes: bool) -> None:
        """Starts a transaction that sees one moment, or that alone may write meanwhile."""
        ...


class Database:
    """The state at an address; it is made when it is not there.

    Args:
        address: Where it is.

    Raises:
        LightlyPipelineError: It cannot be used.
        StateUnavailableError: It cannot be reached now.
    """

    def __init__(self, address: StateAddress) -> None:
        self.address = address
        self._lost_at: float | None = None
        self._dialect = _dialect(address)
        with self._explained():
            self._dialect.prepare()

    @property
    def was_out_of_reach(self) -> bool:
        """Whether this process could not reach it a moment ago, so that others may not, either."""
        return self._lost_at is not None and time.monotonic() - self._lost_at < _GRACE_S

    def now_ms(self) -> int:
        """Returns the Unix time in milliseconds, by the clock that all its users go by."""
        return now_ms() + self._dialect.offset_ms

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yields a connection that sees one moment.

        Raises:
            StateUnavailableError: It cannot be reached or read now.
        """
        with self._transaction(writes=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yields the one connection that may write meanwhile; an error undoes what it wrote.

        Raises:
            StateUnavailableError: It cannot be reached or written now, or was locked for too long.
        """
        with self._transaction(writes=True) as connection:
            yield connection

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        with self._explained(), self._dialect.engine.connect() as connection:
            self._dialect.begin(connection, writes=writes)
            yield connection
            connection.commit()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError, InternalError) as error:
            self._lost_at = time.monotonic()
            raise StateUnavailableError(
                f"the state in {self.address} cannot be read or written: {_reason(error)}"
            ) from error
        except DBAPIError as error:
            raise LightlyPipelineError(
                f"the state in {self.address} cannot be used: {_reason(error)}"
            ) from error


def _dialect(address: StateAddress) -> Dialect:
    if isinstance(address, StateFolder):
        from lightly_pipeline.scheduling.sqlite import SqliteFile

        return SqliteFile(address)
    from lightly_pipeline.scheduling.postgres import PostgresDatabase

    return PostgresDatabase(address)


def _reason(error: DBAPIError) -> str:
    """Returns what the driver says, in a line; the statement and its values stay out."""
    return " ".join(str(error.orig).split())
