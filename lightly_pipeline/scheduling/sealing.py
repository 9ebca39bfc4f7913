"""Secrets of datasources in a database: sealed with a key that the database never sees.

The key is in the environment of clients and workers. Whoever reads the database, its backups or
the network has nothing; without a key no secret is taken, for there is nowhere to keep it.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select

from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.extras import package
from lightly_pipeline.scheduling.database import Database
from lightly_pipeline.scheduling.schema import credentials

KEY_VARIABLE = "LIGHTLY_PIPELINE_STATE_KEY"


class SealedCredentials:
    """A sealed row per datasource.

    Several keys may be given, with commas between: the first seals, all of them open, so that a key
    can be changed without a moment at which a worker cannot read.

    Args:
        database: Where the rows are; a server's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, datasource_id: str, secrets: Mapping[str, str]) -> None:
        """Writes a sealed row.

        Raises:
            InvalidConfigurationError: There is no key to seal with.
        """
        if not secrets:
            return
        keys = _keys()
        if keys is None:
            raise InvalidConfigurationError(
                f"keys of a datasource are kept in {self._database.address} only sealed: set "
                f"{KEY_VARIABLE} for the clients and workers (a key is made by `openssl rand "
                "-base64 32`), or leave them out, and whoever executes the run uses its own "
                "environment, profile or role"
            )
        text = json.dumps({"datasource": datasource_id, "secrets": dict(secrets)})
        sealed = keys.encrypt(text.encode()).decode()
        with self._database.writing() as connection:
            connection.execute(
                credentials.insert().values(datasource_id=datasource_id, sealed=sealed)
            )

    def load(self, datasource_id: str) -> dict[str, str]:
        """Opens the row.

        Raises:
            InvalidConfigurationError: There is no key, or it is another one than it was sealed
                with.
        """
        with self._database.reading() as connection:
            sealed = connection.scalar(
                select(credentials.c.sealed).where(credentials.c.datasource_id == datasource_id)
            )
        if sealed is None:
            return {}
        keys = _keys()
        if keys is None:
            raise InvalidConfigurationError(
                f"the datasource's keys in {self._database.address} are sealed: set "
                f"{KEY_VARIABLE} to the key that its client had"
            )
        try:
            opened = json.loads(keys.decrypt(sealed))
        except package("cryptography.fernet", "postgres").InvalidToken:
            opened = {}
        if opened.get("datasource") != datasource_id:
            raise InvalidConfigurationError(
                f"{KEY_VARIABLE} does not open the datasource's keys in {self._database.address}: "
                "set the key that its client had, or set the credentials anew"
            )
        secrets: dict[str, str] = opened["secrets"]
        return secrets

    def remove(self, datasource_id: str) -> None:
        """Removes the row."""
        with self._database.writing() as connection:
            connection.execute(
                delete(credentials).where(credentials.c.datasource_id == datasource_id)
            )


def _keys() -> Any:
    """Returns what seals and opens, or None where no key is given."""
    given = [key.strip() for key in os.environ.get(KEY_VARIABLE, "").split(",") if key.strip()]
    if not given:
        return None
    fernet = package("cryptography.fernet", "postgres")
    try:
        # `openssl rand -base64` writes + and / where this library wants - and _.
        return fernet.MultiFernet(
            [fernet.Fernet(key.replace("+", "-").replace("/", "_")) for key in given]
        )
    except ValueError:
        raise InvalidConfigurationError(
            f"{KEY_VARIABLE} holds no key: it is 32 random bytes in base64, as "
            "`openssl rand -base64 32` makes them"
        ) from None
