"""Opens untrusted files: only video containers, only known decoders, bounded pictures.

Which stream is read is decided in `streams.py`; decoding is in `decode.py`.
"""

import os
import struct
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.stream

from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video import reasons
from lightly_pipeline.video.bounds import Meter, MeteredReader
from lightly_pipeline.video.encryption import is_scrambled
from lightly_pipeline.video.messages import MessageCapture
from lightly_pipeline.video.streams import ChosenStream, check_codec, choose_stream
from lightly_pipeline.video.types import DecodeLimits, VideoInfo

# Playlists, SDP, images and subtitles are demuxers too: a file named .mp4 must not reach them.
_DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,avi,mpeg,mpegts,mpegvideo,matroska,webm,hevc"
_RIFF = struct.Struct("<4sI4s")
_RIFF_HEAD_BYTES = 8
_BOX = struct.Struct(">I4s")
_MAX_BOXES = 16
# What may come before the first fragment of an MP4.
_BOXES_BEFORE = frozenset((b"ftyp", b"styp", b"moov", b"sidx", b"free", b"skip", b"uuid", b"emsg"))
_BUFFER_BYTES = 256 * 1024
_APPLE_DOUBLE = bytes.fromhex("00051607")
_MAX_WORDS = 2
_TRANSPORT_STREAM = "mpegts"
# Recorders give the streams of a programme other PIDs in mid recording.
_FOLLOW_PIDS = {"merge_pmt_versions": "1"}
_NO_INDEX = "moov atom not found"


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
        incomplete: Stream and dts of packets, read on opening, with parts missing.
        size_bytes: Of the file.
        video_stream: Which of the video streams was asked for; None for FFmpeg's choice.
        is_scrambled: Looks whether the file is a scrambled transport stream.
    """

    container: Any
    stream: Any
    info: VideoInfo
    meter: Meter
    messages: Mapping[str, int]
    is_cut: bool
    incomplete: Collection[tuple[int, int]]
    size_bytes: int
    video_stream: int | None
    is_scrambled: Callable[[], bool]


@contextmanager
def open_stream(
    source: str | os.PathLike[str] | BinaryIO,
    limits: DecodeLimits,
    *,
    seeks: bool = False,
    video_stream: int | None = None,
) -> Iterator[OpenedStream]:
    """Opens a video for one pass with one decoder thread.

    Args:
        source: A path, or a seekable binary reader, which is rewound first.
        limits: Bounds on the pictures.
        seeks: Whether there will be seeking, instead of reading on.
        video_stream: Which of the video streams to read, from 0; FFmpeg's choice by default.

    Raises:
        CorruptVideoError: It is not a video this package reads, with the reason.
        OSError: From the reader, unchanged.
    """
    with _as_file(source) as file:
        reader = MeteredReader(file, limits)
        is_cut = _is_cut_riff(file, reader.size_bytes)
        messages: Counter[str] = Counter()
        said = MessageCapture(messages, of_failures=True)
        is_unindexed = not seeks and _is_fragmented(file)
        flags = {"fflags": "+ignidx"} if is_unindexed else {}
        container = _open_following_pids(reader, limits, flags, messages, said)
        try:
            chosen = choose_stream(container, video_stream)
            _discard_others(container, chosen.stream)
            _prepare(chosen.stream, limits)
            # Without the index only the first fragment's duration is known by then.
            info = _info(container, chosen, None if is_unindexed else container.duration)
            reader.meter.expect(info.duration_s)
            yield OpenedStream(
                container,
                chosen.stream,
                info,
                reader.meter,
                messages,
                is_cut,
                said.incomplete,
                reader.size_bytes,
                video_stream,
                partial(is_scrambled, reader),
            )
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


def _open_following_pids(
    reader: MeteredReader,
    limits: DecodeLimits,
    flags: Mapping[str, str],
    messages: Counter[str],
    said: MessageCapture,
) -> Any:
    container = _open(reader, limits, {**flags, **_FOLLOW_PIDS}, messages, said)
    if container.streams.video or container.format.name != _TRANSPORT_STREAM:
        return container
    # A video that begins late was taken for the sound whose place it has in the tables.
    container.close()
    reader.seek(0)
    return _open(reader, limits, flags, messages, said)


def _open(
    reader: MeteredReader,
    limits: DecodeLimits,
    flags: Mapping[str, str],
    messages: Counter[str],
    said: MessageCapture,
) -> Any:
    options = {
        **flags,
        "format_whitelist": _DEMUXERS,
        "protocol_whitelist": "",
        "max_pixels": str(limits.max_pixels),
    }
    try:
        with said, reader.meter:
            return av.open(
                reader, options=options, metadata_errors="replace", buffer_size=_BUFFER_BYTES
            )
    except (av.FFmpegError, MemoryError) as error:
        raise CorruptVideoError(_open_reason(error, messages, reader)) from None


def _open_reason(
    error: av.FFmpegError | MemoryError, said: Mapping[str, int], reader: MeteredReader
) -> str:
    if isinstance(error, MemoryError):
        return reasons.OPENING_TAKES_MEMORY()
    reader.seek(0)
    if reader.read(len(_APPLE_DOUBLE)) == _APPLE_DOUBLE:
        return reasons.APPLE_DOUBLE()
    if any(_NO_INDEX in text for text in said):
        return reasons.INDEX_MISSING()
    if is_scrambled(reader):
        return reasons.ENCRYPTED(how="scrambled transport stream")
    if isinstance(error, av.ArgumentError):
        return reasons.NOT_A_CONTAINER()
    text = error.strerror or type(error).__name__
    words = "; ".join([f"{text} ({type(error).__name__})", *sorted(said)[:_MAX_WORDS]])
    return reasons.CANNOT_BE_OPENED(error=words)


def _discard_others(container: Any, stream: Any) -> None:
    for other in container.streams:
        if other is not stream:
            other.discard = av.stream.Discard.all


def _prepare(stream: Any, limits: DecodeLimits) -> None:
    context = stream.codec_context
    check_codec(stream)
    width, height = context.width, context.height
    if width * height > limits.max_pixels:
        raise CorruptVideoError(
            reasons.PICTURES_TOO_LARGE(width=width, height=height, limit=limits.max_pixels)
        )
    # Both are needed: the container's options bound the probing, these the decoding.
    context.options = {"max_pixels": str(limits.max_pixels)}
    context.thread_type = "NONE"
    context.thread_count = 1


def _info(container: Any, chosen: ChosenStream, duration: int | None) -> VideoInfo:
    stream, context = chosen.stream, chosen.stream.codec_context
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
        stream=chosen.note,
        warnings=chosen.warnings + _warnings(container, context.codec.name),
    )


def _warnings(container: Any, codec: str) -> tuple[str, ...]:
    """Returns Lightly's advice: MOV with H.265 and iPhone recordings are slow."""
    metadata = {key.lower(): value for key, value in container.metadata.items()}
    quicktime = metadata.get("major_brand", "").strip() == "qt"
    if "iphone" in metadata.get("com.apple.quicktime.model", "").lower():
        return (reasons.SLOW(what="an iPhone recording"),)
    if quicktime and codec == "hevc":
        return (reasons.SLOW(what="MOV with H.265"),)
    return ()
