"""VP8, VP9 and AV1: pictures come out in the order of their packets, but some are hidden."""

from collections.abc import Iterator

from lightly_pipeline.video import reasons
from lightly_pipeline.video.headers.seen import Seen, Unclear

_VP8_START = b"\x9d\x01\x2a"
_SUPERFRAME = 0b110
_SEQUENCE, _FRAME_HEADER, _FRAME = 1, 3, 6
_KEY = 0


class Vp8Headers:
    """Reads packets of VP8."""

    reorder: int | None = None

    def __init__(self, extradata: bytes) -> None:
        del extradata
        self._n = 0

    def look(self, packet: bytes) -> Seen:
        """Returns what a packet says; see `Headers.look`."""
        is_key = not packet[0] & 1
        if len(packet) < 3 or (is_key and packet[3:6] != _VP8_START):
            raise Unclear(reasons.DAMAGED_PACKET())
        is_shown = bool(packet[0] & 16)
        if is_key and not is_shown:
            raise Unclear(reasons.HIDDEN_KEY())
        self._n += 1
        return Seen(is_shown, (self._n,), is_key, is_key)


class Vp9Headers:
    """Reads packets of VP9, which may hold hidden pictures beside the one that is shown."""

    reorder: int | None = None

    def __init__(self, extradata: bytes) -> None:
        del extradata
        self._n = 0

    def look(self, packet: bytes) -> Seen:
        """Returns what a packet says; see `Headers.look`."""
        shown: list[bool | None] = []
        is_start = False
        for n, frame in enumerate(_superframe(packet)):
            if not frame or frame[0] >> 6 != 2:
                raise Unclear(reasons.DAMAGED_PACKET())
            profile = frame[0] >> 5 & 1 | frame[0] >> 3 & 2
            bits = int.from_bytes(frame[:2].ljust(2, b"\x00"), "big")
            place = 16 - 4 - (profile == 3)
            if bits >> (place - 1) & 1:
                # A picture again that was made before, which may have been a key frame.
                shown.append(None)
                continue
            is_key, is_shown = not bits >> (place - 2) & 1, bool(bits >> (place - 3) & 1)
            if is_key and not is_shown:
                raise Unclear(reasons.HIDDEN_KEY())
            is_start |= is_key and n == 0
            if is_shown:
                shown.append(is_key)
        if len(shown) > 1:
            raise Unclear(reasons.SEVERAL_PICTURES())
        self._n += 1
        return Seen(bool(shown), (self._n,), shown[0] if shown else False, is_start)


def _superframe(packet: bytes) -> Iterator[bytes]:
    """Yields the frames that a packet of VP9 is made of."""
    marker = packet[-1]
    count, size = (marker & 7) + 1, (marker >> 3 & 3) + 1
    index = packet[-(2 + count * size) :]
    if marker >> 5 != _SUPERFRAME or len(index) < 2 + count * size or index[0] != marker:
        yield packet
        return
    position = 0
    for n in range(count):
        length = int.from_bytes(index[1 + n * size : 1 + (n + 1) * size], "little")
        if position + length > len(packet) - len(index):
            raise Unclear(reasons.PARTS_DO_NOT_ADD_UP())
        if length:
            yield packet[position : position + length]
        position += length


class Av1Headers:
    """Reads packets of AV1, which may hold hidden pictures beside the one that is shown."""

    reorder: int | None = None

    def __init__(self, extradata: bytes) -> None:
        del extradata
        self._n = 0

    def look(self, packet: bytes) -> Seen:
        """Returns what a packet says; see `Headers.look`."""
        shown: list[bool] = []
        for kind, body in _units(packet):
            if kind == _SEQUENCE and body[0] & 8:
                raise Unclear(reasons.STILL_PICTURES())
            if kind not in (_FRAME, _FRAME_HEADER):
                continue
            is_again, frame_type = bool(body[0] & 128), body[0] >> 5 & 3
            is_shown = bool(body[0] & 16)
            if not is_again and frame_type == _KEY and not is_shown:
                raise Unclear(reasons.HIDDEN_KEY())
            if is_again:
                shown.append(False)
            elif is_shown:
                shown.append(frame_type == _KEY)
        if len(shown) > 1:
            raise Unclear(reasons.SEVERAL_PICTURES())
        self._n += 1
        is_key = shown == [True]
        return Seen(bool(shown), (self._n,), is_key, is_key)


def _units(packet: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields type and content of the open bitstream units of a packet."""
    position = 0
    while position < len(packet):
        head = packet[position]
        kind, has_extension, has_size = head >> 3 & 15, head >> 2 & 1, head >> 1 & 1
        if head & 128:
            raise Unclear(reasons.DAMAGED_PACKET())
        if has_extension and packet[position + 1 : position + 2] and packet[position + 1] >> 3 & 3:
            raise Unclear(reasons.LAYERS())
        position += 1 + has_extension
        size = len(packet) - position
        if has_size:
            size, position = _leb128(packet, position)
        if position + size > len(packet):
            raise Unclear(reasons.PARTS_DO_NOT_ADD_UP())
        if size:
            yield kind, packet[position : position + size]
        position += size


def _leb128(data: bytes, position: int) -> tuple[int, int]:
    """Returns a number of variable length, and where it ends."""
    value = 0
    for n, byte in enumerate(data[position : position + 8]):
        value |= (byte & 127) << 7 * n
        if byte < 128:
            return value, position + n + 1
    raise Unclear(reasons.DAMAGED_PACKET())
