"""Reads one object in ranges, as a file: nothing is downloaded that is not asked for.

Every request carries the version, every answer is checked for its version, range and length
(`answers.py`). Which ranges are asked for is decided in `windows.py`, what is noted of them in
`second_look.py`; how a store is asked, and again, is known to `bucket.py`.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from lightly_pipeline.datasources.answers import (
    CutBodyError,
    Described,
    NoSuchRangeError,
    RangeAnswer,
    WrongAnswerError,
    check_range,
    plain_etag,
)
from lightly_pipeline.datasources.positions import PositionedReader
from lightly_pipeline.datasources.protocol import ByteRange, Traffic
from lightly_pipeline.datasources.second_look import Comparison, EtagHabit, ReadingNotes
from lightly_pipeline.datasources.windows import MAX_REQUEST_BYTES, Segment, Window, WindowPlan
from lightly_pipeline.errors import ObjectChangedError

MAX_HELD_BYTES = 32 * 1024 * 1024
"""Held in memory by one reader, what is just arriving included."""


def _once(call: Callable[[], Any]) -> Any:
    return call()


def _nothing() -> Described:
    return Described(0, "")


class RangeReader(PositionedReader):
    """A seekable reader over requests for ranges; seeking makes none."""

    def __init__(
        self,
        get: Callable[[int, int], RangeAnswer],
        location: str,
        ranges: Iterable[ByteRange] = (),
        *,
        etag: str | None = None,
        describe: Callable[[], Described] = _nothing,
        patiently: Callable[[Callable[[], Any]], Any] = _once,
        etags: EtagHabit | None = None,
    ) -> None:
        """Opens the object by its first bytes.

        Args:
            get: Asks the store once for the bytes from a first one to a last one, that included.
            location: The object, for messages.
            ranges: What will be read, if that is known.
            etag: The version that is meant; that of the first answer without.
            describe: Asks once what the store says of the object, its checksums included.
            patiently: Calls until it works or the error is final.
            etags: What is known of the store's ETags.
        """
        self._get, self._describe, self._patiently = get, describe, patiently
        self._location = location
        self._plan = WindowPlan(ranges)
        # Least recently used first.
        self._held: list[Segment] = []
        self._notes = ReadingNotes()
        self._size: int | None = None
        self._etag = plain_etag(etag) or None
        self._etags = etags or EtagHabit()
        self._md5 = ""
        self._n_requests = self._n_bytes = 0
        self._open()

    @property
    def traffic(self) -> Traffic:
        """Requests made and bytes received so far."""
        return Traffic(self._n_requests, self._n_bytes)

    def read_available(self, size: int = -1) -> bytes:
        """Returns up to `size` bytes, as far as one request reaches; none only at the end."""
        if self._position >= self._end or size == 0:
            return b""
        segment = self._segment(self._position)
        offset = self._position - segment.start
        part = segment.content[offset : offset + size if size > 0 else None]
        self._position += len(part)
        return part

    def readinto(self, buffer: Any) -> int:
        """Fills a buffer, as far as one request reaches."""
        view = memoryview(buffer).cast("B")
        part = self.read_available(len(view))
        view[: len(part)] = part
        return len(part)

    def read(self, size: int = -1) -> bytes:
        """Returns `size` bytes, fewer only at the end of the object."""
        wanted = self._end - self._position if size is None or size < 0 else size
        parts = []
        while wanted > 0 and (part := self.read_available(wanted)):
            parts.append(part)
            wanted -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    @property
    def _end(self) -> int:
        assert self._size is not None
        return self._size

    def contradicts(self) -> bool:
        """Returns whether what was read is known to be something else than what the store holds.

        Nothing is asked for it: by the MD5, where all of the object came and that is known.
        """
        md5 = self._notes.md5_of_whole(self._end)
        return bool(md5) and self._etags.is_other(md5, self._md5)

    def confirm(self) -> bool:
        """Returns whether what was read is what the store holds.

        By the object's MD5 where it came whole and that is known, else by reading it again.
        """
        is_known = self._md5 and self._notes.md5_of_whole(self._end) == self._md5
        if self._end == 0 or is_known:
            return True
        comparison = Comparison(self._notes)
        for start in range(0, self._end, MAX_REQUEST_BYTES // 2):
            window = Window(start, min(start + MAX_REQUEST_BYTES // 2, self._end), 0)
            comparison.add(start, self._patiently(partial(self._fetch, window)))
        if not comparison.is_same():
            return False
        if comparison.contradicts(self._patiently(self._describe).checksums):
            return False
        if self.contradicts():
            self._etags.note_same_twice()
        return True

    def _open(self) -> None:
        """Asks for the first bytes; an empty object has none to ask for."""
        try:
            self._segment(0)
        except NoSuchRangeError:
            self._size = 0

    def _check_is_empty(self) -> None:
        if (size := self._describe().size_bytes) != 0:
            raise WrongAnswerError(f"no bytes (416) of an object that has {size}")
        if self._size is not None:
            raise self._changed()

    def _segment(self, position: int) -> Segment:
        """Returns the segment that holds `position`, asking for it if need be."""
        for number, segment in enumerate(self._held):
            if segment.start <= position < segment.end:
                self._held.append(self._held.pop(number))
                return segment
        window = self._plan.window(position, self._size, self._held)
        self._make_room(window.end - window.start)
        content = self._patiently(lambda: self._fetch(window))
        segment = Segment(window.start, content, window.ahead)
        self._held.append(segment)
        self._notes.add(segment, self._held, in_order=bool(self._md5) and self._etags.are_md5)
        return segment

    def _make_room(self, n_bytes: int) -> None:
        held = sum(len(segment.content) for segment in self._held)
        while self._held and held + n_bytes > MAX_HELD_BYTES:
            held -= len(self._held.pop(0).content)

    def _fetch(self, window: Window) -> bytes:
        """Returns the bytes of a window; what is not just these is an error."""
        self._n_requests += 1
        try:
            answer = self._get(window.start, window.end - 1)
        except NoSuchRangeError:
            self._check_is_empty()
            raise
        try:
            size = check_range(answer, window.start, window.end, self._etag)
            self._check_version(size, plain_etag(answer.etag))
            content = answer.body.read()
        finally:
            # Left unread, the rest would come through the connection that is used next.
            answer.body.close()
        self._n_bytes += len(content)
        expected = min(window.end, size) - window.start
        if len(content) != expected:
            raise CutBodyError(f"{len(content)} bytes instead of {expected}")
        self._size, self._etag, self._md5 = size, plain_etag(answer.etag), answer.md5
        return content

    def _check_version(self, size: int, etag: str) -> None:
        """Compares an answer's version with the one that is meant, or of the first answer."""
        if self._etag is not None and etag != self._etag:
            raise self._changed()
        if self._size is not None and size != self._size:
            raise WrongAnswerError(f"a size of {size} bytes instead of {self._size}")

    def _changed(self) -> ObjectChangedError:
        return ObjectChangedError(
            f"{self._location} was changed while it was read; run again to take the new version"
        )
