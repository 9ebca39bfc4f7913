"""Tries what a run needs of a datasource: before any work is spent, and when there is trouble.

One probe per permission and one message that names what is missing.
"""

from collections.abc import Callable
from typing import TypeVar

from lightly_pipeline.datasources.protocol import Datasource
from lightly_pipeline.errors import ArchivedObjectError, DatasourceError, ObjectNotFoundError

# One fixed name, overwritten each time: no delete permission is needed.
PROBE_PATH = ".lightly/access-check"
_PROBE = b"written by lightly_pipeline to see whether it may\n"

_PROBE_PATIENCE_S = 10.0

_Answer = TypeVar("_Answer")


def verify_access(datasource: Datasource, *, writable: bool) -> None:
    """Checks that objects can be listed, and for LIGHTLY written and read back.

    Args:
        datasource: The datasource.
        writable: Whether it is one that is written to.

    Raises:
        DatasourceError: Says which of it is not allowed, and where.
    """
    if writable:
        _try(datasource, "write", datasource.prepare_writing)
        _try(datasource, "write", lambda: datasource.write(PROBE_PATH, _PROBE))
        _try(datasource, "read", lambda: datasource.read(PROBE_PATH))
    first = _try(datasource, "list", lambda: next(datasource.list(), None))
    if not writable and first is not None:
        _try(datasource, "read", lambda: _read_start(datasource, first.path))


def _read_start(datasource: Datasource, path: str) -> None:
    try:
        datasource.open(path).close()
    except (ArchivedObjectError, ObjectNotFoundError):
        # One may look, but this object is archived, or was removed just now: others are there.
        return


def still_answers(datasource: Datasource, *, writable: bool, patience_s: float) -> bool:
    """Returns whether the store as a whole works, after one object of it gave trouble.

    Args:
        datasource: The datasource.
        writable: Whether it is one that is written to.
        patience_s: How long its requests are tried again, in seconds.
    """
    # It was waited for already.
    datasource = datasource.patient(min(patience_s, _PROBE_PATIENCE_S))
    try:
        next(datasource.list(), None)
        if writable:
            datasource.write(PROBE_PATH, _PROBE)
    except (DatasourceError, OSError):
        return False
    return True


def _try(datasource: Datasource, verb: str, probe: Callable[[], _Answer]) -> _Answer:
    try:
        return probe()
    except (DatasourceError, OSError) as error:
        raise DatasourceError(
            f"cannot {verb} objects in {datasource.describe()}: {error}"
        ) from error
