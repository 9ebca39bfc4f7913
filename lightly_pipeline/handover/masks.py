"""Masks as run lengths: row by row, zeros first, as predictions give them.

The geometry, and the spellings of the tools; which tool takes which is in the tools' modules.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Mask:
    """Which pixels of an image belong to something.

    Attributes:
        runs: Lengths of runs of 0 and 1 in turn, row by row, starting with zeros; their sum is
            width x height.
        width: Of the image, pixels.
        height: Of the image, pixels.

    Example:
        >>> mask = Mask((2, 2, 1, 3, 3, 1), 4, 3)
        >>> mask.box(), mask.area
        ((1.0, 0.0, 3.0, 3.0), 6)
    """

    runs: tuple[int, ...]
    width: int
    height: int

    @classmethod
    def of(cls, pixels: NDArray[np.bool_]) -> "Mask":
        """Returns the mask of an (H, W) array."""
        return cls(tuple(_runs_of(pixels.ravel())), pixels.shape[1], pixels.shape[0])

    def pixels(self) -> NDArray[np.bool_]:
        """Returns the mask as an array, shape (height, width)."""
        values = np.arange(len(self.runs)) % 2 == 1
        return np.repeat(values, self.runs).reshape(self.height, self.width)

    @property
    def area(self) -> int:
        """How many pixels it covers."""
        return sum(self.runs[1::2])

    def box(self) -> tuple[float, float, float, float]:
        """Returns (x, y, width, height) of the pixels it covers; zeros when it covers none."""
        pixels = self.pixels()
        columns, rows = np.flatnonzero(pixels.any(axis=0)), np.flatnonzero(pixels.any(axis=1))
        if not len(columns):
            return 0.0, 0.0, 0.0, 0.0
        left, top = int(columns[0]), int(rows[0])
        return float(left), float(top), float(columns[-1] - left + 1), float(rows[-1] - top + 1)

    def scaled(self, width: int, height: int) -> "Mask":
        """Returns the mask for another size of the image: each pixel is the nearest one's."""
        if (width, height) == (self.width, self.height):
            return self
        rows = (2 * np.arange(height) + 1) * self.height // (2 * height)
        columns = (2 * np.arange(width) + 1) * self.width // (2 * width)
        return Mask.of(self.pixels()[np.ix_(rows, columns)])

    def cropped(self) -> "Mask":
        """Returns the part of it inside its box; empty when it covers nothing."""
        left, top, width, height = map(int, self.box())
        return Mask.of(self.pixels()[top : top + height, left : left + width])

    def outlines(self) -> list[list[Point]]:
        """Returns closed lines around its pixels, those around holes the other way round.

        They follow the edges of pixels: filled by the even-odd rule, they give the same mask.
        """
        return _outlines(self.pixels())

    def column_counts(self) -> list[int]:
        """Returns the run lengths column by column, zeros first: COCO's uncompressed form."""
        return _runs_of(self.pixels().T.ravel())

    def coco_string(self) -> str:
        """Returns COCO's compressed form of `column_counts` (pycocotools, `rleToString`)."""
        counts = self.column_counts()
        differences = [n - counts[i - 2] if i > 2 else n for i, n in enumerate(counts)]
        return "".join(
            character for difference in differences for character in _characters(difference)
        )

    def label_studio_bytes(self) -> list[int]:
        """Returns Label Studio's brush form: run lengths of a picture of four 8-bit channels.

        32 bits of length, 5 of the word's size less 1, four times 4 of the sizes of run lengths
        less 1 (3, 4, 8, 16), then a block per run: 1, two bits for which size, the length less 1,
        the value (label_studio_sdk.converter.brush).
        """
        bits = [f"{4 * self.width * self.height:032b}", f"{7:05b}"]
        bits += [f"{size - 1:04b}" for size in (3, 4, 8, 16)]
        for number, run in enumerate(self.runs):
            value = f"{255 * (number % 2):08b}"
            bits += [f"111{length - 1:016b}{value}" for length in _pieces(4 * run, 1 << 16)]
        text = "".join(bits)
        text += "0" * (-len(text) % 8)
        return [int(text[start : start + 8], 2) for start in range(0, len(text), 8)]


def _outlines(pixels: NDArray[np.bool_]) -> list[list[Point]]:
    """Returns the corners of the lines between pixels of different value, line after line."""
    padded = np.pad(pixels, 1).astype(np.int8)
    across, down = np.diff(padded[1:-1], axis=1), np.diff(padded[:, 1:-1], axis=0)
    ends: dict[Point, list[Point]] = defaultdict(list)
    # Edges lead clockwise around what belongs to the mask.
    for y, x in np.argwhere(down == 1).tolist():
        ends[(x, y)].append((x + 1, y))
    for y, x in np.argwhere(down == -1).tolist():
        ends[(x + 1, y)].append((x, y))
    for y, x in np.argwhere(across == 1).tolist():
        ends[(x, y + 1)].append((x, y))
    for y, x in np.argwhere(across == -1).tolist():
        ends[(x, y)].append((x, y + 1))
    lines = []
    while ends:
        start = next(iter(ends))
        line = [start]
        while (point := _taken(ends, line[-1])) != start:
            line.append(point)
        lines.append(_corners(line))
    return lines


def _taken(ends: dict[Point, list[Point]], point: Point) -> Point:
    end = ends[point].pop()
    if not ends[point]:
        del ends[point]
    return end


def _corners(line: list[Point]) -> list[Point]:
    """Returns the points of a closed line where it turns."""
    around = zip(line[-1:] + line[:-1], line, [*line[1:], line[0]], strict=True)
    return [at for before, at, after in around if (before[0] == at[0]) != (at[0] == after[0])]


def _runs_of(flat: NDArray[np.bool_]) -> list[int]:
    """Returns the lengths of runs of equal values, starting with those of False."""
    changes = np.flatnonzero(np.diff(flat)) + 1
    lengths: list[int] = np.diff([0, *changes, len(flat)]).tolist()
    return [0, *lengths] if len(flat) and flat[0] else lengths


def _characters(number: int) -> Iterator[str]:
    """Yields a number in groups of five bits, lowest first, each a printable character."""
    while True:
        group, number = number & 0x1F, number >> 5
        more = number != (-1 if group & 0x10 else 0)
        yield chr((group | 0x20 if more else group) + 48)
        if not more:
            return


def _pieces(length: int, largest: int) -> Iterator[int]:
    while length > largest:
        yield largest
        length -= largest
    if length:
        yield length
