"""What opening a file reads, kept for opening it again: headers and index are asked for once.

For formats whose reader is opened several times at once, at different places of one object.
"""

import io
from typing import Any, BinaryIO

from lightly_pipeline.datasources.positions import PositionedReader


class KeptHead:
    """The parts of an object that were read so far through `recording`."""

    def __init__(self) -> None:
        self._parts: list[tuple[int, bytes]] = []

    @property
    def n_first(self) -> int:
        """How many of the object's first bytes are kept, without a gap."""
        end = 0
        for start, content in sorted(self._parts, key=lambda part: part[0]):
            if start > end:
                break
            end = max(end, start + len(content))
        return end

    def recording(self, file: BinaryIO) -> BinaryIO:
        """Returns a reader of the file that keeps what is read through it."""
        return _Recorder(file, self._parts)  # type: ignore[return-value]  # as far as FFmpeg needs

    def serving(self, file: BinaryIO) -> BinaryIO:
        """Returns a reader of the file that takes from there what was kept."""
        return _Server(file, self._parts)  # type: ignore[return-value]  # as far as FFmpeg needs


class _Through(PositionedReader):
    """A reader through which another one is read; the position is its own."""

    def __init__(self, file: Any, parts: list[tuple[int, bytes]]) -> None:
        self._file, self._parts = file, parts
        self._read = getattr(file, "read_available", file.read)
        self._size: int = file.seek(0, io.SEEK_END)

    @property
    def _end(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        """Returns up to `size` bytes, as far as one request reaches; none only at the end."""
        return self.read_available(size)

    def read_available(self, size: int = -1) -> bytes:
        """Returns up to `size` bytes, as far as one request reaches; none only at the end."""
        self._file.seek(self._position)
        content: bytes = self._read(size)
        self._position += len(content)
        return content


class _Recorder(_Through):
    def read_available(self, size: int = -1) -> bytes:
        start = self._position
        content = super().read_available(size)
        if content:
            self._parts.append((start, content))
        return content


class _Server(_Through):
    def read_available(self, size: int = -1) -> bytes:
        for start, content in self._parts:
            offset = self._position - start
            if 0 <= offset < len(content):
                part = content[offset : offset + size if size >= 0 else None]
                self._position += len(part)
                return part
        return super().read_available(size)
