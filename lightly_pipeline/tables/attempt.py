"""The marker of an attempt at a video: tells one that died from one that is still on.

Written before decoding, overwritten after a failure, void once there is an outcome. It names the
process that made it and says now and then that it lives, so that two runs on one dataset do not
take each other for crashes, and a process that was killed is noticed: at once on the same machine,
after some minutes from another one, and the second time in any case.
"""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from lightly_pipeline.datasources import Datasource, read_document
from lightly_pipeline.errors import DamagedDocumentError, DatasourceError, ObjectNotFoundError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.owner import is_dead, this_process
from lightly_pipeline.threads import repeated

_logger = logger_of(__name__)
ATTEMPT_FILE = "attempt.json"
BEAT_S = 120.0
"""How often a long attempt says that it lives; one more small object written each time."""
_SILENT_S = 3 * BEAT_S


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the marker says.

    Attributes:
        fingerprint: Of the version that is attempted.
        running: False once it ended without an outcome, but alive.
        failure: What a store refused, for a selection that is to go on without the video.
        owner: The process; empty in markers of earlier releases.
        beat: When it said last that it lives, seconds since 1970.
        is_second: Whether it took over from one whose end nobody has seen.
        isolated: Whether an earlier attempt died, so this one belongs into a child process.
        segments: Those that were being decoded when this was written; none in a pass over a whole
            video.
        suspects: Those that were when the attempt before died.
    """

    fingerprint: str
    running: bool
    failure: str | None = None
    owner: str = ""
    beat: float = 0.0
    is_second: bool = False
    isolated: bool = False
    segments: Sequence[int] = ()
    suspects: Sequence[int] = ()

    def goes_on(self) -> bool:
        """Returns whether the next attempt may go on in its own process, after this one died.

        A decoder that crashes does so in the same segment again; a run that was killed has done
        that one by the time it is killed again.
        """
        return bool(self.segments) and not set(self.segments) & set(self.suspects)

    def died(self, now: float) -> bool:
        """Returns whether the process ended in the attempt, as far as that can be told."""
        if not self.running:
            return False
        dead = is_dead(self.owner)
        # One that nobody sees may be alive elsewhere, but not twice in a row.
        return dead if dead is not None else self.is_second or now - self.beat > _SILENT_S


def begin_attempt(store: Datasource, folder: str, fingerprint: str) -> Attempt:
    """Leaves the marker of an attempt and returns it."""
    now, earlier = time.time(), _read(store, folder, fingerprint)
    died = earlier is not None and earlier.died(now)
    unseen = earlier is not None and earlier.running and is_dead(earlier.owner) is None
    attempt = Attempt(
        fingerprint,
        True,
        None,
        this_process(),
        now,
        is_second=died or unseen,
        isolated=earlier is not None and died and not earlier.goes_on(),
        suspects=earlier.segments if earlier is not None and (died or unseen) else (),
    )
    _write(store, folder, attempt)
    return attempt


class LiveAttempt:
    """The marker of an attempt that goes on, rewritten by its threads."""

    def __init__(self, store: Datasource, folder: str, attempt: Attempt) -> None:
        self._store, self._folder, self._attempt = store, folder, attempt
        self._segments: set[int] = set()
        self._lock = threading.Lock()

    def beat(self) -> None:
        """Says that the attempt goes on, and what is being decoded."""
        with self._lock:
            self._write()

    @contextmanager
    def decoding(self, segment: int) -> Iterator[None]:
        """Says that a segment is being decoded while the context lasts."""
        with self._lock:
            self._segments.add(segment)
            self._write()
        try:
            yield
        finally:
            with self._lock:
                self._segments.discard(segment)

    def _write(self) -> None:
        now = replace(self._attempt, beat=time.time(), segments=sorted(self._segments))
        _write(self._store, self._folder, now)


@contextmanager
def beating(store: Datasource, folder: str, attempt: Attempt) -> Iterator[LiveAttempt]:
    """Says now and then, while the context lasts, that the attempt goes on."""
    live = LiveAttempt(store, folder, attempt)

    def beat() -> None:
        try:
            live.beat()
        except (DatasourceError, OSError) as error:
            # The work itself will meet the store's trouble, and say so.
            _logger.debug("no beat for %s: %s", folder, error)

    with repeated(beat, every_s=BEAT_S):
        yield live


def end_attempt(
    store: Datasource, folder: str, fingerprint: str, *, failure: str | None = None
) -> None:
    """Says that an attempt ended without an outcome but alive, so the next one is made as usual.

    The marker is overwritten rather than deleted: LIGHTLY credentials need no delete permission.

    Args:
        store: The LIGHTLY datasource.
        folder: The table's folder.
        fingerprint: Of the version that was attempted.
        failure: What a store refused.
    """
    _write(store, folder, Attempt(fingerprint, False, failure))


def read_failure(store: Datasource, folder: str, fingerprint: str) -> str | None:
    """Returns why the last attempt at `fingerprint` failed, or None when none did."""
    attempt = _read(store, folder, fingerprint)
    return attempt.failure if attempt else None


def _read(store: Datasource, folder: str, fingerprint: str) -> Attempt | None:
    """Returns the marker of an attempt at this version; None without one, or a readable one."""

    def parsed(document: dict[str, Any]) -> Attempt:
        return Attempt(**document)

    try:
        attempt = read_document(store, f"{folder}/{ATTEMPT_FILE}", parsed, "an attempt marker")
    except (ObjectNotFoundError, DamagedDocumentError):
        return None
    return attempt if attempt.fingerprint == fingerprint else None


def _write(store: Datasource, folder: str, attempt: Attempt) -> None:
    store.write(f"{folder}/{ATTEMPT_FILE}", json.dumps(asdict(attempt), indent=1).encode())
