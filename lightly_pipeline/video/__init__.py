"""Videos become frames: all of them once, or chosen ones again, exactly.

Opening untrusted files, decoding, the small image for an encoder, checksums, fetching. What a
frame means to a selection or where an image goes is not known here. PyAV is loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lightly_pipeline.video.quality.numbers import Quality
from lightly_pipeline.video.report import DecodeReport
from lightly_pipeline.video.sampling import ALL_FRAMES, FrameSampling
from lightly_pipeline.video.types import (
    DecodedFrame,
    DecodeLimits,
    FrameIndex,
    FrameInput,
    FrameRow,
    VideoInfo,
)

if TYPE_CHECKING:
    from lightly_pipeline.video.fetch import FetchedFrame
    from lightly_pipeline.video.reader import Video, open_video

__all__ = [
    "ALL_FRAMES",
    "DecodeLimits",
    "DecodeReport",
    "DecodedFrame",
    "FetchedFrame",
    "FrameIndex",
    "FrameInput",
    "FrameRow",
    "FrameSampling",
    "Quality",
    "Video",
    "VideoInfo",
    "open_video",
]

_HOMES = {"FetchedFrame": "fetch", "Video": "reader", "open_video": "reader"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
