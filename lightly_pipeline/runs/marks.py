"""Marks of who is at work on a dataset: runs, any number at once, or one clean-up, never both.

Who begins leaves a mark and then looks for those of the others: a run waits for the end of a
clean-up, a clean-up refuses to begin while a run is on. A mark says now and then that its process
lives; one that was killed counts no more, at once on the same machine, after some minutes
elsewhere. A run needs no permission to delete: the mark of one that ended is empty.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lightly_pipeline.datasources import Datasource, StoredObject
from lightly_pipeline.errors import (
    DatasourceError,
    ObjectNotFoundError,
    PermissionDeniedError,
    RunInProgressError,
)
from lightly_pipeline.logs import logger_of
from lightly_pipeline.owner import is_dead, this_process
from lightly_pipeline.threads import repeated

_logger = logger_of(__name__)
MARKS_FOLDER = ".lightly/marks/"
RUN_MARKS, _CLEAN_MARKS = f"{MARKS_FOLDER}runs/", f"{MARKS_FOLDER}clean/"
BEAT_S = 120.0
"""How often a mark says that its process lives; one small object written each time."""
SILENT_S = 3 * BEAT_S
"""After how long a silent process of another machine counts as ended."""
_WAIT_S, _END_PATIENCE_S = 0.5, 2.0
Clock = Callable[[], float]


@contextmanager
def in_progress(store: Datasource, run_id: str) -> Iterator[None]:
    """Says that a run is on while the context lasts; waits first for a clean-up to end.

    Args:
        store: The LIGHTLY datasource.
        run_id: Id of the run; its attempts may be in several processes, one after the other.

    Raises:
        DatasourceError: The store failed.
    """
    mark = f"{RUN_MARKS}{run_id}"
    _beat(store, mark)
    try:
        with _beating(store, mark):
            _wait_for_clean_up(store, _clock(store, mark))
            yield
    finally:
        try:
            # Whoever interrupts a run whose store is down does not wait for this.
            store.patient(_END_PATIENCE_S).write(mark, b"")
        except (DatasourceError, OSError) as error:
            # It counts no more once this process has ended.
            _logger.debug("the mark of run %s is left: %s", run_id, error)


@contextmanager
def alone(store: Datasource) -> Iterator[float]:
    """Keeps runs from beginning while the context lasts.

    Yields:
        The time by the clock of the store, Unix time; by this machine's where it does not tell.

    Raises:
        RunInProgressError: Runs are on; names them.
        DatasourceError: The store failed.
    """
    mark = f"{_CLEAN_MARKS}{uuid.uuid4().hex}"
    _beat(store, mark)
    try:
        with _beating(store, mark):
            clock = _clock(store, mark)
            if runs := runs_in_progress(store, clock):
                raise RunInProgressError(store.describe(), runs)
            yield clock()
    finally:
        try:
            store.delete(mark)
        except PermissionDeniedError:
            # What could not be removed was said before; this one must not keep runs waiting.
            store.write(mark, b"")


def runs_in_progress(store: Datasource, clock: Clock = time.time) -> list[str]:
    """Returns the ids of the runs that are on, in byte order.

    Args:
        store: The LIGHTLY datasource.
        clock: Tells the store's time, by which it says when a mark was written.
    """
    return [
        item.path.removeprefix(RUN_MARKS)
        for item in store.list(RUN_MARKS)
        if _is_alive(store, item, clock)
    ]


def is_mark(path: str) -> bool:
    """Returns whether a path is that of a mark."""
    return any(
        path.startswith(folder) and "/" not in path.removeprefix(folder)
        for folder in (RUN_MARKS, _CLEAN_MARKS)
    )


def is_ended(mark: StoredObject) -> bool:
    """Returns whether a listed mark is that of a run that ended, and not by being killed."""
    return mark.size_bytes == 0


def _beat(store: Datasource, mark: str) -> None:
    document = {"owner": this_process(), "beat": time.time()}
    store.write(mark, json.dumps(document).encode())


@contextmanager
def _beating(store: Datasource, mark: str) -> Iterator[None]:
    def beat() -> None:
        try:
            _beat(store, mark)
        except (DatasourceError, OSError) as error:
            # The work itself will meet the store's trouble, and say so.
            _logger.debug("no beat for %s: %s", mark, error)

    with repeated(beat, every_s=BEAT_S):
        yield


def _clock(store: Datasource, mark: str) -> Clock:
    """Returns what tells the time by the clock of the store, from a mark written just now."""
    stored = store.stat(mark)
    now_s = time.time()
    ahead_s = stored.modified_s - now_s if stored and stored.modified_s is not None else 0.0
    return lambda: time.time() + ahead_s


def _wait_for_clean_up(store: Datasource, clock: Clock) -> None:
    is_told = False
    while any(_is_alive(store, item, clock) for item in store.list(_CLEAN_MARKS)):
        if not is_told:
            _logger.warning("%s is being cleaned up: waiting for the end", store.describe())
            is_told = True
        time.sleep(_WAIT_S)


def _is_alive(store: Datasource, mark: StoredObject, clock: Clock) -> bool:
    """Returns whether the process that left a mark is at work, as far as that can be told."""
    if is_ended(mark):
        return False
    try:
        document = json.loads(store.read(mark.path))
        owner, beat_s = str(document["owner"]), float(document["beat"])
    except ObjectNotFoundError:
        return False
    except (ValueError, KeyError, TypeError):
        # Cut: whoever it is, is alive until it has been silent.
        owner, beat_s = "", 0.0
    dead = is_dead(owner)
    if dead is not None:
        return not dead
    # Machines differ about the time; the store's word is one clock for all.
    last_s = beat_s if mark.modified_s is None else mark.modified_s
    return clock() - last_s <= SILENT_S
