"""Secrets that a client was given: kept apart from all else, never in clear in a database.

Beside a state folder there is one file per datasource, readable by its owner alone. On a server
they are sealed with a key that only clients and workers have (`sealing.py`). They are kept nowhere
else: not in Dagster's storage, not in messages. Whoever can use the environment, a profile or a
role should give none.
"""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from lightly_pipeline.errors import InvalidConfigurationError

_FOLDER = "credentials"


class Credentials(Protocol):
    """Where the secrets of datasources are kept."""

    def save(self, datasource_id: str, secrets: Mapping[str, str]) -> None:
        """Keeps the secrets of a new datasource; nothing is kept when there are none."""
        ...

    def load(self, datasource_id: str) -> dict[str, str]:
        """Returns the secrets of a datasource, empty when it was given none.

        Raises:
            InvalidConfigurationError: This process cannot read them; says what to do.
        """
        ...

    def remove(self, datasource_id: str) -> None:
        """Removes the secrets of a datasource, if there are any."""
        ...


class CredentialFiles:
    """A file per datasource in a state folder.

    Args:
        home: The state folder.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / _FOLDER

    def save(self, datasource_id: str, secrets: Mapping[str, str]) -> None:
        """Writes a file of mode 0600."""
        if not secrets:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._file(datasource_id), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(dict(secrets), file)
            file.flush()
            os.fsync(file.fileno())

    def load(self, datasource_id: str) -> dict[str, str]:
        """Reads the file.

        Raises:
            InvalidConfigurationError: Others may read it, or this user may not.
        """
        path = self._file(datasource_id)
        try:
            with path.open() as file:
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    raise InvalidConfigurationError(
                        f"{path} can be read by others than its owner: chmod 600 it, or set the "
                        "datasource's credentials anew"
                    )
                secrets: dict[str, str] = json.load(file)
        except FileNotFoundError:
            return {}
        except PermissionError:
            raise InvalidConfigurationError(
                f"{path} belongs to another user: run the worker as the user who set the "
                "credentials, or give it its own by the environment, a profile or a role"
            ) from None
        return secrets

    def remove(self, datasource_id: str) -> None:
        """Removes the file."""
        self._file(datasource_id).unlink(missing_ok=True)

    def _file(self, datasource_id: str) -> Path:
        return self._folder / f"{datasource_id}.json"
