"""Turns pictures upright by the display matrix of their frame.

As `ffmpeg` does it: scales are divided out, and what is nearly one of the eight regular cases
(turns by 90 degrees, mirrors and transposes) is taken for it. Anything else leaves the picture as
it is coded.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from av.sidedata.sidedata import SideDataContainer
from numpy.typing import NDArray

from lightly_pipeline.video import reasons

_TOLERANCE_DEGREES = 1.0


@dataclass(frozen=True, slots=True)
class Orientation:
    """A regular display transform: first transpose, then mirror.

    Attributes:
        transpose: Rows become columns.
        mirror_x: Left becomes right, after transposing.
        mirror_y: Top becomes bottom, after transposing.
        irregular: The matrix is none of the eight, and not applied.
    """

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False
    irregular: bool = False

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Returns the (width, height) of the upright picture."""
        return (height, width) if self.transpose else (width, height)

    def apply(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Returns the upright picture of an array of shape (H, W) or (H, W, 3), as a view."""
        if self.transpose:
            picture = picture.swapaxes(0, 1)
        return picture[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]

    def __str__(self) -> str:
        if self.irregular:
            return reasons.LEFT_AS_CODED()
        names = [n for n in ("transpose", "mirror_x", "mirror_y") if getattr(self, n)]
        return "+".join(names) or "upright"


UPRIGHT = Orientation()
# By the counter-clockwise angle that FFmpeg computes from a matrix.
_TURNS = {
    0: UPRIGHT,
    90: Orientation(transpose=True, mirror_y=True),
    180: Orientation(mirror_x=True, mirror_y=True),
    270: Orientation(transpose=True, mirror_x=True),
}


def orientation_of(frame: Any) -> Orientation:
    """Returns how a decoded `av.VideoFrame` has to be turned."""
    try:
        # Not `frame.side_data`: PyAV ties that and the frame in a circle, so that its memory stays
        # until the collector comes. What FFmpeg puts where data is missing depends on what is free.
        side_data = SideDataContainer(frame).get("DISPLAYMATRIX")  # type: ignore[call-arg]  # untold
    except ValueError:
        # PyAV 18 does not know all kinds of FFmpeg 8.1 (stereo views) and then gives none.
        return _TURNS.get(frame.rotation % 360, Orientation(irregular=True))
    if side_data is None:
        return UPRIGHT
    return from_matrix(np.frombuffer(bytes(side_data), dtype=np.int32))


def from_matrix(matrix: NDArray[np.int32]) -> Orientation:
    """Returns the transform of a 3 x 3 display matrix (16.16 fixed point, FFmpeg's display.h).

    A picture point (x, y) is shown at (a x + c y, b x + d y).
    """
    a, b, c, d = (int(matrix[i]) for i in (0, 1, 3, 4))
    # As av_display_rotation_get() has it.
    scale_x, scale_y = math.hypot(a, c), math.hypot(b, d)
    if not scale_x or not scale_y:
        return Orientation(irregular=True)
    angle = math.degrees(math.atan2(b / scale_y, a / scale_x))
    quarters = round(angle / 90)
    if abs(angle - 90 * quarters) >= _TOLERANCE_DEGREES:
        return Orientation(irregular=True)
    if quarters % 2:
        return Orientation(transpose=True, mirror_x=c < 0, mirror_y=b < 0)
    return Orientation(mirror_x=a < 0, mirror_y=d < 0)
