"""Keeps how much memory a run takes, by time, beside its log.

What the process and its children have resident; another run in the same process is in it, too.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from lightly_pipeline.threads import repeated

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
        with repeated(self._sample, every_s=_INTERVAL_S, at_ends=True):
            yield

    def as_text(self) -> str:
        """Returns the lines: UTC time, seconds since the start, megabytes of 1e6 bytes, count."""
        return "\n".join(self._lines) + "\n"

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
