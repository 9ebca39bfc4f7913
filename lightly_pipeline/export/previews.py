"""Small pictures of frames for the report: which are wanted, how large, and how they are made.

Values in memory only: nothing is stored here. A preview shows the pixels of the image as it is
stored, so that it is the same whether the frame was decoded just now or its image was there before.
JPEG: at this size it takes a fifth of the time of WebP and about the same bytes.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.export.images import LOSSY_FORMATS, fitted_size
from lightly_pipeline.runs.records import VideoVersion

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_EDGE = 160
"""Pixels that no preview exceeds, neither in width nor in height."""
BUDGET_BYTES = 3_700_000
"""What all previews of a report take together at most: 5 MB as text in a page."""
# (up to so many pictures, longest edge): at the end of a step the budget leaves each 6.1, 2.4 and
# 1.2 kB. Of more, the first ones in the order of picks have a preview.
_STEPS = ((600, MAX_EDGE), (1500, 112), (3000, 80))
_QUALITIES = (60, 40, 20, 5)

FrameKey = tuple[str, int]
"""A frame: path of its video, and index."""


@dataclass(frozen=True, slots=True)
class LeftOutFrames:
    """Frames of one video that were not chosen and are to be shown.

    Attributes:
        version: Of the video.
        indices: Positions among its decoded frames.
    """

    version: VideoVersion
    indices: frozenset[int]


@dataclass(frozen=True, slots=True)
class Preview:
    """A small picture, at most 160 pixels wide and high.

    Attributes:
        content: The encoded picture.
        media_type: Such as "image/jpeg".
        width: Pixels.
        height: Pixels.
    """

    content: bytes
    media_type: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class PreviewPlan:
    """Which previews a report wants.

    Attributes:
        n_chosen: Of so many of the first picks.
        left_out: Of these frames, which were not chosen, by path of their video.
        edge: Longest edge, pixels.
        max_bytes: Of one preview.
    """

    n_chosen: int
    left_out: Mapping[str, LeftOutFrames]
    edge: int
    max_bytes: int

    def of_array(self, rgb: NDArray[np.uint8], size: tuple[int, int]) -> Preview | None:
        """Returns the preview of an (H, W, 3) uint8 array.

        Args:
            rgb: Pixels.
            size: Width and height of the image whose shape the preview has.
        """
        from PIL import Image

        return self._encoded(Image.fromarray(rgb), size)

    def of_image(self, content: bytes) -> Preview | None:
        """Returns the preview of a stored image."""
        from PIL import Image

        image = Image.open(io.BytesIO(content))
        size = image.size
        # A JPEG is decoded at an eighth of its size, where that is enough.
        image.draft("RGB", fitted_size(*size, self.edge))
        return self._encoded(image.convert("RGB"), size)

    def of_stored(
        self, rgb: NDArray[np.uint8], content: bytes, image_format: str
    ) -> Preview | None:
        """Returns the preview of an image that was stored just now, without decoding it if so.

        Args:
            rgb: The pixels that were encoded.
            content: The image.
            image_format: Its format; a lossy one has other pixels than those.
        """
        if image_format in LOSSY_FORMATS:
            return self.of_image(content)
        return self.of_array(rgb, (rgb.shape[1], rgb.shape[0]))

    def _encoded(self, image: "Image", size: tuple[int, int]) -> Preview | None:
        """Returns the picture in the best quality that fits; None where none does."""
        from PIL.Image import Resampling

        width, height = fitted_size(*size, self.edge)
        # Whole pixels are averaged first: an eighth of the time of filtering all of them.
        small = image.resize((width, height), Resampling.BICUBIC, reducing_gap=1.0)
        for quality in _QUALITIES:
            buffer = _NamedBuffer()
            small.save(buffer, quality=quality, optimize=True)
            if buffer.tell() <= self.max_bytes:
                return Preview(buffer.getvalue(), "image/jpeg", width, height)
        return None


class _NamedBuffer(io.BytesIO):
    """Tells Pillow the format by a name: asked for one by its own, it loads five plugins first."""

    name = "preview.jpg"


def plan_previews(n_chosen: int, left_out: Mapping[str, LeftOutFrames]) -> PreviewPlan:
    """Returns which previews fit into the budget, and how large they can be.

    Args:
        n_chosen: Chosen frames.
        left_out: Frames that were not chosen and are to be shown, by path of their video.
    """
    n_left_out = sum(len(frames.indices) for frames in left_out.values())
    wanted = n_chosen + n_left_out
    most, smallest = _STEPS[-1]
    edge = next((edge for limit, edge in _STEPS if wanted <= limit), smallest)
    n_pictures = max(1, min(wanted, most))
    return PreviewPlan(n_pictures - n_left_out, left_out, edge, BUDGET_BYTES // n_pictures)
