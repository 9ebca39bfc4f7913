"""How long steps take, for who reads of a run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Notes the wall time of the context under the step's name, if it ends well."""
    started = time.monotonic()
    yield
    seconds[step] = round(time.monotonic() - started, 3)
