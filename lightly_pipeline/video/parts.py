"""The pixels in boxes of a decoded picture, without converting all of it to RGB.

A 1080p picture takes 15 ms to convert, a part of 200 x 200 pixels less than half of one. A part has
the numbers of the whole: it begins where blocks of chroma and of swscale do, and reaches so far
beyond its box that no filter sees its edges. Of turned pictures and those of odd sizes, and where
boxes are most of the picture, all of it is converted.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video.boxes import PixelBoxes
from lightly_pipeline.video.crops import cropped
from lightly_pipeline.video.messages import MessageCapture
from lightly_pipeline.video.orientation import UPRIGHT, Orientation
from lightly_pipeline.video.pixels import FullImages

_BLOCK, _MARGIN = 32, 16
_MAX_SHARE = 0.5
_ANY_TIME_BASE = Fraction(1, 1000)

_Region = tuple[int, int, int, int]
"""Left, top, right and bottom."""


def pixels_in(
    images: FullImages, frame: Any, orientation: Orientation, boxes: PixelBoxes
) -> list[NDArray[np.uint8]]:
    """Returns the pixels in each box, shape (height, width, 3), as `FullImages.of` has them there.

    Args:
        images: Converts.
        frame: An `av.VideoFrame`.
        orientation: How it has to be turned.
        boxes: Of the upright picture.

    Raises:
        CorruptVideoError: FFmpeg cannot convert such pictures.
    """
    regions = [_region(box, frame.width, frame.height) for box in boxes.tolist()]
    n_pixels = sum((right - left) * (bottom - top) for left, top, right, bottom in regions)
    # Of chroma that is not there for the last pixels, filters make something else.
    step = 4 if frame.format.chroma_width(4) == 1 else 2
    is_whole = frame.width % step == frame.height % step == 0
    is_regular = orientation == UPRIGHT and is_whole
    if not is_regular or n_pixels > _MAX_SHARE * frame.width * frame.height:
        whole = images.of(frame, orientation)
        return [cropped(whole, box) for box in boxes]
    found = []
    for box, region in zip(boxes, regions, strict=True):
        rgb = images.of(_part(frame, region), UPRIGHT, like=frame)
        found.append(cropped(rgb, box - np.array([region[0], region[1], 0, 0], dtype=np.int32)))
    return found


def _region(box: Iterable[int], width: int, height: int) -> _Region:
    """Returns the blocks that a box and what is around it lie in."""
    x, y, box_width, box_height = box
    return (
        max(x - _MARGIN, 0) // _BLOCK * _BLOCK,
        max(y - _MARGIN, 0) // _BLOCK * _BLOCK,
        min(-(-(x + box_width + _MARGIN) // _BLOCK) * _BLOCK, width),
        min(-(-(y + box_height + _MARGIN) // _BLOCK) * _BLOCK, height),
    )


def _part(frame: Any, region: _Region) -> Any:
    """Returns a region of a frame as a frame, with all its tags; nothing is copied."""
    left, top, right, bottom = region
    graph = Graph()
    try:
        with MessageCapture():
            source = graph.add_buffer(
                width=frame.width,
                height=frame.height,
                format=frame.format,
                time_base=_ANY_TIME_BASE,
            )
            crop = graph.add("crop", f"{right - left}:{bottom - top}:{left}:{top}:exact=1")
            source.link_to(crop)
            crop.link_to(graph.add("buffersink"))
            graph.configure()
            graph.push(frame)
            return graph.pull()
    except av.FFmpegError as error:
        reason = error.strerror or type(error).__name__
        raise CorruptVideoError(
            f"pictures of format {frame.format.name} cannot be cropped: {reason}"
        ) from None
