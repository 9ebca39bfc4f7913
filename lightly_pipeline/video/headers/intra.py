"""Codecs of which every packet is a picture that needs no other."""

from lightly_pipeline.video import reasons
from lightly_pipeline.video.headers.seen import Seen, Unclear

_BEGIN, _END = b"\xff\xd8\xff", b"\xff\xd9"
_PRORES = b"icpf"


class MjpegHeaders:
    """Reads packets of MJPEG; pairs of fields are unclear."""

    reorder: int | None = None

    def __init__(self, extradata: bytes) -> None:
        del extradata
        self._n = 0

    def look(self, packet: bytes) -> Seen:
        """Returns what a packet says; see `Headers.look`."""
        is_whole = packet.startswith(_BEGIN) and packet.rstrip(b"\x00").endswith(_END)
        if not is_whole or packet.count(_BEGIN) > 1:
            raise Unclear(reasons.NOT_ONE_PICTURE())
        self._n += 1
        return Seen(True, (self._n,), True, True)


class ProresHeaders:
    """Reads packets of ProRes."""

    reorder: int | None = None

    def __init__(self, extradata: bytes) -> None:
        del extradata
        self._n = 0

    def look(self, packet: bytes) -> Seen:
        """Returns what a packet says; see `Headers.look`."""
        if packet[4:8] != _PRORES or int.from_bytes(packet[:4], "big") > len(packet):
            raise Unclear(reasons.NOT_ONE_PICTURE())
        self._n += 1
        return Seen(True, (self._n,), True, True)
