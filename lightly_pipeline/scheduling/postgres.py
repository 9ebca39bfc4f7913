"""The state in a schema of a PostgreSQL database, which may be Dagster's own.

What a server needs beside the common tables: a schema, so that nobody's tables meet ours; time
limits, so that a machine that stalls in a transaction holds up nobody for long. The driver is the
one that Dagster's own storage uses. It takes from libpq's environment and files what the URL leaves
out: PGPASSWORD, PGPASSFILE or ~/.pgpass, PGSSLMODE, PGSSLROOTCERT and the others.
"""

import time
from typing import Any

from sqlalchemy import URL, Connection, MetaData, create_engine, func, inspect, make_url, select
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateSchema

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.extras import package
from lightly_pipeline.scheduling.address import StateServer
from lightly_pipeline.scheduling.schema import VERSION, server_tables, state, tables

SCHEMA = "lightly_pipeline"
_BUSY_MS = 30_000
# Held while the tables are made; any number does that nobody else uses in the database.
_MAKING = 0x6C707374
_CLOCK = func.extract("epoch", func.clock_timestamp())
# A server that does not answer is given up; the URL may say otherwise.
_CONNECT = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "fallback_application_name": "lightly-pipeline",
}


class PostgresDatabase:
    """A database of a server; the schema and its tables are made when they are not there.

    Args:
        address: The database.

    Raises:
        MissingExtraError: The driver is not installed.
    """

    def __init__(self, address: StateServer) -> None:
        package("psycopg2", "postgres")
        self._address = address
        self.offset_ms = 0
        """How far the server's clock is ahead of this machine's: all go by the server's."""
        self.engine = create_engine(
            _url(address),
            # As Dagster's own: hundreds of workers would otherwise hold a connection each.
            poolclass=NullPool,
            hide_parameters=True,
            execution_options={"schema_translate_map": {None: SCHEMA}},
        )

    def prepare(self) -> None:
        """Makes the schema and the tables.

        Raises:
            LightlyPipelineError: A newer release wrote them.
        """
        with self.engine.begin() as connection:
            if not inspect(connection).has_table(state.name, schema=SCHEMA):
                self._make(connection)
            version = connection.scalar(select(state.c.version)) or 0
            self._compare_clocks(connection.scalar(select(_CLOCK)))
        if version > VERSION:
            raise LightlyPipelineError(
                f"the state in {self._address} was written by a newer release of this package: "
                "upgrade this one"
            )

    def begin(self, connection: Connection, *, writes: bool) -> None:
        """Starts a transaction; writers wait for each other."""
        if not writes:
            connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            return
        limit = str(_BUSY_MS)
        clock = connection.scalar(
            select(
                _CLOCK,
                func.set_config("lock_timeout", limit, True),
                func.set_config("statement_timeout", limit, True),
                func.set_config("idle_in_transaction_session_timeout", limit, True),
            )
        )
        self._compare_clocks(clock)
        connection.execute(select(state.c.version).with_for_update())

    def _compare_clocks(self, server_s: Any) -> None:
        self.offset_ms = int((float(server_s) - time.time()) * 1000)

    def _make(self, connection: Connection) -> None:
        connection.execute(select(func.pg_advisory_xact_lock(_MAKING)))
        if not inspect(connection).has_schema(SCHEMA):
            connection.execute(CreateSchema(SCHEMA))
        for part in (tables, server_tables):
            _create_all(part, connection)
        if connection.scalar(select(func.count()).select_from(state)) == 0:
            connection.execute(state.insert().values(version=VERSION))


def _create_all(part: MetaData, connection: Connection) -> None:
    # Looks for the tables anew: another process may have made them since.
    part.create_all(connection, checkfirst=True)


def _url(address: StateServer) -> URL:
    url = make_url(address.url.replace("postgres://", "postgresql://", 1))
    missing = {key: value for key, value in _CONNECT.items() if key not in url.query}
    return url.set(drivername="postgresql+psycopg2").update_query_dict(missing)
