"""Reads bits, and splits streams of NAL units."""

from collections.abc import Iterator

from lightly_pipeline.video.headers.seen import Unclear

_PREFIX = b"\x00\x00\x01"


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
            raise Unclear("a header is cut off")
        return (self._value >> self._left) & ((1 << n) - 1)

    def flag(self) -> bool:
        """Returns the next bit."""
        return bool(self.take(1))

    def golomb(self) -> int:
        """Returns an unsigned Exp-Golomb number: ue(v)."""
        n_zeros = 0
        while not self.take(1):
            n_zeros += 1
        if n_zeros > 32:
            raise Unclear("a header holds an impossible number")
        return (1 << n_zeros) - 1 + self.take(n_zeros)

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
            raise Unclear("a packet does not begin with a start code")
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
            raise Unclear("the parts of a packet do not add up")
        yield packet[begin:position]
