"""The state as one SQLite file in a folder: what that needs beside the common tables."""

import os

from sqlalchemy import URL, Connection, create_engine
from sqlalchemy.pool import NullPool

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.scheduling.address import HOME_VARIABLE, STATE_VARIABLE, StateFolder
from lightly_pipeline.scheduling.schema import VERSION, tables

_BUSY_S = 30.0


class SqliteFile:
    """The file; it and its folder are made when they are not there.

    Args:
        address: The folder.
    """

    def __init__(self, address: StateFolder) -> None:
        self._address = address
        self.offset_ms = 0
        self.engine = create_engine(
            URL.create("sqlite", database=str(address.file)),
            poolclass=NullPool,
            # Transactions are begun by hand: the driver would begin them too late.
            connect_args={"timeout": _BUSY_S, "isolation_level": None},
            hide_parameters=True,
        )

    def prepare(self) -> None:
        """Makes the tables; of an earlier release's file those that it has not yet.

        Raises:
            LightlyPipelineError: A newer release wrote it, or the folder cannot be used.
        """
        self._make_file()
        with self.engine.connect() as connection:
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if version > VERSION:
                raise LightlyPipelineError(
                    f"{self._address.file} was written by a newer release of this package: "
                    "upgrade this one"
                )
            if version == VERSION:
                return
            self.begin(connection, writes=True)
            tables.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
            connection.commit()

    def begin(self, connection: Connection, *, writes: bool) -> None:
        """Starts a transaction."""
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    def _make_file(self) -> None:
        try:
            self._address.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._address.file, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise LightlyPipelineError(
                f"the state folder {self._address} cannot be used ({error}); name another one in "
                f"{HOME_VARIABLE}, or a PostgreSQL server in {STATE_VARIABLE}"
            ) from error
