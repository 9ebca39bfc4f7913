"""Counts the requests that a store was asked again, for the work that they belong to.

Whoever wants to know opens a count around the work; `patience.py` adds to all that are open.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from lightly_pipeline.telemetry import metrics

_OPEN: ContextVar[tuple["Retries", ...]] = ContextVar("retries", default=())


class Retries:
    """How often requests were asked again, and why; added to by any thread."""

    def __init__(self) -> None:
        self._causes: Counter[str] = Counter()
        self._waited_s = 0.0
        self._lock = threading.Lock()

    @property
    def causes(self) -> dict[str, int]:
        """How many by cause, the most frequent first."""
        with self._lock:
            return dict(self._causes.most_common())

    @property
    def waited_s(self) -> float:
        """How long threads have waited before they asked again, together."""
        return round(self._waited_s, 3)

    def add(self, cause: str, waited_s: float) -> None:
        """Adds one."""
        with self._lock:
            self._causes[cause] += 1
            self._waited_s += waited_s


@contextmanager
def counting_retries(retries: Retries | None = None) -> Iterator[Retries]:
    """Counts the retries of the context, also those of its jobs in a `ContextThreadPool`.

    Args:
        retries: A count that goes on; a new one by default.
    """
    retries = retries or Retries()
    token = _OPEN.set((*_OPEN.get(), retries))
    try:
        yield retries
    finally:
        _OPEN.reset(token)


def note_retry(reason: str, waited_s: float) -> None:
    """Counts a request that is asked again.

    Args:
        reason: In words, the kind before a colon; figures are kept by kind.
        waited_s: Time that is waited before.
    """
    cause = reason.partition(":")[0]
    for retries in _OPEN.get():
        retries.add(cause, waited_s)
    metrics.count("retries", 1, cause=cause)
    metrics.count("retry.wait", waited_s, cause=cause)


def described_retries(causes: dict[str, int], waited_s: float) -> str:
    """Returns retries in words; empty where there were none."""
    if not causes:
        return ""
    listed = ", ".join(f"{cause} {count}" for cause, count in causes.items())
    return f"{sum(causes.values())} requests repeated ({listed}), {waited_s:.1f} s waited"
