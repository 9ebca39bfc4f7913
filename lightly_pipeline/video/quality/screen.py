"""Looks at a luma plane in a few bands: how much texture is in each row of the reduced picture.

Which rows are uniform by the letter is judged elsewhere (`measure.py`), on the RGB picture.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.video.quality.numbers import laplacian, shrunk_size, taps

_BANDS, _BAND_COLUMNS = 3, 34
# What FFmpeg pads the lines of decoded planes to, at least.
_BLOCK_BYTES = 32


class _Places(NamedTuple):
    """Where the screen looks.

    Attributes:
        rows: Upper, then lower source lines of each row.
        bands: Source columns of each band, all of one length and in whole blocks, so that they may
            reach beyond the picture. Side by side they are the sampled lines.
        left: In the sampled lines, the left one of each pair of source columns.
        right: The right one; the same where the picture is not shrunk.
        inside: Which responses lie inside a band: 1; 0 for those across two bands.
    """

    rows: NDArray[np.intp]
    bands: tuple[slice, ...]
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    inside: NDArray[np.float64]


@lru_cache(maxsize=64)
def _places(width: int, height: int, unit: int) -> _Places:
    """Returns the places in a picture of which a block of memory holds `unit` columns."""
    new_width, new_height = shrunk_size(width, height)
    top, bottom, _ = taps(height, new_height)
    left, _, _ = taps(width, new_width)
    to_right = int(new_width < width)
    n_bands = _BANDS if new_width >= _BANDS * _BAND_COLUMNS else 1
    n_columns = _BAND_COLUMNS if n_bands > 1 else new_width
    first = [int((band + 0.5) / n_bands * new_width - n_columns / 2) for band in range(n_bands)]
    chosen = [left[place : place + n_columns] for place in first]
    starts = [int(columns[0]) // unit * unit for columns in chosen]
    ends = [int(columns[-1]) + to_right + 1 for columns in chosen]
    span = max(-(-(end - start) // unit) for start, end in zip(starts, ends, strict=True)) * unit
    in_lines = np.concatenate(
        [
            columns - start + i * span
            for i, (columns, start) in enumerate(zip(chosen, starts, strict=True))
        ]
    )
    inside = np.tile(np.repeat([1.0, 0.0], [n_columns - 2, 2]), n_bands)[:-2]
    bands = tuple(slice(start, start + span) for start in starts)
    rows = np.concatenate((top, bottom))
    return _Places(rows, bands, in_lines, in_lines + to_right, inside)


@lru_cache(maxsize=64)
def _blocks(width: int, height: int, unit: int, n_columns: int) -> NDArray[np.intp]:
    """Returns the blocks of the sampled lines, shape (lines, blocks), of a plane so wide."""
    places = _places(width, height, unit)
    of_line = np.concatenate([np.arange(b.start, b.stop, unit) // unit for b in places.bands])
    blocks: NDArray[np.intp] = places.rows[:, None] * (n_columns // unit) + of_line
    return blocks


class Screen(NamedTuple):
    """Responses of the sampled bands.

    Attributes:
        response: Shape (rows, columns of all bands), whole numbers.
        inside: Shape (columns,): 0 for columns across two bands, which do not count; else 1.
    """

    response: NDArray[np.int32]
    inside: NDArray[np.float64]

    @property
    def n_columns(self) -> int:
        """Columns that count."""
        return int(self.inside.sum())

    def n_at_least(self, strength: float) -> NDArray[np.float64]:
        """Returns how many responses of each row have at least this absolute value."""
        strong = np.abs(self.response) >= math.ceil(strength)
        # A product counts along short rows in a tenth of the time of a sum.
        counts: NDArray[np.float64] = strong.astype(np.float64) @ self.inside
        return counts

    def spread(self) -> float:
        """Returns the root mean square; squares of whole numbers add up exactly in any order."""
        squares = np.square(self.response, dtype=np.float64) @ self.inside
        return math.sqrt(float(squares.sum()) / (len(squares) * self.n_columns))


def sampled(
    luma: NDArray[np.uint8 | np.uint16], size: tuple[int, int]
) -> NDArray[np.uint8 | np.uint16]:
    """Returns a copy of what `screened` needs of a luma plane.

    Args:
        luma: The plane, perhaps with padding to the right and below.
        size: (width, height) of the picture.
    """
    unit = _BLOCK_BYTES // luma.itemsize
    places = _places(*size, unit)
    height, n_columns = luma.shape
    span = places.bands[0].stop - places.bands[0].start
    if luma.flags.c_contiguous and n_columns % unit == 0 and places.bands[-1].stop <= n_columns:
        # Whole blocks of the wanted lines alone: half the time at 1080p, a third at 4K.
        blocks = luma.reshape(-1).view(f"V{_BLOCK_BYTES}").take(_blocks(*size, unit, n_columns))
        return blocks.view(luma.dtype)
    strip = np.empty((height, len(places.bands) * span), dtype=luma.dtype)
    for number, band in enumerate(places.bands):
        part = luma[:, band]
        strip[:, number * span : number * span + part.shape[1]] = part
    return strip.take(places.rows, axis=0, mode="clip")


def screened(
    lines: NDArray[np.uint8 | np.uint16], size: tuple[int, int], low: int, high: int
) -> Screen:
    """Returns the Laplacian of the sampled bands at reduced height, in quarters of a level.

    Each pixel is the mean of the four that bilinear scaling would weigh: noise is averaged more,
    so that the screen errs towards uniform.

    Args:
        lines: Of `sampled`.
        size: (width, height) of the picture.
        low: Of the plane's values, what black is coded as.
        high: What white is coded as.
    """
    places = _places(*size, _BLOCK_BYTES // lines.itemsize)
    half = len(lines) // 2
    kind = np.int16 if lines.dtype == np.uint8 else np.int32
    pairs = np.add(lines[:half], lines[half:], dtype=kind)
    fours = pairs.take(places.left, axis=1)
    fours += pairs.take(places.right, axis=1)
    np.clip(fours, 4 * low, 4 * high, out=fours)
    return Screen(laplacian(fours), places.inside)
