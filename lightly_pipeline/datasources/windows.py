"""Decides which bytes of an object to ask for next, given where the reader is and what it holds.

Pure arithmetic over byte positions; asking, checking and keeping is in `range_reader.py`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lightly_pipeline.datasources.protocol import ByteRange

KB, MB = 1024, 1024 * 1024
MAX_REQUEST_BYTES = 16 * MB
"""Largest range of one request."""
_UNIT_BYTES, _MAX_AHEAD_BYTES = MB, 8 * MB
# Beside planned ranges only headers and indices are read: small, far from each other.
_UNIT_BESIDE_PLAN_BYTES = 256 * KB


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes that are held.

    Attributes:
        start: Position of the first byte in the object.
        content: The bytes.
        ahead: Length of the request that read ahead for them; 0 if they were planned.
    """

    start: int
    content: bytes
    ahead: int

    @property
    def end(self) -> int:
        """Position after the last byte."""
        return self.start + len(self.content)


@dataclass(frozen=True, slots=True)
class Window:
    """What to ask for: bytes `start` to `end`, `end` excluded, reading ahead by `ahead` bytes."""

    start: int
    end: int
    ahead: int


class WindowPlan:
    """Windows over one object, full or with the ranges that will be read known beforehand.

    Without ranges: reading on from the end of a window that is still held asks for twice as much,
    from 1 MB up to 8 MB; a jump starts again at 1 MB. With them: each range is one window, and
    what lies outside is read as without, from 256 kB on.

    Args:
        ranges: Ascending, without overlap.
    """

    def __init__(self, ranges: Iterable[ByteRange] = ()) -> None:
        self._pieces = [piece for planned in ranges for piece in _pieces(planned)]
        self._unit = _UNIT_BESIDE_PLAN_BYTES if self._pieces else _UNIT_BYTES

    def window(self, position: int, size: int | None, held: Sequence[Segment]) -> Window:
        """Returns the window that `position` is in.

        Args:
            position: Of a byte that is not held, below `size`.
            size: Of the object; None while it is not known.
            held: All segments in memory.
        """
        for start, end in self._pieces:
            if start <= position < end:
                return Window(start, end if size is None else min(end, size), 0)
        start = position // self._unit * self._unit
        ends = [segment.end for segment in held] + [end for _, end in self._pieces]
        start = max([start, *(end for end in ends if end <= position)])
        ahead = self._ahead(position, held)
        starts = [segment.start for segment in held] + [begin for begin, _ in self._pieces]
        borders = [border for border in starts if border > position]
        if size is not None:
            borders.append(size)
        aligned = (start + ahead) // self._unit * self._unit
        return Window(start, min([aligned, *borders]), ahead)

    def _ahead(self, position: int, held: Sequence[Segment]) -> int:
        before = max((s.ahead for s in held if s.end == position), default=0)
        return min(max(2 * before, self._unit), _MAX_AHEAD_BYTES)


def _pieces(planned: ByteRange) -> list[ByteRange]:
    """Returns a range in parts that one request may ask for."""
    start, end = planned
    borders = [*range(start, end, MAX_REQUEST_BYTES), end]
    return [ByteRange(*piece) for piece in pairwise(borders)]
