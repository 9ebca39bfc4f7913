"""Reads one S3 object in ranges, as a file: nothing is downloaded that is not asked for.

Every request carries the version (If-Match) and every answer is checked for its length. Bucket
and key handling is in `s3.py`.
"""

import io
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError, ResponseStreamingError

from lightly_pipeline.datasources.s3_errors import status_of, with_retries
from lightly_pipeline.errors import ObjectChangedError

_BLOCK = 1024 * 1024
_MAX_AHEAD = 8
_KEPT_BLOCKS = 24


class RangeReader(io.RawIOBase):
    """A seekable reader over `fetch(first byte, last byte)`.

    Reads ahead: a request that continues the one before asks for twice as much, up to 8 MB; a jump
    starts again at 1 MB. At most 24 MB are kept.

    Attributes:
        n_requests: Requests made.
        n_bytes: Bytes received.
    """

    def __init__(self, get: Callable[[str], Any], location: str) -> None:
        """Opens the object by its first block.

        Args:
            get: Calls the store for a Range header and returns its answer.
            location: The object, for messages.
        """
        self._get, self._location = get, location
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._position = 0
        self._ahead = 1
        self._next_block = 0
        self.n_requests = self.n_bytes = 0
        self._size = self._open()

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
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("negative seek position")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fills a buffer from the position on, as far as the block at hand reaches."""
        view = memoryview(buffer).cast("B")
        if self._position >= self._size or not len(view):
            return 0
        number, offset = divmod(self._position, _BLOCK)
        part = self._block(number)[offset : offset + len(view)]
        view[: len(part)] = part
        self._position += len(part)
        return len(part)

    def read(self, size: int = -1) -> bytes:
        """Returns `size` bytes, fewer only at the end of the object."""
        wanted = self._size - self._position if size is None or size < 0 else size
        parts = []
        while wanted > 0:
            part = super().read(min(wanted, _BLOCK))
            if not part:
                break
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)

    def _open(self) -> int:
        try:
            content, size = with_retries(lambda: self._fetch(0, _BLOCK - 1, None))
        except ClientError as error:
            if status_of(error) == 416:
                return 0
            raise
        self._keep(0, content)
        self._next_block = 1
        return size

    def _block(self, number: int) -> bytes:
        if number in self._blocks:
            self._blocks.move_to_end(number)
            return self._blocks[number]
        self._ahead = min(2 * self._ahead, _MAX_AHEAD) if number == self._next_block else 1
        first = number * _BLOCK
        last = min(first + self._ahead * _BLOCK, self._size) - 1
        content, _ = with_retries(lambda: self._fetch(first, last, self._size))
        self._next_block = number + self._ahead
        self._keep(number, content)
        return self._blocks[number]

    def _keep(self, number: int, content: bytes) -> None:
        for offset in range(0, len(content), _BLOCK):
            self._blocks[number + offset // _BLOCK] = content[offset : offset + _BLOCK]
        while len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)

    def _fetch(self, first: int, last: int, size: int | None) -> tuple[bytes, int]:
        """Returns the bytes of a range and the object's size; short answers are errors."""
        self.n_requests += 1
        answer = self._get(f"bytes={first}-{last}")
        content: bytes = answer["Body"].read()
        self.n_bytes += len(content)
        total = int(str(answer.get("ContentRange", f"/{len(content)}")).rpartition("/")[2])
        if size is not None and total != size:
            raise ObjectChangedError(f"{self._location} was changed while it was read")
        if len(content) != min(last + 1, total) - first:
            raise ResponseStreamingError(
                error=f"{len(content)} bytes instead of {last - first + 1}"
            )
        return content, total
