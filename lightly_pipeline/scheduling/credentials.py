"""Secrets that a client was given: one file per datasource, readable by its owner alone.

They are kept nowhere else: not in the state database, not in Dagster's, not in messages. Whoever
can use the environment, a profile or a role should give none.
"""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from lightly_pipeline.errors import InvalidConfigurationError

_FOLDER = "credentials"


def save_credentials(home: Path, datasource_id: str, secrets: Mapping[str, str]) -> None:
    """Writes the secrets of a new datasource; nothing is written when there are none."""
    if not secrets:
        return
    folder = home / _FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(
        folder / f"{datasource_id}.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600
    )
    with os.fdopen(descriptor, "w") as file:
        json.dump(dict(secrets), file)
        file.flush()
        os.fsync(file.fileno())


def load_credentials(home: Path, datasource_id: str) -> dict[str, str]:
    """Returns the secrets of a datasource, empty when it was given none.

    Raises:
        InvalidConfigurationError: Others may read them, or this user may not.
    """
    path = home / _FOLDER / f"{datasource_id}.json"
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
            f"{path} belongs to another user: run the worker as the user who set the credentials, "
            "or give it its own by the environment, a profile or a role"
        ) from None
    return secrets


def remove_credentials(home: Path, datasource_id: str) -> None:
    """Removes the secrets of a datasource, if there are any."""
    (home / _FOLDER / f"{datasource_id}.json").unlink(missing_ok=True)
