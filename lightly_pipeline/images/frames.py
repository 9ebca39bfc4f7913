"""Pixels of an image become what a frame of a video is: a row, and the small image of an encoder.

By the same code: an image that shows what a frame of a video shows has nearly the same embedding.
"""

import av
import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.errors import CorruptImageError, CorruptVideoError
from lightly_pipeline.video.orientation import UPRIGHT
from lightly_pipeline.video.pixels import SmallImages, checksum
from lightly_pipeline.video.quality.meter import QualityMeter
from lightly_pipeline.video.types import DecodedFrame, FrameInput, FrameRow, UntaggedMatrix

# Of RGB nothing is assumed.
_UNTAGGED: UntaggedMatrix = "ffmpeg"


class ImageFrames:
    """Makes frames of pictures; one object per thread.

    Args:
        wanted: The small image that an encoder wants.
    """

    def __init__(self, wanted: FrameInput) -> None:
        self._small = SmallImages(wanted, _UNTAGGED)
        self._quality = QualityMeter(_UNTAGGED)

    def of(self, rgb: NDArray[np.uint8], index: int) -> DecodedFrame:
        """Returns the frame of a picture.

        Args:
            rgb: Shape (H, W, 3), upright.
            index: Its number in its table.

        Raises:
            CorruptImageError: Such a picture cannot be scaled.
        """
        picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        try:
            small = self._small.of(picture, UPRIGHT)
            # No picture's numbers depend on those before it.
            (quality,) = self._quality.of([self._quality.glance(picture, UPRIGHT, begins=True)])
        except CorruptVideoError as error:
            raise CorruptImageError(error.reason) from None
        row = FrameRow(
            index=index,
            pts=None,
            time_s=None,
            keyframe=True,
            corrupt=False,
            damaged=False,
            width=rgb.shape[1],
            height=rgb.shape[0],
            checksum=checksum(picture),
            position=None,
            quality=quality,
        )
        return DecodedFrame(row, small)
