"""Boxes of objects in an upright picture, brought to whole pixels of it.

Arithmetic only; where boxes come from is the business of who reads predictions, what is in them
that of `crops.py`.
"""

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
"""Shape (K, 4): x, y, width and height of each box, from the picture's top left corner."""
PixelBoxes = NDArray[np.int32]
"""Shape (K, 4): x, y, width and height in whole pixels, inside the picture."""

# Less of a pixel is rounding: a third of 1920 pixels may end at 640.0000000001.
_ROUNDING = 1e-6


def pixel_boxes(boxes: Boxes, width: int, height: int) -> PixelBoxes:
    """Returns the pixels that boxes touch, clipped to the picture.

    Args:
        boxes: In pixels.
        width: Of the upright picture, pixels.
        height: Of the upright picture, pixels.

    Raises:
        ValueError: A box has no pixel of the picture; the message is for people.
    """
    ends = boxes[:, :2] + boxes[:, 2:]
    room = np.array([width, height])
    # Clipped before they become whole numbers: a box may be as large as a float.
    first = np.clip(np.floor(boxes[:, :2] + _ROUNDING), 0, room).astype(np.int32)
    last = np.clip(np.ceil(ends - _ROUNDING), 0, room).astype(np.int32)
    sizes = last - first
    empty = np.flatnonzero((sizes <= 0).any(axis=1))
    if len(empty):
        place = int(empty[0])
        shown = ", ".join(f"{number:g}" for number in boxes[place])
        raise ValueError(
            f"predictions[{place}]: the box [{shown}] lies outside of the picture of "
            f"{width} x {height} pixels"
        )
    return np.hstack([first, sizes])


def scaled_boxes(shares: Boxes, width: int, height: int) -> Boxes:
    """Returns boxes in pixels of boxes in shares of the picture."""
    return shares * np.array([width, height, width, height], dtype=np.float64)
