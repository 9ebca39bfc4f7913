"""What the headers inside packets say of their pictures, without decoding.

For numbering: how many pictures come out of a packet, in which order, and whether decoding can
begin there. What is not understood to the last bit is `Unclear`, never guessed. For damage, of
H.264: `picture_numbers.py`, which every packet of every pass goes through.
"""

from collections.abc import Callable

from lightly_pipeline.video import reasons
from lightly_pipeline.video.headers.h264 import H264Headers
from lightly_pipeline.video.headers.hevc import HevcHeaders
from lightly_pipeline.video.headers.intra import MjpegHeaders, ProresHeaders
from lightly_pipeline.video.headers.mpeg import Mpeg4Headers, MpegHeaders
from lightly_pipeline.video.headers.seen import Headers, Seen, Unclear
from lightly_pipeline.video.headers.vpx import Av1Headers, Vp8Headers, Vp9Headers

__all__ = ["Headers", "Seen", "Unclear", "headers_of"]

_BY_CODEC: dict[str, Callable[[bytes], Headers]] = {
    "h264": H264Headers,
    "hevc": HevcHeaders,
    "mpeg1video": MpegHeaders,
    "mpeg2video": MpegHeaders,
    "mpeg4": Mpeg4Headers,
    "vp8": Vp8Headers,
    "vp9": Vp9Headers,
    "libdav1d": Av1Headers,
    "av1": Av1Headers,
    "mjpeg": MjpegHeaders,
    "prores": ProresHeaders,
}


def headers_of(codec: str, extradata: bytes | None) -> Headers:
    """Returns what reads the packets of a stream in file order.

    Args:
        codec: Name of the decoder.
        extradata: What the container keeps for it.

    Raises:
        Unclear: The codec's packets are not understood here.
    """
    if codec not in _BY_CODEC:
        raise Unclear(reasons.CODEC_NOT_UNDERSTOOD(codec=codec))
    return _BY_CODEC[codec](extradata or b"")
