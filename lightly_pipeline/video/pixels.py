"""Decoded planes become a checksum, a small RGB image or a full one.

Each function looks at one `av.VideoFrame`; which frames there are is `decode.py`'s business.
"""

from functools import lru_cache
from typing import Any

import av
import numpy as np
import xxhash
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video.colour import assumed_matrix
from lightly_pipeline.video.cpu import avoid_gathers
from lightly_pipeline.video.messages import MessageCapture
from lightly_pipeline.video.orientation import Orientation
from lightly_pipeline.video.types import FrameInput, UntaggedMatrix

_ACCURATE = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_RESAMPLERS = {
    "area": Interpolation.AREA | _ACCURATE,
    "bilinear": Interpolation.BILINEAR | _ACCURATE,
    "bicubic": Interpolation.BICUBIC | _ACCURATE,
}
_PALETTE_BYTES = 1024
_CHANNELS_OF_GBRP = (1, 2, 0)

avoid_gathers()


class SmallImages:
    """Scales frames straight from their planes to what an encoder wants.

    One object per thread: it keeps swscale's context from frame to frame.
    """

    def __init__(self, wanted: FrameInput, untagged_matrix: UntaggedMatrix) -> None:
        self._wanted, self._untagged = wanted, untagged_matrix
        self._flags = _RESAMPLERS[wanted.resampler]
        self._reformatter = VideoReformatter()

    def of(self, frame: Any, orientation: Orientation) -> NDArray[np.uint8]:
        """Returns the upright small image, shape (height, width, 3)."""
        upright = orientation.size(frame.width, frame.height)
        width, height = orientation.size(*self._wanted.scaled_size(*upright))
        scaled = convert(
            self._reformatter,
            frame,
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=assumed_matrix(frame, self._untagged),
            interpolation=self._flags,
        )
        return self._wanted.middle(orientation.apply(_rgb_of(scaled)))


class FullImages:
    """Converts frames to RGB at full size with interpolated chroma.

    Other than RGB, swscale writes planes of RGB in a third of the time of pixels, and the same
    numbers; of RGB with 5 or 6 bits a channel it would make others.
    """

    def __init__(self, untagged_matrix: UntaggedMatrix) -> None:
        self._untagged = untagged_matrix
        self._reformatter = VideoReformatter()

    def of(
        self, frame: Any, orientation: Orientation, like: Any | None = None
    ) -> NDArray[np.uint8]:
        """Returns an owned, contiguous, upright array, shape (height, width, 3).

        Args:
            frame: An `av.VideoFrame`.
            orientation: How it has to be turned.
            like: The frame that it is a part of, whose size may decide over its colours.
        """
        rgb = convert(
            self._reformatter,
            frame,
            format="rgb24" if frame.format.is_rgb else "gbrp",
            src_colorspace=assumed_matrix(like or frame, self._untagged),
            interpolation=_RESAMPLERS["bicubic"],
        )
        if frame.format.is_rgb:
            return np.array(orientation.apply(_rgb_of(rgb)), dtype=np.uint8, order="C")
        width, height = orientation.size(frame.width, frame.height)
        upright = np.empty((height, width, 3), dtype=np.uint8)
        for channel, plane in zip(_CHANNELS_OF_GBRP, rgb.planes, strict=True):
            lines = np.frombuffer(plane, dtype=np.uint8).reshape(plane.height, plane.line_size)
            upright[..., channel] = orientation.apply(lines[:, : plane.width])
        return upright


def convert(reformatter: VideoReformatter, frame: Any, **options: Any) -> Any:
    """Returns `reformatter.reformat(frame, **options)`, made on this thread.

    Raises:
        CorruptVideoError: FFmpeg cannot convert such pictures.
    """
    try:
        with MessageCapture():
            return reformatter.reformat(frame, threads=1, **options)
    except av.FFmpegError as error:
        reason = error.strerror or type(error).__name__
        raise CorruptVideoError(
            f"pictures of format {frame.format.name} cannot be converted: {reason}"
        ) from None


def _rgb_of(frame: Any) -> NDArray[np.uint8]:
    """Returns an rgb24 frame's pixels as a view."""
    view: NDArray[np.uint8] = frame.to_ndarray()
    return view


def checksum(frame: Any) -> int:
    """Returns xxh3_64 of the visible bytes of all planes, with size and format mixed in."""
    name = frame.format.name
    state = xxhash.xxh3_64(f"{name} {frame.width}x{frame.height}".encode())
    planes = frame.planes
    layout = _row_bytes(name, tuple(plane.width for plane in planes))
    for plane, row_bytes in zip(planes, layout, strict=False):
        line_bytes = plane.line_size
        if line_bytes == row_bytes:
            state.update(memoryview(plane)[: row_bytes * plane.height])
        elif not line_bytes:
            state.update(memoryview(plane))
        else:
            # Row padding is garbage that differs from run to run.
            lines = np.frombuffer(plane, dtype=np.uint8)[: line_bytes * plane.height]
            visible = lines.reshape(plane.height, line_bytes)[:, :row_bytes]
            state.update(np.ascontiguousarray(visible).data)
    return state.intdigest()


@lru_cache(maxsize=256)
def _row_bytes(name: str, widths: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the visible bytes in one line of each plane."""
    video_format = av.VideoFormat(name)
    components = video_format.components
    if name == "pal8":
        # Of the palette, which has no lines, PyAV gives all bytes.
        return (widths[0], _PALETTE_BYTES)
    if len(widths) == 1:
        return ((widths[0] * video_format.padded_bits_per_pixel + 7) // 8,)
    if len(widths) == len(components):
        return tuple(w * ((c.bits + 7) // 8) for w, c in zip(widths, components, strict=True))
    # Luma and interleaved chroma, as in nv12.
    return tuple(
        w * ((components[0].bits + 7) // 8) * (1 if i == 0 else 2) for i, w in enumerate(widths)
    )
