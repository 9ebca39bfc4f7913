"""Reads one S3 object in ranges, as a file: nothing is downloaded that is not asked for.

Every request carries the version (If-Match), every answer is checked for its version and length.
Which ranges are asked for is decided in `s3_windows.py`, bucket and key are known to `s3.py`.
"""

import io
from collections.abc import Callable, Iterable
from typing import Any

from botocore.exceptions import ClientError, ResponseStreamingError

from lightly_pipeline.datasources.protocol import ByteRange, Traffic
from lightly_pipeline.datasources.s3_errors import status_of, with_retries
from lightly_pipeline.datasources.s3_windows import Segment, Window, WindowPlan
from lightly_pipeline.errors import ObjectChangedError

MAX_HELD_BYTES = 32 * 1024 * 1024
"""Held in memory by one reader, what is just arriving included."""


class RangeReader(io.RawIOBase):
    """A seekable reader over requests for ranges; seeking makes none."""

    def __init__(
        self, get: Callable[[str], Any], location: str, ranges: Iterable[ByteRange] = ()
    ) -> None:
        """Opens the object by its first bytes.

        Args:
            get: Calls the store for a Range header and returns its answer.
            location: The object, for messages.
            ranges: What will be read, if that is known.
        """
        self._get, self._location = get, location
        self._plan = WindowPlan(ranges)
        # Least recently used first.
        self._held: list[Segment] = []
        self._position = 0
        self._size: int | None = None
        self._etag: str | None = None
        self._n_requests = self._n_bytes = 0
        self._open()

    @property
    def traffic(self) -> Traffic:
        """Requests made and bytes received so far."""
        return Traffic(self._n_requests, self._n_bytes)

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always; seeking makes no request."""
        return True

    def tell(self) -> int:
        """Returns the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves the position.

        Raises:
            ValueError: It would be negative.
        """
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._end}[whence]
        if start + offset < 0:
            raise ValueError("negative seek position")
        self._position = start + offset
        return self._position

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

    def _open(self) -> None:
        try:
            self._segment(0)
        except ClientError as error:
            if status_of(error) != 416:
                raise
            self._size = 0

    def _segment(self, position: int) -> Segment:
        """Returns the segment that holds `position`, asking for it if need be."""
        for number, segment in enumerate(self._held):
            if segment.start <= position < segment.end:
                self._held.append(self._held.pop(number))
                return segment
        window = self._plan.window(position, self._size, self._held)
        self._make_room(window.end - window.start)
        content = with_retries(lambda: self._fetch(window))
        self._held.append(Segment(window.start, content, window.ahead))
        return self._held[-1]

    def _make_room(self, n_bytes: int) -> None:
        held = sum(len(segment.content) for segment in self._held)
        while self._held and held + n_bytes > MAX_HELD_BYTES:
            held -= len(self._held.pop(0).content)

    def _fetch(self, window: Window) -> bytes:
        """Returns the bytes of a window; short answers are errors."""
        self._n_requests += 1
        answer = self._get(f"bytes={window.start}-{window.end - 1}")
        self._n_requests += answer.get("ResponseMetadata", {}).get("RetryAttempts", 0)
        content: bytes = answer["Body"].read()
        self._n_bytes += len(content)
        size = int(str(answer.get("ContentRange", f"/{len(content)}")).rpartition("/")[2])
        self._check_version(size, answer.get("ETag"))
        expected = min(window.end, size) - window.start
        if len(content) != expected:
            raise ResponseStreamingError(error=f"{len(content)} bytes instead of {expected}")
        return content

    def _check_version(self, size: int, etag: str | None) -> None:
        """Notes the object's version by the first answer and compares the later ones with it."""
        if self._size is None:
            self._size, self._etag = size, etag
        if (size, etag) != (self._size, self._etag):
            raise ObjectChangedError(
                f"{self._location} was changed while it was read; run again to take the new version"
            )
