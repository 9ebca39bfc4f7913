"""Starts Redis in a folder of its own, on a free port, with a password."""

import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STARTS_WITHIN_S = 60


def has_redis() -> bool:
    """Whether Redis is installed (Debian: redis-server)."""
    return shutil.which("redis-server") is not None


class RedisServer:
    """A server that keeps what it was told in an append-only file.

    Attributes:
        port: On 127.0.0.1; the same after each start.
        password: That clients need.
    """

    def __init__(self, folder: Path, password: str) -> None:
        self.password = password
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    @property
    def url(self) -> str:
        """For clients, with the password."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Starts the server and waits until it takes connections."""
        settings = self._folder / "redis.conf"
        settings.touch(0o600)
        settings.write_text(
            f"bind 127.0.0.1\nport {self.port}\ndir {self._folder}\nrequirepass {self.password}\n"
            'appendonly yes\nsave ""\n'
        )
        with (self._folder / "redis.log").open("a") as log:
            self._process = subprocess.Popen(
                ["redis-server", str(settings)], stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _STARTS_WITHIN_S
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "redis.log").read_text()[-2000:]
            assert time.monotonic() < deadline, f"Redis did not start in {_STARTS_WITHIN_S} s"
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends it cleanly."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it as a crash does."""
        self._end(signal.SIGKILL)

    def forget(self) -> None:
        """Removes what a stopped server has kept: it comes back empty."""
        assert self._process is None, "stop the server first"
        shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)
        (self._folder / "appendonly.aof").unlink(missing_ok=True)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_STARTS_WITHIN_S)
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(f"AUTH {self.password}\r\n".encode())
                connection.recv(1000)
                connection.sendall(b"PING\r\n")
                # While it reads its file it answers that it is loading.
                return connection.recv(1000) == b"+PONG\r\n"
        except OSError:
            return False


@contextmanager
def redis_server(folder: Path, password: str | None = None) -> Iterator[RedisServer]:
    """Runs Redis with its files in a folder and yields it.

    Args:
        folder: An empty one; made if it is missing.
        password: That clients need; made up by default.
    """
    folder.mkdir(parents=True, exist_ok=True)
    server = RedisServer(folder, password or secrets.token_hex(16))
    server.start()
    try:
        yield server
    finally:
        server.kill()
