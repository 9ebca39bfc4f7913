"""Reads bits, and splits streams of NAL units."""

from collections.abc import Iterator

from lightly_pipeline.video import reasons
from lightly_pipeline.video.headers.seen import Unclear

_PREFIX = b"\x00\x00\x01"
_MAX_ZEROS = 32
_SEARCHED_BYTES, _BEGINNING_BYTES = 16 * 1024, 256


class Bits:
    """A cursor over the bits of some bytes, the highest bit first.

    Reading beyond the end raises `Unclear`.
    """

    __slots__ = ("_left", "_value")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, n: int) -> int:
        """Returns the next `n` bits."""
        self._left -= n
        if self._left < 0:
            raise Unclear(reasons.CUT_HEADER())
        return (self._value >> self._left) & ((1 << n) - 1)

    def flag(self) -> bool:
        """Returns the next bit."""
        return bool(self.take(1))

    def golomb(self) -> int:
        """Returns an unsigned Exp-Golomb number: ue(v)."""
        rest = self._value & ((1 << self._left) - 1)
        n_zeros = self._left - rest.bit_length()
        self._left -= 2 * n_zeros + 1
        if rest and n_zeros > _MAX_ZEROS:
            raise Unclear(reasons.IMPOSSIBLE_NUMBER())
        if self._left < 0:
            raise Unclear(reasons.CUT_HEADER())
        return (rest >> self._left) - 1

    def signed_golomb(self) -> int:
        """Returns a signed Exp-Golomb number: se(v)."""
        code = self.golomb()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def without_escapes(payload: bytes) -> bytes:
    """Returns a NAL unit without the bytes that keep start codes from appearing in it."""
    return payload.replace(b"\x00\x00\x03", b"\x00\x00")


def start_codes(data: bytes) -> Iterator[int]:
    """Yields where each 00 00 01 ends."""
    position = data.find(_PREFIX)
    while position >= 0:
        yield position + 3
        position = data.find(_PREFIX, position + 3)


def nal_units(packet: bytes, length_size: int | None) -> Iterator[bytes]:
    """Yields the NAL units of a packet.

    Args:
        packet: Its bytes.
        length_size: Bytes of the length before each unit; None for start codes.

    Raises:
        Unclear: The lengths do not add up.
    """
    if length_size is None:
        begins = list(start_codes(packet))
        if not begins or packet[: begins[0] - 3].strip(b"\x00"):
            raise Unclear(reasons.NO_START_CODE())
        for begin, after in zip(begins, [*(b - 3 for b in begins[1:]), len(packet)], strict=True):
            yield packet[begin:after]
        return
    position = 0
    while position < len(packet):
        begin = position + length_size
        length = int.from_bytes(packet[position:begin], "big")
        position = begin + length
        # FFmpeg gives a packet with an empty part up.
        if position > len(packet) or not length:
            raise Unclear(reasons.PARTS_DO_NOT_ADD_UP())
        yield packet[begin:position]


def nal_beginnings(packet: bytes | memoryview, length_size: int | None) -> Iterator[bytes]:
    """Yields the beginnings of the NAL units of a packet, which may be damaged: headers are there.

    Nothing is checked and little copied, for it is done with every packet of every pass.

    Args:
        packet: Its bytes.
        length_size: Bytes of the length before each unit; None for start codes.
    """
    if length_size is None:
        head = bytes(packet[:_SEARCHED_BYTES])
        place = head.find(_PREFIX)
        while place >= 0 and place + 4 < len(head):
            start = place + 3
            yield head[start : start + _BEGINNING_BYTES]
            place = head.find(_PREFIX, start)
        return
    place = 0
    while place + length_size < len(packet):
        length = int.from_bytes(packet[place : place + length_size], "big")
        place += length_size
        yield bytes(packet[place : place + min(length, _BEGINNING_BYTES)])
        place += length
