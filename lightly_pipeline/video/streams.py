"""Which of a container's streams is read: a moving picture that can be decoded, one of them.

Opening the container is in `container.py`; what the streams hold is not looked at here.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import av
import av.stream

from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video import reasons

DECODERS = frozenset(
    """
    aic amv asv1 asv2 av1 cinepak cfhd cscd cyuv dirac dnxhd dvvideo ffv1 ffvhuff flashsv flv
    fraps h261 h263 h263i h263p h264 hevc huffyuv indeo2 indeo3 indeo4 indeo5 lagarith libdav1d
    magicyuv mjpeg mjpegb mpeg1video mpeg2video mpeg4 mpegvideo msmpeg4 msmpeg4v1 msmpeg4v2 msrle
    msvideo1 prores qtrle rawvideo rpza smc snow svq1 svq3 theora tscc utvideo v210 vc1 vp3 vp4
    vp5 vp6 vp6a vp6f vp7 vp8 vp9 libvpx libvpx-vp9 vvc wmv1 wmv2 wmv3 zlib zmbv 8bps
    """.split()  # noqa: SIM905
)
# iTunes' own, and the common sample entry where the codec behind it is not named.
_ENCRYPTED_TAGS = frozenset(("encv", "drmi"))
_ENCRYPTED_WEBM = "enc_key_id"


class ChosenStream(NamedTuple):
    """The stream to read, which of how many video streams it is, and warnings for the owner."""

    stream: Any
    note: str
    warnings: tuple[str, ...]


def choose_stream(container: Any, wanted: int | None) -> ChosenStream:
    """Returns FFmpeg's best video stream that is a moving picture, else the largest such.

    Args:
        container: PyAV's.
        wanted: The place, from 0, of another one among the video streams.

    Raises:
        CorruptVideoError: There is none that can be decoded.
    """
    streams = container.streams.video
    if not streams:
        raise CorruptVideoError(reasons.NO_VIDEO_STREAM())
    moving = [s for s in streams if not _is_still_picture(s)]
    if wanted is not None:
        return _as_wanted(streams, wanted)
    if not moving:
        raise CorruptVideoError(reasons.ONLY_STILL_PICTURES())
    candidates = [s for s in moving if s.codec_context is not None]
    if not candidates:
        raise CorruptVideoError(reasons.NO_KNOWN_DECODER())
    best = container.streams.best("video")
    if best not in candidates:
        best = max(candidates, key=lambda s: s.codec_context.width * s.codec_context.height)
    place = streams.index(best)
    warnings: tuple[str, ...] = ()
    if len(candidates) > 1:
        there = _described(streams)
        warnings = (reasons.SEVERAL_STREAMS(n=len(streams), chosen=place, there=there),)
    return ChosenStream(best, _note(place, streams), warnings)


def _as_wanted(streams: Sequence[Any], wanted: int) -> ChosenStream:
    if wanted >= len(streams):
        raise CorruptVideoError(
            reasons.NO_SUCH_STREAM(wanted=wanted, there=f"it holds {len(streams)}")
        )
    if streams[wanted].codec_context is None:
        raise CorruptVideoError(reasons.NO_KNOWN_DECODER())
    return ChosenStream(streams[wanted], _note(wanted, streams), ())


def check_codec(stream: Any) -> None:
    """Refuses what is encrypted as a whole and decoders that are not on the list.

    Raises:
        CorruptVideoError: With the reason.
    """
    context = stream.codec_context
    tag = _tag(context)
    if tag in _ENCRYPTED_TAGS:
        raise CorruptVideoError(reasons.ENCRYPTED(how=tag))
    if _ENCRYPTED_WEBM in {key.lower() for key in stream.metadata}:
        raise CorruptVideoError(reasons.ENCRYPTED(how="WebM content encryption"))
    if context.codec.name not in allowed_decoders():
        raise CorruptVideoError(reasons.CODEC_NOT_ALLOWED(codec=context.codec.name))


@cache
def allowed_decoders() -> frozenset[str]:
    """Returns the list by the names that the library itself uses.

    Some are asked for by one name and answer by another: tscc is Camtasia's, cscd CamStudio's.
    """
    names = set()
    for name in DECODERS:
        try:
            names.add(av.codec.Codec(name, "r").name)
        except av.codec.codec.UnknownCodecError:
            # Builds of FFmpeg differ in what they can decode.
            continue
    return frozenset(names)


def _is_still_picture(stream: Any) -> bool:
    flags = av.stream.Disposition
    return bool(stream.disposition & (flags.attached_pic | flags.timed_thumbnails))


def _note(place: int, streams: Sequence[Any]) -> str:
    return f"{place} of {len(streams)} video streams"


def _described(streams: Sequence[Any]) -> str:
    words = []
    for place, stream in enumerate(streams):
        context = stream.codec_context
        name = context.codec.name if context is not None else "unknown"
        # Of a stream that begins later only the codec is known.
        size = f" {context.width}x{context.height}" if context is not None and context.width else ""
        words.append(f"{place}: {name}{size}")
    return ", ".join(words)


def _tag(context: Any) -> str:
    """Returns a codec's four characters; "" where damage made them none."""
    try:
        tag: str = context.codec_tag
    except UnicodeDecodeError:
        return ""
    return tag
