"""Starts PostgreSQL in a folder of its own, on a free port, with a password."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_USER = "dagster"
# PostgreSQL refuses to run as root.
_SYSTEM_USERS = ("postgres", "nobody")
_STARTS_WITHIN_S = 60


def has_postgres() -> bool:
    """Whether PostgreSQL is installed (Debian: postgresql)."""
    return _program("initdb") is not None


class PostgresServer:
    """A cluster with the database `dagster`.

    Attributes:
        port: On 127.0.0.1; the same after each start.
        user: Who owns the database.
        password: Of that user.
        database: Its name.
        log: What the server prints.
    """

    def __init__(self, folder: Path, password: str) -> None:
        self.user = self.database = _USER
        self.password = password
        self.log = folder / "log"
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    @property
    def url(self) -> str:
        """For SQLAlchemy and libpq, with the password."""
        return f"postgresql://{self.user}:{self.password}@127.0.0.1:{self.port}/{self.database}"

    def start(self) -> None:
        """Starts the server and waits until it takes connections."""
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= "
            # The operating system outlives the test, so nothing needs to reach the disk.
            "-c fsync=off"
        )
        self._control("start", "-w", "-t", str(_STARTS_WITHIN_S), "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stops it.

        Args:
            mode: `fast` ends connections and closes cleanly; `immediate` is a crash.
        """
        self._control("stop", "-w", "-m", mode)

    def initialize(self) -> None:
        """Makes the cluster, starts it, makes the database."""
        password = self._folder / "password"
        password.touch(0o600)
        password.write_text(self.password)
        _own(password)
        _run(
            *(_program("initdb"), "-D", str(self._folder / "data"), "--no-sync"),
            *("-U", self.user, "--auth=scram-sha-256", "--pwfile", str(password)),
            *("--encoding=UTF8", "--locale=C"),
            folder=self._folder,
        )
        self.start()
        self.execute(f'CREATE DATABASE "{self.database}"', "postgres")

    def execute(self, statements: str, database: str = _USER) -> None:
        """Executes SQL."""
        _run(
            *(_program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1"),
            *("-h", "127.0.0.1", "-p", str(self.port), "-U", self.user),
            *("-d", database, "-c", statements),
            folder=self._folder,
            environment={"PGPASSWORD": self.password},
        )

    def _control(self, *arguments: str) -> None:
        data = str(self._folder / "data")
        _run(_program("pg_ctl"), "-D", data, "-l", str(self.log), *arguments, folder=self._folder)


@contextmanager
def postgres_server(password: str | None = None) -> Iterator[PostgresServer]:
    """Runs PostgreSQL and yields it; what it stored is gone afterwards.

    Args:
        password: Of its user; made up by default.
    """
    # Not in a folder of pytest's: the system user could not enter those of root.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    _own(folder)
    server = PostgresServer(folder, password or secrets.token_hex(16))
    try:
        server.initialize()
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.stop("immediate")
        shutil.rmtree(folder)


def _program(name: str) -> str | None:
    """Returns where a program of PostgreSQL lies; Debian keeps most of them out of PATH."""
    folders = [str(folder) for folder in Path("/usr/lib/postgresql").glob("*/bin")]
    return shutil.which(name, path=os.pathsep.join([*folders, os.environ.get("PATH", "")]))


def _run(*command: str | None, folder: Path, environment: dict[str, str] | None = None) -> None:
    """Runs a program of PostgreSQL, as another user where we are root."""
    with tempfile.TemporaryFile("w+") as output:
        # A file, since the server that pg_ctl leaves behind would keep a pipe open.
        done = subprocess.run(
            [str(part) for part in command],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdout=output,
            stderr=output,
            check=False,
            **_identity(),
        )
        if done.returncode:
            output.seek(0)
            raise RuntimeError(f"{command[0]} failed: {output.read()[-2000:]}")


def _identity() -> dict[str, Any]:
    """Returns as whom to run, as arguments of `subprocess`."""
    user = _system_user()
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _system_user() -> Any:
    import pwd

    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next(known[name] for name in _SYSTEM_USERS if name in known)


def _own(path: Path) -> None:
    user = _system_user()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)
