"""MPEG-1, MPEG-2 and MPEG-4 part 2: start codes."""

from lightly_pipeline.video import reasons
from lightly_pipeline.video.headers.bits import start_codes
from lightly_pipeline.video.headers.seen import Seen, Unclear

_PICTURE, _EXTENSION, _SEQUENCE, _SEQUENCE_END, _GROUP = 0x00, 0xB5, 0xB3, 0xB7, 0xB8
_PICTURE_CODING, _WHOLE_FRAME = 8, 3
_I, _B = 1, 3
_SEQUENCE_BYTES = 8
# FFmpeg takes what is no longer for a placeholder of a picture that came with another.
_MAX_PLACEHOLDER_BYTES = 19
_VOP_I, _VOP_B = 0, 2


class _DelayedReferences:
    """The order of display: a reference picture after the B-pictures that follow it."""

    def __init__(self) -> None:
        self._n_references = self._n_between = 0

    def next(self, *, is_b: bool) -> tuple[int, ...]:
        if is_b:
            self._n_between += 1
            return self._n_references, 0, self._n_between
        self._n_references += 1
        return self._n_references, 1, 0


class MpegHeaders:
    """Reads packets of MPEG-1 and MPEG-2; single fields and broken links are unclear."""

    reorder: int | None = None

    def __init__(self, extradata: bytes) -> None:
        del extradata
        self._orders = _DelayedReferences()
        self._sequence: bytes | None = None
        self._has_ended = False

    def look(self, packet: bytes) -> Seen:
        """Returns what a packet says; see `Headers.look`."""
        kind: int | None = None
        for begin in start_codes(packet):
            code = packet[begin] if begin < len(packet) else -1
            body = packet[begin + 1 : begin + 1 + _SEQUENCE_BYTES].ljust(_SEQUENCE_BYTES, b"\x00")
            if code == _SEQUENCE:
                self._note_sequence(body)
            elif code == _GROUP and body[3] & 0x20:
                raise Unclear(reasons.BROKEN_LINK())
            elif code == _SEQUENCE_END:
                self._has_ended = True
            elif code == _PICTURE:
                if kind is not None or self._has_ended:
                    raise Unclear(reasons.SEVERAL_OR_JOINED())
                kind = body[1] >> 3 & 7
            elif code == _EXTENSION and _is_field(body):
                raise Unclear(reasons.SINGLE_FIELDS())
        if kind not in (_I, 2, _B):
            raise Unclear(reasons.NO_PICTURE())
        return Seen(True, self._orders.next(is_b=kind == _B), kind == _I, kind == _I)

    def _note_sequence(self, body: bytes) -> None:
        # Size, shape and rate; the bit rate may differ.
        head = body[:4]
        if self._sequence is not None and self._sequence != head:
            raise Unclear(reasons.PARAMETERS_CHANGE())
        self._sequence = head


def _is_field(extension: bytes) -> bool:
    """Returns whether a picture coding extension says that the picture is one field."""
    return extension[0] >> 4 == _PICTURE_CODING and extension[2] & 3 != _WHOLE_FRAME


class Mpeg4Headers:
    """Reads packets of MPEG-4 part 2; packed ones and placeholders are unclear."""

    reorder: int | None = None

    def __init__(self, extradata: bytes) -> None:
        del extradata
        self._orders = _DelayedReferences()

    def look(self, packet: bytes) -> Seen:
        """Returns what a packet says; see `Headers.look`."""
        vops = [begin for begin in start_codes(packet) if packet[begin : begin + 1] == b"\xb6"]
        if len(vops) > 1:
            raise Unclear(reasons.PACKED())
        if not vops:
            raise Unclear(reasons.NO_PICTURE())
        size = len(packet) - vops[0]
        if size <= _MAX_PLACEHOLDER_BYTES:
            raise Unclear(reasons.PLACEHOLDER())
        kind = packet[vops[0] + 1] >> 6
        is_b, is_key = kind == _VOP_B, kind == _VOP_I
        return Seen(True, self._orders.next(is_b=is_b), is_key, is_key)
