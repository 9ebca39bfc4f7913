"""Keeps how much memory a run takes, by time, beside its log.

What the process and its children have resident; another run in the same process is in it, too.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

_INTERVAL_S = 10.0
_HEADER = "time\tseconds\tprocess_mb\tchildren_mb\tchildren"


class MemoryLog:
    """The memory of one run: a line every ten seconds, and at the ends of every step."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._lines = [_HEADER]

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Measures while the context lasts."""
        stop = threading.Event()
        thread = threading.Thread(target=self._sample_until, args=(stop,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def as_text(self) -> str:
        """Returns the lines: UTC time, seconds since the start, megabytes of 1e6 bytes, count."""
        return "\n".join(self._lines) + "\n"

    def _sample_until(self, stop: threading.Event) -> None:
        self._sample()
        while not stop.wait(_INTERVAL_S):
            self._sample()
        self._sample()

    def _sample(self) -> None:
        import psutil

        process = psutil.Process()
        children = []
        for child in process.children(recursive=True):
            try:
                children.append(child.memory_info().rss)
            except psutil.Error:
                # It has ended since it was listed.
                continue
        self._lines.append(
            f"{datetime.now(UTC).isoformat(timespec='seconds')}"
            f"\t{time.monotonic() - self._started:.1f}"
            f"\t{process.memory_info().rss / 1e6:.1f}\t{sum(children) / 1e6:.1f}\t{len(children)}"
        )
