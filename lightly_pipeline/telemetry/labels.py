"""For whom a thread works: dataset, run and step, for every line and figure that it gives away."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_LABELS: ContextVar[Mapping[str, str]] = ContextVar("labels", default={})  # noqa: B039  replaced


@contextmanager
def labelled(**more: str) -> Iterator[None]:
    """Adds labels while the context lasts, also for jobs that are given to a `ContextThreadPool`.

    Args:
        more: Among `dataset`, `run` and `step`.
    """
    token = _LABELS.set({**_LABELS.get(), **more})
    try:
        yield
    finally:
        _LABELS.reset(token)


def labels() -> Mapping[str, str]:
    """Returns the labels of this thread's work."""
    return _LABELS.get()
