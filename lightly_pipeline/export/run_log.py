"""Keeps the log of a run beside its manifest.

Collects what the package logs while a run is on; how it is shown meanwhile is the caller's
business.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import DatasourceError
from lightly_pipeline.export.records import run_path

_PACKAGE = "lightly_pipeline"
_FORMAT = "%(asctime)s %(levelname)s %(message)s"


class _LineHandler(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter(_FORMAT))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def run_log(store: Datasource, run_id: str) -> Iterator[None]:
    """Stores everything the package logs in the context as the run's log.txt, also on errors."""
    logger = logging.getLogger(_PACKAGE)
    handler = _LineHandler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    except BaseException as error:
        logger.error("%s: %s", type(error).__name__, error)
        _write(store, run_id, handler.lines, error)
        raise
    else:
        _write(store, run_id, handler.lines, None)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _write(store: Datasource, run_id: str, lines: list[str], cause: BaseException | None) -> None:
    content = ("\n".join(lines) + "\n").encode(errors="backslashreplace")
    try:
        store.write(run_path(run_id, "log.txt"), content)
    except DatasourceError:
        # The failure being logged matters more than the log that could not be kept.
        if cause is None:
            raise
