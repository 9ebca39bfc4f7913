"""Takes the quality numbers off decoded frames at a few per cent of the decoding.

Chooses which pixels to look at and when to look closely; what the numbers mean is in `quality.py`,
the look at the luma in `screen.py`.
The numbers depend on the video alone, not on the encoder or its small image.
"""

from collections.abc import Sequence
from fractions import Fraction
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
from lightly_pipeline.video.quality.numbers import (
    UNIFORM_SHARE,
    Quality,
    colour,
    shrunk_size,
    uniform_rows,
)
from lightly_pipeline.video.quality.screen import Screen, sampled, screened
from lightly_pipeline.video.types import UntaggedMatrix

_GRID = (96, 54)
# Pixels; a smaller picture has no inner rows or columns.
_MIN_SIDE = 3
# Grey levels; a luma pixel that responds so strongly is not uniform in the RGB picture either.
_TEXTURED_RESPONSE = 6
# Shares of rows: with fewer undecided ones the ratio cannot reach its usual threshold, 0.025.
_UNDECIDED_SHARE, _CHANGE = 0.02, 0.02
_REFRESH_EVERY, _MAX_CREDIT = 32, 16.0
# Rows; more leave the cache.
_JUDGED_AT_ONCE = 64
PERIOD_S = 30
"""Playing time after which the numbers begin anew, at the next key frame."""


class Periods:
    """Finds the key frames at which the numbers of a video begin anew.

    The first one of each period of its own clock: where that is, only the key frame before and the
    frame itself decide. So a part of a video that begins at one has the numbers of the whole.

    Args:
        time_base: Seconds per unit of pts.
    """

    def __init__(self, time_base: Fraction | None) -> None:
        self._time_base = time_base
        self._last: int | None = None

    def begins(self, pts: int | None, *, is_key: bool) -> bool:
        """Returns whether the next frame of the video is such a key frame."""
        if not is_key or pts is None or self._time_base is None:
            return False
        before, self._last = self._last, self.number(pts)
        return before != self._last

    def number(self, pts: int) -> int:
        """Returns the number of the period that a time is in."""
        assert self._time_base is not None
        return pts * self._time_base.numerator // (self._time_base.denominator * PERIOD_S)

    def seconds(self, pts: int) -> float:
        """Returns a time in seconds."""
        return float(pts * (self._time_base or 0))


class Glance(NamedTuple):
    """What is looked at of a frame.

    Attributes:
        frame: The decoded frame itself, for the rows that the samples leave undecided.
        orientation: How it has to be turned.
        rgb: Pixels on a regular grid, shape (rows, columns, 3).
        lines: Of `screen.sampled`; none of a picture without inner rows or columns.
        low: What black is coded as in `lines`.
        high: What white is coded as.
        begins: Whether nothing of the frames before counts any more.
    """

    frame: Any
    orientation: Orientation
    rgb: NDArray[np.uint8]
    lines: NDArray[np.uint8 | np.uint16]
    low: int
    high: int
    begins: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the upright picture."""
        return self.orientation.size(self.frame.width, self.frame.height)


class QualityMeter:
    """Measures the frames of one video in their order.

    The ratio of uniform rows has two stages. A screen of the luma looks at three bands of 34
    columns at the height that uniform rows are defined at: a row in which it finds more textured
    pixels than a uniform row may have is decided. The others are judged by the letter on the RGB
    picture, which takes 3 ms. In runs of frames with such rows (letterboxed, black, drawn
    material) that is done when their number, or that of rows without any texture, differs from the
    last such frame's by 2 % of all rows, and for every 32nd frame; the frames between carry the
    value on. It is done for one frame in 32 on average, and for 16 in a row. All of that begins
    anew with each of `Periods`.
    """

    def __init__(self, untagged_matrix: UntaggedMatrix) -> None:
        self._untagged = untagged_matrix
        self._grid, self._rgb, self._gray = (VideoReformatter() for _ in range(3))
        self._begin()

    def _begin(self) -> None:
        self._credit = _MAX_CREDIT
        self._age = 0
        self._judged = 0, 0
        self._ratio = 0.0

    def glance(self, frame: Any, orientation: Orientation, *, begins: bool = False) -> Glance:
        """Copies what `of` needs of a frame, best while its planes are in the cache.

        Args:
            frame: PyAV's.
            orientation: How it has to be turned.
            begins: Whether the numbers begin anew with it.
        """
        sample = convert(
            self._grid,
            frame,
            width=_GRID[0],
            height=_GRID[1],
            format="rgb24",
            src_colorspace=assumed_matrix(frame, self._untagged),
            interpolation=Interpolation.POINT,
        )
        luma, level, full_range = self._luma(frame)
        # Blacker than black and whiter than white are flat in RGB.
        low, high = (0, 255 * level) if full_range else (16 * level, 235 * level)
        width, height = frame.width, frame.height
        if orientation.transpose:
            luma = luma[:height, :width].T
        is_tiny = min(width, height) < _MIN_SIDE
        lines = luma[:0] if is_tiny else sampled(luma, orientation.size(width, height))
        return Glance(frame, orientation, sample.to_ndarray(), lines, low, high, begins)

    def of(self, glances: Sequence[Glance]) -> list[Quality]:
        """Returns the numbers of the next frames: for eight together in three quarters the time.

        Decoding a frame takes all of the cache, so that each first step is a slow one.
        """
        return [self._of(glance) for glance in glances]

    def _of(self, glance: Glance) -> Quality:
        if glance.begins:
            self._begin()
        luminance, contrast, red, green, blue = colour(glance.rgb)
        if not len(glance.lines):
            return Quality(0.0, luminance, contrast, 0.0, red, green, blue)
        unit = 4 * (glance.high - glance.low) / 255
        screen = screened(glance.lines, glance.size, glance.low, glance.high)
        ratio = self._uniform_row_ratio(glance, screen, _TEXTURED_RESPONSE * unit)
        return Quality(ratio, luminance, contrast, screen.spread() / unit, red, green, blue)

    def _uniform_row_ratio(self, glance: Glance, screen: Screen, textured: float) -> float:
        found = screen.n_at_least(textured)
        n_rows = len(found)
        width, _ = shrunk_size(*glance.size)
        is_undecided = found < (1 - UNIFORM_SHARE) * (width - 2)
        n_undecided = int(np.count_nonzero(is_undecided))
        self._credit = min(self._credit + 1 / _REFRESH_EVERY, _MAX_CREDIT)
        self._age += 1
        if n_undecided <= _UNDECIDED_SHARE * n_rows:
            return 0.0
        n_calm = int(np.count_nonzero(found <= (1 - UNIFORM_SHARE) * screen.n_columns))
        now = n_undecided, n_calm
        changed = any(abs(a - b) > _CHANGE * n_rows for a, b in zip(now, self._judged, strict=True))
        if self._credit >= 1 and (changed or self._age >= _REFRESH_EVERY):
            picture = self._rgb_of(glance.frame, glance.orientation)
            self._ratio = _n_uniform(picture, np.flatnonzero(is_undecided)) / n_rows
            self._judged = now
            self._credit -= 1
            self._age = 0
        return self._ratio

    def _luma(self, frame: Any) -> tuple[NDArray[np.uint8 | np.uint16], int, bool]:
        """Returns (luma as coded, steps of an 8-bit level, whether full range).

        The luma may have more lines and columns than the picture.
        """
        layout = _luma_layout(frame.format.name)
        if layout is None:
            return self._gray_plane(frame), 1, True
        plane = frame.planes[0]
        lines = np.frombuffer(plane, layout.dtype).reshape(plane.height, -1)
        full_range = layout.full_range or frame.color_range == ColorRange.JPEG
        return lines, layout.level, full_range

    def _gray_plane(self, frame: Any) -> NDArray[np.uint8]:
        gray: Any = convert(self._gray, frame, format="gray", dst_color_range=ColorRange.JPEG)
        luma: NDArray[np.uint8] = gray.to_ndarray()
        return luma

    def _rgb_of(self, frame: Any, orientation: Orientation) -> NDArray[np.uint8]:
        matrix = assumed_matrix(frame, self._untagged)
        rgb: Any = convert(self._rgb, frame, format="rgb24", src_colorspace=matrix)
        return orientation.apply(rgb.to_ndarray())


def _n_uniform(picture: NDArray[np.uint8], rows: NDArray[np.intp]) -> int:
    """Returns how many of these rows are uniform by the letter."""
    parts = np.split(rows, range(_JUDGED_AT_ONCE, len(rows), _JUDGED_AT_ONCE))
    size = picture.shape[1], picture.shape[0]
    return sum(
        int(uniform_rows(lambda lines: _grey(picture[lines]), size, part).sum()) for part in parts
    )


def _grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns grey levels as Pillow, and so the original, rounds them."""
    return np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).convert("L"))


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
