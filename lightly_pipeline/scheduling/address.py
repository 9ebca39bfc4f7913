"""Where a deployment's state is: a folder of this machine, or a PostgreSQL server.

Values, read from the environment. What is kept there, and how, is `database.py`.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lightly_pipeline.errors import InvalidConfigurationError

HOME_VARIABLE = "LIGHTLY_PIPELINE_HOME"
STATE_VARIABLE = "LIGHTLY_PIPELINE_STATE"
_FILE = "state.sqlite"
_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg2")


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The state in a folder: one SQLite file and the credentials.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return self.path / _FILE

    @property
    def setting(self) -> str:
        """What to set for another process, so that it means the same state."""
        return f"{HOME_VARIABLE}={self.path}"

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class StateServer:
    """The state in a database of a PostgreSQL server.

    Attributes:
        url: As it was given; it may hold a password, so it is shown nowhere.

    Raises:
        InvalidConfigurationError: It is no such URL; the message does not repeat it.
    """

    url: str = field(repr=False)

    def __post_init__(self) -> None:
        problem = _problem(self.url)
        if problem:
            raise InvalidConfigurationError(
                f"{STATE_VARIABLE}: {problem}; write postgresql://user@host:5432/database, or "
                f"name a folder in {HOME_VARIABLE} instead"
            )

    @property
    def setting(self) -> str:
        """What to set for another process, without the password."""
        return f"{STATE_VARIABLE}={self}"

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        user, at, place = parts.netloc.rpartition("@")
        return f"postgresql://{user.partition(':')[0]}{at}{place}{parts.path}"


StateAddress = StateFolder | StateServer


def state_address() -> StateAddress:
    """Returns where the deployment's state is, from the environment.

    The server that LIGHTLY_PIPELINE_STATE names; else the folder that LIGHTLY_PIPELINE_HOME names;
    else one beside Dagster's instance, if there is a DAGSTER_HOME; else `~/.lightly_pipeline`.

    Raises:
        InvalidConfigurationError: LIGHTLY_PIPELINE_STATE is no URL of a PostgreSQL server.
    """
    if url := os.environ.get(STATE_VARIABLE):
        return StateServer(url)
    if home := os.environ.get(HOME_VARIABLE):
        return StateFolder(Path(home).expanduser().resolve())
    if dagster_home := os.environ.get("DAGSTER_HOME"):
        return StateFolder(Path(dagster_home).expanduser().resolve() / "lightly_pipeline")
    return StateFolder(Path.home() / ".lightly_pipeline")


def _problem(url: str) -> str | None:
    """Returns what is wrong with a URL, without repeating any of it."""
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        # Its message shows what stands where the port should.
        return "what stands behind the host is no port (write %40 for an @ in a password, ...)"
    if parts.scheme not in _SCHEMES:
        return "it is no URL of a PostgreSQL server"
    if parts.netloc.count("@") > 1 or "@" in parts.path or parts.fragment or not has_port:
        return "a user and password are written with %40 for @, %2F for /, %23 for #, %3F for ?"
    if not unquote(parts.path.strip("/")):
        return "it names no database"
    return None
