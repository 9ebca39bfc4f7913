"""What is inside a box of a full picture, and what an encoder wants of it.

Takes RGB as `FullImages` makes it, so an object has the colours of the stored image; which boxes
there are is in `boxes.py`.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lightly_pipeline.video.types import FrameInput

_RESAMPLERS = {
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def cropped(rgb: NDArray[np.uint8], box: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Returns the pixels in a box (x, y, width, height), as a view of an (H, W, 3) array."""
    x, y, width, height = (int(number) for number in box)
    return rgb[y : y + height, x : x + width]


def small_picture(picture: Image.Image, wanted: FrameInput) -> NDArray[np.uint8]:
    """Returns what an encoder wants of an upright RGB picture, shape (height, width, 3)."""
    size = wanted.scaled_size(picture.width, picture.height)
    return wanted.middle(np.asarray(picture.resize(size, _RESAMPLERS[wanted.resampler])))


def small_crop(crop: NDArray[np.uint8], wanted: FrameInput) -> NDArray[np.uint8]:
    """Returns what an encoder wants of a crop (H, W, 3), shape (height, width, 3)."""
    return small_picture(Image.fromarray(np.ascontiguousarray(crop)), wanted)
