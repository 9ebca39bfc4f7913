"""Sample videos for a first run: scenes of very different length and content, one file broken.

Drawing is in `scenes.py`; this module encodes. Running the chain on them is the command line's
business.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MARKER = "sample-videos-2"
_FPS = 25
# What stands where a broken recording would: the header of an MP4, and nothing that it promises.
_BROKEN = (
    b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41" + b"\x00\x00\x10\x00mdat" + bytes(4088)
)


@dataclass(frozen=True, slots=True)
class _Clip:
    path: str
    codec: str
    pixel_format: str
    size: tuple[int, int]
    shots: tuple[tuple[str, float], ...]
    options: tuple[tuple[str, str], ...] = ()


_CLIPS = (
    _Clip(
        "street/drive.mp4",
        "libx264",
        "yuv420p",
        (640, 360),
        (("hills", 20.0), ("night", 2.0), ("forest", 6.0)),
        (("preset", "veryfast"), ("crf", "23")),
    ),
    _Clip(
        "street/crossing.mp4",
        "libx264",
        "yuv420p",
        (640, 360),
        (("blocks", 8.0),),
        (("preset", "veryfast"), ("crf", "23")),
    ),
    _Clip(
        "drone/coast.webm",
        "libsvtav1",
        "yuv420p",
        (480, 270),
        (("sea", 10.0), ("desert", 1.0)),
        (("preset", "12"), ("crf", "40")),
    ),
    _Clip(
        "archive/broadcast.mpg",
        "mpeg2video",
        "yuv420p",
        (352, 288),
        (("studio", 6.0), ("clock", 4.0)),
    ),
    _Clip("archive/cd-rom/orbit.avi", "cinepak", "rgb24", (160, 120), (("planets", 4.0),)),
)


def make_demo_videos(folder: Path) -> list[Path]:
    """Makes the sample videos in a folder, unless they are there already.

    Returns:
        The files, the broken one included.
    """
    # SVT-AV1 describes itself at length unless told not to.
    os.environ.setdefault("SVT_LOG", "1")
    marker = folder / f".{_MARKER}"
    files = [folder / clip.path for clip in _CLIPS]
    broken = folder / "street" / "broken.mp4"
    if not marker.exists():
        for clip, file in zip(_CLIPS, files, strict=True):
            _encode(clip, file)
        broken.write_bytes(_BROKEN)
        marker.touch()
    return [*files, broken]


def _encode(clip: _Clip, file: Path) -> None:
    import av

    from lightly_pipeline.demo.scenes import draw

    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as container:
        stream: Any = container.add_stream(clip.codec, rate=_FPS, options=dict(clip.options))
        stream.width, stream.height = clip.size
        stream.pix_fmt = clip.pixel_format
        for picture in _pictures(clip.shots, clip.size, draw):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _pictures(shots: Sequence[tuple[str, float]], size: tuple[int, int], draw: Any) -> Any:
    for name, seconds in shots:
        n_frames = round(seconds * _FPS)
        for i in range(n_frames):
            yield draw(name, i / _FPS, size)
