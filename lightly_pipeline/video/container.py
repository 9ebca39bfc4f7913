"""Opens untrusted files: only video containers, only known decoders, bounded pictures.

Gives the container and the stream to read; decoding is in `decode.py`.
"""

import os
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.stream

from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video.bounds import Meter, MeteredReader
from lightly_pipeline.video.messages import MessageCapture
from lightly_pipeline.video.types import DecodeLimits, VideoInfo

# Playlists, SDP, images and subtitles are demuxers too: a file named .mp4 must not reach them.
_DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,avi,mpeg,mpegts,mpegvideo,matroska,webm,hevc"
_DECODERS = frozenset(
    """
    aic amv asv1 asv2 av1 cinepak cfhd cscd cyuv dirac dnxhd dvvideo ffv1 ffvhuff flashsv flv
    fraps h261 h263 h263i h263p h264 hevc huffyuv indeo2 indeo3 indeo4 indeo5 lagarith libdav1d
    magicyuv mjpeg mjpegb mpeg1video mpeg2video mpeg4 mpegvideo msmpeg4 msmpeg4v1 msmpeg4v2 msrle
    msvideo1 prores qtrle rawvideo rpza smc snow svq1 svq3 theora tscc utvideo v210 vc1 vp3 vp4
    vp5 vp6 vp6a vp6f vp7 vp8 vp9 libvpx libvpx-vp9 vvc wmv1 wmv2 wmv3 zlib zmbv 8bps
    """.split()  # noqa: SIM905
)
_RIFF = struct.Struct("<4sI4s")
_RIFF_HEAD_BYTES = 8
_BOX = struct.Struct(">I4s")
_MAX_BOXES = 16
# What may come before the first fragment of an MP4.
_BOXES_BEFORE = frozenset((b"ftyp", b"styp", b"moov", b"sidx", b"free", b"skip", b"uuid", b"emsg"))
_BUFFER_BYTES = 256 * 1024
_SLOW = (
    "{what} decodes slowly; converting it to MP4 with H.264 makes runs faster "
    "(ffmpeg -i IN -c:v libx264 -crf 18 OUT.mp4)"
)


@dataclass(frozen=True, slots=True)
class OpenedStream:
    """An open container and the one stream of it that is read.

    Attributes:
        container: PyAV's.
        stream: PyAV's.
        info: What the container says.
        meter: What reading it costs.
        messages: What FFmpeg said on opening, and how often.
        is_cut: Whether the file is shorter than its header says.
    """

    container: Any
    stream: Any
    info: VideoInfo
    meter: Meter
    messages: Mapping[str, int]
    is_cut: bool


@contextmanager
def open_stream(
    source: str | os.PathLike[str] | BinaryIO, limits: DecodeLimits, *, seeks: bool = False
) -> Iterator[OpenedStream]:
    """Opens a video for one pass with one decoder thread.

    Args:
        source: A path, or a seekable binary reader, which is rewound first.
        limits: Bounds on the pictures.
        seeks: Whether there will be seeking, instead of reading on.

    Raises:
        CorruptVideoError: It is not a video this package reads, with the reason.
        OSError: From the reader, unchanged.
    """
    with _as_file(source) as file:
        reader = MeteredReader(file, limits)
        is_cut = _is_cut_riff(file, reader.size_bytes)
        messages: Counter[str] = Counter()
        with MessageCapture(messages), reader.meter:
            is_unindexed = not seeks and _is_fragmented(file)
            container = _open(reader, limits, {"fflags": "+ignidx"} if is_unindexed else {})
        try:
            stream, note = _choose_stream(container)
            for other in container.streams:
                if other is not stream:
                    other.discard = av.stream.Discard.all
            _prepare(stream, limits)
            info = _info(container, stream, note)
            if is_unindexed:
                # Only the first fragment's is known by then.
                info = replace(info, duration_s=None)
            reader.meter.expect(info.duration_s)
            yield OpenedStream(container, stream, info, reader.meter, messages, is_cut)
        finally:
            # An unclosed container leaks 2 MB until the garbage collector finds it.
            with MessageCapture():
                container.close()


def _as_file(source: str | os.PathLike[str] | BinaryIO) -> AbstractContextManager[BinaryIO]:
    if isinstance(source, str | os.PathLike):
        return Path(source).open("rb", buffering=0)
    return nullcontext(source)


def _is_cut_riff(file: BinaryIO, size_bytes: int) -> bool:
    """Returns whether an AVI file ends within its first RIFF chunk, which FFmpeg passes over."""
    name, length, kind = _RIFF.unpack(file.read(_RIFF.size).ljust(_RIFF.size))
    file.seek(0)
    # Recorders that never went back to the header leave 0 or the largest number there.
    is_known = name == b"RIFF" and kind == b"AVI " and 0 < length < 2**32 - 1
    return bool(is_known and size_bytes < _RIFF_HEAD_BYTES + length)


def _is_fragmented(file: BinaryIO) -> bool:
    """Returns whether a file is an MP4 made of fragments.

    To be able to seek, FFmpeg goes through all of them on opening, which reads the file twice.
    """
    position = 0
    for _ in range(_MAX_BOXES):
        file.seek(position)
        length, kind = _BOX.unpack(file.read(_BOX.size).ljust(_BOX.size))
        if kind not in _BOXES_BEFORE or length < _BOX.size:
            break
        position += length
    file.seek(0)
    return bool(kind == b"moof")


def _open(reader: MeteredReader, limits: DecodeLimits, flags: Mapping[str, str]) -> Any:
    options = {
        **flags,
        "format_whitelist": _DEMUXERS,
        "protocol_whitelist": "",
        "max_pixels": str(limits.max_pixels),
    }
    try:
        return av.open(
            reader, options=options, metadata_errors="replace", buffer_size=_BUFFER_BYTES
        )
    except (av.FFmpegError, MemoryError) as error:
        raise CorruptVideoError(_open_reason(error)) from None


def _open_reason(error: av.FFmpegError | MemoryError) -> str:
    if isinstance(error, MemoryError):
        return "cannot be opened as a video: it asks for more memory than is allowed"
    if isinstance(error, av.ArgumentError):
        return "not a video container this package reads"
    text = error.strerror or type(error).__name__
    return f"cannot be opened as a video: {text} ({type(error).__name__})"


def _choose_stream(container: Any) -> tuple[Any, str]:
    """Returns FFmpeg's best video stream that is a moving picture, else the largest such."""
    candidates = [s for s in container.streams.video if _is_moving_picture(s)]
    if not container.streams.video:
        raise CorruptVideoError("no video stream")
    if not candidates:
        raise CorruptVideoError("no video stream with a known decoder")
    best = container.streams.best("video")
    if best not in candidates:
        best = max(candidates, key=lambda s: s.codec_context.width * s.codec_context.height)
    return best, f"{best.index} of {len(container.streams.video)} video streams"


def _is_moving_picture(stream: Any) -> bool:
    if stream.codec_context is None:
        return False
    flags = av.stream.Disposition
    still = flags.attached_pic | flags.timed_thumbnails
    return not stream.disposition & still


def _prepare(stream: Any, limits: DecodeLimits) -> None:
    context = stream.codec_context
    if context.codec.name not in _DECODERS:
        raise CorruptVideoError(f"codec {context.codec.name} is not on the list of video codecs")
    width, height = context.width, context.height
    if width * height > limits.max_pixels:
        raise CorruptVideoError(f"pictures of {width}x{height} exceed {limits.max_pixels} pixels")
    # Both are needed: the container's options bound the probing, these the decoding.
    context.options = {"max_pixels": str(limits.max_pixels)}
    context.thread_type = "NONE"
    context.thread_count = 1


def _info(container: Any, stream: Any, note: str) -> VideoInfo:
    context = stream.codec_context
    duration = container.duration
    return VideoInfo(
        container=container.format.name,
        codec=context.codec.name,
        pixel_format=context.pix_fmt,
        width=context.width,
        height=context.height,
        time_base=str(stream.time_base),
        fps=float(stream.average_rate) if stream.average_rate else None,
        duration_s=duration / 1e6 if duration and duration > 0 else None,
        pixel_aspect=str(stream.sample_aspect_ratio or context.sample_aspect_ratio or 1),
        stream=note,
        warnings=_warnings(container, context.codec.name),
    )


def _warnings(container: Any, codec: str) -> tuple[str, ...]:
    """Returns Lightly's advice: MOV with H.265 and iPhone recordings are slow."""
    metadata = {key.lower(): value for key, value in container.metadata.items()}
    quicktime = metadata.get("major_brand", "").strip() == "qt"
    if "iphone" in metadata.get("com.apple.quicktime.model", "").lower():
        return (_SLOW.format(what="an iPhone recording"),)
    if quicktime and codec == "hevc":
        return (_SLOW.format(what="MOV with H.265"),)
    return ()
