"""Quality numbers of a frame: names, units, formulas.

Pure arithmetic on pixels. How the pixels are taken from a decoded frame, and how often the costly
part runs, is in `measure.py`; storing the numbers is the tables' business.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_GREY_PER_MILLE = np.array([299.0, 587.0, 114.0])
MAX_HEIGHT = 400
UNIFORM_RESPONSE = 5
UNIFORM_SHARE = 0.97
"""Of the pixels of a uniform row more than this share responds less, in grey levels of 0 to 255."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What is measured of the upright picture of a frame.

    Grey is 0.299 R + 0.587 G + 0.114 B. Colour, luminance and contrast come from 96 x 54 pixels on
    a regular grid (5184 samples know a picture's mean within 0.5 % of the range), converted as
    the stream's colour tags say.

    Attributes:
        uniform_row_ratio: Share of rows that show next to nothing, 0 to 1 (see `uniform_rows`):
            near 1 for a blank frame, above 0.025 for one with stripes or a missing half. Exact
            where a screen of the luma leaves more than 2 % of the rows undecided, 0 otherwise; in
            long runs of such frames most carry on the value of the frame before (`measure.py`).
        luminance: Mean grey, 0 (black) to 100 (white).
        contrast: Standard deviation of grey, 0 to 0.5, where white is 1.
        sharpness: Root mean square of the 3 x 3 Laplacian (centre 8, others -1) of the luma, in
            grey levels of 0 to 255, at a height of at most 400 lines, in three bands of columns:
            0 for a flat picture, below 10 for a blurred one, tens for fine texture or noise.
        mean_red: Mean of red, 0 to 1.
        mean_green: Mean of green, 0 to 1.
        mean_blue: Mean of blue, 0 to 1.
    """

    uniform_row_ratio: float
    luminance: float
    contrast: float
    sharpness: float
    mean_red: float
    mean_green: float
    mean_blue: float


def colour(rgb: NDArray[np.uint8]) -> tuple[float, float, float, float, float]:
    """Returns (luminance, contrast, mean red, mean green, mean blue) of an (H, W, 3) array."""
    # Whole numbers in float64: products of matrices are fast, and exact in any order.
    pixels = rgb.reshape(-1, 3).astype(np.float64)
    n, white = len(pixels), 255.0
    totals = _ones(n) @ pixels
    grey = pixels @ _GREY_PER_MILLE
    mean = float(totals @ _GREY_PER_MILLE) / (n * 1000 * white)
    variance = float(grey @ grey) / (n * (1000 * white) ** 2) - mean**2
    red, green, blue = (totals / (n * white)).tolist()
    return 100 * mean, math.sqrt(max(variance, 0.0)), red, green, blue


@lru_cache(maxsize=8)
def _ones(n: int) -> NDArray[np.float64]:
    return np.ones(n)


def shrunk_size(width: int, height: int) -> tuple[int, int]:
    """Returns the (width, height) that uniform rows are looked for at."""
    factor = MAX_HEIGHT / height
    if factor >= 1:
        return width, height
    return max(3, int(width * factor)), int(height * factor)


def taps(
    n_source: int, n_target: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Returns the two sources of bilinear scaling without antialiasing, and the second's weight."""
    position = np.maximum((np.arange(n_target) + 0.5) * (n_source / n_target) - 0.5, 0)
    first = position.astype(np.intp)
    weight = (position - first).astype(np.float32)
    return first, np.where(weight > 0, np.minimum(first + 1, n_source - 1), first), weight


def laplacian(grey: NDArray[Any]) -> NDArray[Any]:
    """Returns 8 times each inner pixel less its neighbours; the last two axes are rows, columns."""
    columns = grey[..., :-2, :] + grey[..., 1:-1, :]
    columns += grey[..., 2:, :]
    box = columns[..., :-2] + columns[..., 1:-1]
    box += columns[..., 2:]
    response: NDArray[Any] = 9 * grey[..., 1:-1, 1:-1] - box
    return response


def _distinct(numbers: NDArray[np.intp], end: int) -> NDArray[np.intp]:
    """Returns the numbers below `end` once each, ascending; np.unique would import numpy.ma."""
    occurs = np.zeros(end, np.bool_)
    occurs[numbers] = True
    return np.flatnonzero(occurs)


def uniform_rows(
    grey_lines: Callable[[NDArray[np.intp]], NDArray[np.uint8]],
    size: tuple[int, int],
    rows: NDArray[np.intp],
) -> NDArray[np.bool_]:
    """Says which rows of a picture are uniform, by the letter of Lightly's `uniformRowRatio`.

    The picture is shrunk to a height of at most 400 (bilinear, not antialiased); a pixel is uniform
    if its Laplacian is below 5/255 in absolute value, a row if more than 97 % of its pixels are.
    The ratio is the share of such rows among all but the first and last.

    Args:
        grey_lines: Gives lines of the picture in grey levels, shape (lines, width).
        size: (width, height) of the picture, both at least 3.
        rows: Inner rows of the shrunk picture to judge, ascending: 0 is its second row.
    """
    width, height = size
    new_width, new_height = shrunk_size(width, height)
    needed = _distinct(rows[:, None] + np.arange(3), new_height)
    top, bottom, down = (values[needed] for values in taps(height, new_height))
    left, right, across = taps(width, new_width)
    read = _distinct(np.concatenate((top, bottom)), height)
    grey = grey_lines(read).astype(np.float32)
    lines = grey[np.searchsorted(read, top)]
    lines += (grey[np.searchsorted(read, bottom)] - lines) * down[:, None]
    shrunk = lines[:, left]
    shrunk += (lines[:, right] - shrunk) * across
    place = np.searchsorted(needed, rows)
    columns = shrunk[place] + shrunk[place + 1] + shrunk[place + 2]
    response = 9 * shrunk[place + 1, 1:-1] - columns[:, :-2] - columns[:, 1:-1] - columns[:, 2:]
    uniform: NDArray[np.bool_] = (np.abs(response) < UNIFORM_RESPONSE).mean(1) > UNIFORM_SHARE
    return uniform
