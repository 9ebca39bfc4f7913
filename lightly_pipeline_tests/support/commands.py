"""The command line as a process of its own, which can be killed, interrupted and bounded."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import pytest

from lightly_pipeline_tests.support.faults import FaultyStore, faulty
from lightly_pipeline_tests.support.s3_servers import ACCESS_KEY, SECRET_KEY, emptied_bucket

WAIT_S = 120
SOON_S = 40
"""Less than a store that hangs or fails is waited for; how fast a machine is decides nothing."""


class Command:
    """A command that runs in a process group of its own, as in a terminal."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.errors = ""

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def until(self, condition: Callable[[], object]) -> None:
        """Waits until something holds, while the command runs."""
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert self.is_running, f"it ended before, with {self.ended()}: {self.errors}"
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def children(self) -> list[psutil.Process]:
        """Returns the processes that it has started."""
        return psutil.Process(self.pid).children(recursive=True)

    def signal(self, number: int, *, group: bool = False) -> None:
        """Sends a signal to it, or to its group, as a terminal does."""
        (os.killpg if group else os.kill)(self.pid, number)

    def ended(self, within_s: float = WAIT_S) -> int:
        """Waits for its end and returns the exit code; what it said is in `errors` then."""
        _, self.errors = self._process.communicate(timeout=within_s)
        return self._process.returncode


@contextmanager
def command(
    *arguments: str, environment: Mapping[str, str] | None = None, bounds: str = ""
) -> Iterator[Command]:
    """Runs a command while the context lasts; it is killed in the end if it must be.

    Args:
        arguments: Of `lightly-pipeline`.
        environment: Besides this process'.
        bounds: Statements of Python that are run before it, such as limits.
    """
    words = [sys.executable, "-m", "lightly_pipeline", *arguments]
    if bounds:
        begin = f"import sys; {bounds}; from lightly_pipeline.cli import main; sys.exit(main())"
        words = [sys.executable, "-c", begin, *arguments]
    process = subprocess.Popen(
        words,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Command(process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def all_gone(processes: list[psutil.Process]) -> bool:
    """Returns whether processes end soon, and leave no zombie."""
    _, alive = psutil.wait_procs(processes, timeout=SOON_S)
    return not alive


@contextmanager
def proxied_bucket(endpoint: str, name: str) -> Iterator[tuple[FaultyStore, Any]]:
    """Yields a proxy that commands reach by their environment, and an empty bucket behind it."""
    with pytest.MonkeyPatch.context() as patch, faulty(endpoint) as store:
        patch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL_S3", store.url)
        yield store, emptied_bucket(endpoint, name)
