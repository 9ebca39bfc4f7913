"""Keeps the log of a run beside its manifest, and its memory log (`memory.py`).

Collects what the package logs on behalf of the run, in its own thread and in those of its thread
pools (`threads.py`). How the log is shown meanwhile is the caller's business.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import DatasourceError
from lightly_pipeline.layout import run_path
from lightly_pipeline.runs.memory import MemoryLog

_PACKAGE = "lightly_pipeline"
_FORMAT = "%(asctime)s %(levelname)s %(message)s"


_COLLECTING: ContextVar["_LineHandler | None"] = ContextVar("collecting", default=None)


class RunLog:
    """The log of one run; written when the run ends, well or not."""

    def __init__(self, store: Datasource, run_id: str) -> None:
        self._store, self._run_id = store, run_id
        self._handler = _LineHandler()
        self._memory = MemoryLog()

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Collects what the package logs in the context; an error in it is logged and stored."""
        with self._memory.sampling(), self._collecting_lines():
            yield

    @contextmanager
    def _collecting_lines(self) -> Iterator[None]:
        logger = logging.getLogger(_PACKAGE)
        level = logger.level
        token = _COLLECTING.set(self._handler)
        logger.addHandler(self._handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        except Exception as error:
            logger.error("%s: %s", type(error).__name__, error)
            self._write_after(error)
            raise
        except BaseException as error:
            logger.info("interrupted: run again to go on where it stopped")
            self._write_after(error)
            raise
        finally:
            logger.removeHandler(self._handler)
            logger.setLevel(level)
            _COLLECTING.reset(token)

    def write(self) -> None:
        """Stores what was collected as the run's log.txt and memlog.txt."""
        content = ("\n".join(self._handler.lines) + "\n").encode(errors="backslashreplace")
        self._store.write(run_path(self._run_id, "log.txt"), content)
        self._store.write(run_path(self._run_id, "memlog.txt"), self._memory.as_text().encode())

    def _write_after(self, error: BaseException) -> None:
        try:
            self.write()
        except DatasourceError as second:
            # The failure being logged matters more than the log that could not be kept.
            error.add_note(f"the run's log could not be stored: {second}")


class _LineHandler(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter(_FORMAT))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # Another run in this process logs through the same logger.
        if _COLLECTING.get() is not self:
            return
        self.lines.append(self.format(record))
