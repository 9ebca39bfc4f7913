"""Counts what a video costs and stops it at its limits.

Hostile files make FFmpeg read or decode without end. Whoever works with FFmpeg says so here, and
each read and each packet asks whether that is still within `DecodeLimits`. A decoder that loops
without reading is beyond this module's reach: see `isolated.py`.
"""

import errno
import mmap
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video import reasons
from lightly_pipeline.video.types import DecodeLimits

_BYTES_PER_PIXEL, _PICTURES_AT_ONCE = 3, 8


class Meter:
    """The cost of one pass over one video so far; `with meter:` counts the time as FFmpeg's.

    Args:
        limits: What is allowed.
        size_bytes: Of the file.
    """

    def __init__(self, limits: DecodeLimits, size_bytes: int) -> None:
        self._limits, self._size_bytes = limits, size_bytes
        self._allowed_s = limits.allowed_time_s(size_bytes)
        self._allowed_bytes = max(limits.max_reads * size_bytes, limits.min_read_bytes)
        self._spent_s = self._spent_at_progress_s = 0.0
        self._since: float | None = None
        self._bytes = 0

    def expect(self, duration_s: float | None) -> None:
        """Takes note of how long the video says it plays."""
        self._allowed_s = self._limits.allowed_time_s(self._size_bytes, duration_s)

    def __enter__(self) -> None:
        self._since = time.thread_time()

    def __exit__(self, *error: object) -> None:
        assert self._since is not None
        self._spent_s += time.thread_time() - self._since
        self._since = None

    def note_progress(self) -> None:
        """Says that a frame came out, or that a packet was passed over on purpose."""
        self._spent_at_progress_s = self._spent_s

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves out time that is not FFmpeg's: that of the store it reads from."""
        started = time.thread_time()
        try:
            yield
        finally:
            if self._since is not None:
                self._since += time.thread_time() - started

    def note_read(self, n_bytes: int) -> None:
        """Counts bytes that FFmpeg has read.

        Raises:
            CorruptVideoError: A limit is exceeded.
        """
        self._bytes += n_bytes
        if self._bytes > self._allowed_bytes:
            raise CorruptVideoError(reasons.TOO_MANY_BYTES(limit=self._limits.max_reads))
        self.check()

    def check(self) -> None:
        """Compares the time spent with the limits.

        Raises:
            CorruptVideoError: One is exceeded.
        """
        spent = self._spent_s
        if self._since is not None:
            spent += time.thread_time() - self._since
        if spent > self._allowed_s:
            raise CorruptVideoError(reasons.TOO_SLOW(limit=self._allowed_s))
        idle_s = self._limits.max_time_without_frame_s
        if spent - self._spent_at_progress_s > idle_s:
            raise CorruptVideoError(reasons.STUCK(limit=idle_s))


class MeteredReader:
    """Hands FFmpeg the content of a reader and nothing else, from its first byte on.

    Without a name, which FFmpeg would judge the content by, and with FFmpeg's own answer to seeks
    outside of files, which broken ones ask for and Python raises on.
    """

    def __init__(self, file: BinaryIO, limits: DecodeLimits) -> None:
        self._file = file
        # Up to the end of what is at hand, so that no request goes beyond what is needed.
        self._read: Callable[[int], bytes] = getattr(file, "read_available", file.read)
        self._has_failed = False
        self.size_bytes = file.seek(0, os.SEEK_END)
        self.meter = Meter(limits, self.size_bytes)
        file.seek(0)
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        """Returns up to `size` bytes; what the store raises comes out unchanged, and once.

        FFmpeg goes on asking after a failure, which PyAV raises when FFmpeg returns: each try would
        be another round of retries. The file ends there instead.
        """
        if self._has_failed:
            return b""
        self._has_failed = True
        with self.meter.paused():
            content = self._read(size)
        self.meter.note_read(len(content))
        self._has_failed = False
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves the position; returns a negative error number where that is impossible."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, OverflowError, ValueError) as error:
            if isinstance(error, OSError) and error.errno != errno.EINVAL:
                raise
            return -errno.EINVAL

    def seekable(self) -> bool:
        """Always."""
        return True


def blame_memory(error: BaseException, n_pixels: int) -> None:
    """Raises if a decoder's error is one of a machine that has no memory left for pictures.

    A damaged file may ask for more than any machine has: that is its own error.

    Args:
        error: What the decoder met.
        n_pixels: Of a picture.

    Raises:
        MemoryError: There is no room for a few pictures.
    """
    if not isinstance(error, MemoryError):
        return
    try:
        mmap.mmap(-1, max(n_pixels * _BYTES_PER_PIXEL * _PICTURES_AT_ONCE, 1)).close()
    except OSError:
        raise MemoryError from None
