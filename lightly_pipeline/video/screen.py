"""Looks at a luma plane in a few bands: how much texture is in each row of the reduced picture.

Which rows are uniform by the letter is judged elsewhere (`measure.py`), on the RGB picture.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.video.quality import laplacian, shrunk_size, taps

_BANDS, _BAND_COLUMNS = 3, 34


class _Places(NamedTuple):
    """Where the screen looks.

    Attributes:
        rows: Upper, then lower source lines of each row.
        bands: Source columns of each band, all of one length. Side by side they are the strip.
        columns: In the strip, the left one of each pair of source columns.
        is_shrunk: Whether columns are pairs; else each one stands for itself.
        inside: Which responses lie inside a band: 1; 0 for those across two bands.
    """

    rows: NDArray[np.intp]
    bands: tuple[slice, ...]
    columns: NDArray[np.intp]
    is_shrunk: bool
    inside: NDArray[np.float64]


@lru_cache(maxsize=64)
def _places(width: int, height: int) -> _Places:
    new_width, new_height = shrunk_size(width, height)
    top, bottom, _ = taps(height, new_height)
    left, _, _ = taps(width, new_width)
    n_bands = _BANDS if new_width >= _BANDS * _BAND_COLUMNS else 1
    n_columns = _BAND_COLUMNS if n_bands > 1 else new_width
    first = [int((band + 0.5) / n_bands * new_width - n_columns / 2) for band in range(n_bands)]
    columns = left[first[0] : first[0] + n_columns] - left[first[0]]
    is_shrunk = new_width < width
    span = int(columns[-1]) + (2 if is_shrunk else 1)
    starts = [min(int(left[place]), width - span) for place in first]
    bands = tuple(slice(start, start + span) for start in starts)
    in_strip = np.concatenate([columns + band * span for band in range(n_bands)])
    inside = np.tile(np.repeat([1.0, 0.0], [n_columns - 2, 2]), n_bands)[:-2]
    return _Places(np.concatenate((top, bottom)), bands, in_strip, is_shrunk, inside)


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


def sampled(luma: NDArray[np.uint8 | np.uint16]) -> NDArray[np.uint8 | np.uint16]:
    """Returns a copy of the bands of a luma plane, side by side: what `screened` needs of it."""
    height, width = luma.shape
    places = _places(width, height)
    span = places.bands[0].stop - places.bands[0].start
    strip = np.empty((height, len(places.bands) * span), dtype=luma.dtype)
    for number, band in enumerate(places.bands):
        strip[:, number * span : (number + 1) * span] = luma[:, band]
    return strip.take(places.rows, axis=0, mode="clip")


def screened(
    lines: NDArray[np.uint8 | np.uint16], size: tuple[int, int], low: int, high: int
) -> Screen:
    """Returns the Laplacian of the sampled bands at reduced height, in quarters of a level.

    Each pixel is the mean of the four that bilinear scaling would weigh: noise is averaged more,
    so that the screen errs towards uniform.

    Args:
        lines: Of `sampled`; overwritten.
        size: (width, height) of the plane.
        low: Of the plane's values, what black is coded as.
        high: What white is coded as.
    """
    places = _places(*size)
    np.clip(lines, low, high, out=lines)
    half = len(lines) // 2
    kind = np.int16 if lines.dtype == np.uint8 else np.int32
    pairs = np.add(lines[:half], lines[half:], dtype=kind)
    if not places.is_shrunk:
        return Screen(laplacian(2 * pairs), places.inside)
    pairs = pairs[:, :-1] + pairs[:, 1:]
    return Screen(laplacian(pairs.take(places.columns, axis=1)), places.inside)
