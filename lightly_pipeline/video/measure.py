"""Takes the quality numbers off decoded frames at a few per cent of the decoding.

Chooses which pixels to look at and when to look closely; what the numbers mean is in `quality.py`.
The numbers depend on the video alone, not on the encoder or its small image.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import av
import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray
from PIL import Image

from lightly_pipeline.video.colour import assumed_matrix
from lightly_pipeline.video.orientation import Orientation
from lightly_pipeline.video.pixels import convert
from lightly_pipeline.video.quality import (
    UNIFORM_SHARE,
    Quality,
    colour,
    laplacian,
    shrunk_size,
    taps,
    uniform_rows,
)
from lightly_pipeline.video.types import UntaggedMatrix

_GRID = (96, 54)
_BANDS, _BAND_COLUMNS = 4, 26
# Grey levels; a luma pixel that responds so strongly is not uniform in the RGB picture either.
_TEXTURED_RESPONSE = 6
# Shares of rows: with fewer undecided ones the ratio cannot reach its usual threshold, 0.025.
_UNDECIDED_SHARE, _CHANGE = 0.02, 0.02
_REFRESH_EVERY, _MAX_CREDIT = 16, 25.0


class QualityMeter:
    """Measures the frames of one video in their order.

    The ratio of uniform rows has two stages. A screen of the luma looks at four bands of 26 columns
    at the height that uniform rows are defined at: a row in which it finds more textured pixels
    than a uniform row may have is decided. The others are judged by the letter on the RGB picture,
    which takes up to 5 ms. In runs of frames with such rows (letterboxed, black, drawn material)
    that is done when their number changes by 2.5 % of all rows and for every 16th frame; the frames
    between carry the value on. Changes are measured for one frame in 16 on average, 25 in a row.
    """

    def __init__(self, untagged_matrix: UntaggedMatrix) -> None:
        self._untagged = untagged_matrix
        self._grid, self._rgb, self._gray = (VideoReformatter() for _ in range(3))
        self._credit = _MAX_CREDIT
        self._age = 0
        self._n_undecided = 0
        self._ratio = 0.0

    def of(self, frame: Any, orientation: Orientation) -> Quality:
        """Returns the numbers of the next frame."""
        sample = convert(
            self._grid,
            frame,
            width=_GRID[0],
            height=_GRID[1],
            format="rgb24",
            src_colorspace=assumed_matrix(frame, self._untagged),
            interpolation=Interpolation.POINT,
        )
        rgb: Any = sample.to_ndarray()
        luminance, contrast, red, green, blue = colour(rgb)
        if min(frame.width, frame.height) < 3:
            return Quality(0.0, luminance, contrast, 0.0, red, green, blue)
        luma, level, full_range = self._luma(frame)
        # Blacker than black and whiter than white are flat in RGB.
        low, high = (0, 255 * level) if full_range else (16 * level, 235 * level)
        unit = 4 * (high - low) / 255
        response = np.abs(_screen(luma.T if orientation.transpose else luma, low, high))
        ratio = self._uniform_row_ratio(frame, orientation, response >= _TEXTURED_RESPONSE * unit)
        return Quality(ratio, luminance, contrast, _spread(response) / unit, red, green, blue)

    def _uniform_row_ratio(
        self, frame: Any, orientation: Orientation, textured: NDArray[np.bool_]
    ) -> float:
        n_rows = textured.shape[1]
        width, _ = shrunk_size(*orientation.size(frame.width, frame.height))
        too_many = (1 - UNIFORM_SHARE) * (width - 2)
        undecided = np.flatnonzero(textured.sum(axis=(0, 2)) < too_many)
        self._credit = min(self._credit + 1 / _REFRESH_EVERY, _MAX_CREDIT)
        self._age += 1
        if len(undecided) <= _UNDECIDED_SHARE * n_rows:
            self._n_undecided, self._ratio = 0, 0.0
        elif self._age >= _REFRESH_EVERY or self._has_changed(len(undecided), n_rows):
            uniform = uniform_rows(self._grey_of(frame, orientation), undecided)
            self._n_undecided, self._ratio = len(undecided), float(uniform.sum()) / n_rows
            self._credit -= 1
            self._age = 0
        return self._ratio

    def _has_changed(self, n_undecided: int, n_rows: int) -> bool:
        return self._credit >= 1 and abs(n_undecided - self._n_undecided) > _CHANGE * n_rows

    def _luma(self, frame: Any) -> tuple[NDArray[np.uint8 | np.uint16], int, bool]:
        """Returns (luma as coded (height, width), steps of an 8-bit level, whether full range)."""
        layout = _luma_layout(frame.format.name)
        if layout is None:
            return self._gray_plane(frame), 1, True
        plane = frame.planes[0]
        lines = np.frombuffer(plane, layout.dtype).reshape(plane.height, -1)
        full_range = layout.full_range or frame.color_range == ColorRange.JPEG
        return lines[: frame.height, : frame.width], layout.level, full_range

    def _gray_plane(self, frame: Any) -> NDArray[np.uint8]:
        gray: Any = convert(self._gray, frame, format="gray", dst_color_range=ColorRange.JPEG)
        luma: NDArray[np.uint8] = gray.to_ndarray()
        return luma

    def _grey_of(self, frame: Any, orientation: Orientation) -> NDArray[np.uint8]:
        """Returns the upright picture in grey levels of 0 to 255, by way of RGB."""
        matrix = assumed_matrix(frame, self._untagged)
        rgb: Any = convert(self._rgb, frame, format="rgb24", src_colorspace=matrix).to_ndarray()
        return np.asarray(
            Image.fromarray(np.ascontiguousarray(orientation.apply(rgb))).convert("L")
        )


class _LumaLayout(NamedTuple):
    dtype: str
    level: int
    full_range: bool


@lru_cache(maxsize=256)
def _luma_layout(name: str) -> _LumaLayout | None:
    """Returns how plane 0 of a pixel format holds luma alone; None where it does not."""
    pixels = av.VideoFormat(name)
    bits = pixels.components[0].bits
    is_luma_plane = name.startswith(("yuv", "nv12", "gray")) and (
        pixels.is_planar or len(pixels.components) == 1
    )
    if not is_luma_plane or bits not in range(8, 17):
        return None
    order = ">" if pixels.is_big_endian else "<"
    dtype = "u1" if bits == 8 else f"{order}u2"
    return _LumaLayout(dtype, 1 << (bits - 8), name.startswith(("yuvj", "gray")))


class _Places(NamedTuple):
    """Where the screen looks: upper, then lower source lines; bands; pairs of columns in them."""

    rows: NDArray[np.intp]
    bands: tuple[slice, ...]
    columns: tuple[NDArray[np.intp], NDArray[np.intp]]


@lru_cache(maxsize=64)
def _places(width: int, height: int) -> _Places:
    new_width, new_height = shrunk_size(width, height)
    top, bottom, _ = taps(height, new_height)
    left, right, _ = taps(width, new_width)
    n_bands = _BANDS if new_width >= _BANDS * _BAND_COLUMNS else 1
    n_columns = min(_BAND_COLUMNS, new_width) if n_bands > 1 else new_width
    first = [int((band + 0.5) / n_bands * new_width - n_columns / 2) for band in range(n_bands)]
    columns = slice(first[0], first[0] + n_columns)
    pairs = left[columns] - left[first[0]], right[columns] - left[first[0]]
    span = int(pairs[1].max()) + 1
    starts = [min(int(left[place]), width - span) for place in first]
    return _Places(np.concatenate((top, bottom)), tuple(slice(s, s + span) for s in starts), pairs)


def _screen(luma: NDArray[np.uint8 | np.uint16], low: int, high: int) -> NDArray[np.int32]:
    """Returns the Laplacian of the sampled bands at reduced height, in quarters of a level.

    Each pixel is the mean of the four that bilinear scaling would weigh: noise is averaged more,
    so that the screen errs towards uniform.

    Returns:
        Shape (bands, rows, columns).
    """
    places = _places(luma.shape[1], luma.shape[0])
    kind = np.int16 if luma.dtype == np.uint8 else np.int32
    lines = np.stack([luma[:, band].take(places.rows, axis=0) for band in places.bands])
    upper, lower = np.split(lines.clip(low, high).astype(kind), 2, axis=1)
    upper += lower
    left, right = places.columns
    grey = upper.take(left, axis=2)
    grey += upper.take(right, axis=2)
    return laplacian(grey)


def _spread(response: NDArray[np.int32]) -> float:
    """Returns the root mean square."""
    flat = response.ravel().astype(np.float32)
    return math.sqrt(float(np.dot(flat, flat)) / flat.size)
