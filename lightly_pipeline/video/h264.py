"""What H.264 says of its own order: numbers of pictures, and where a refresh begins.

FFmpeg puts copies in the place of pictures that are missing and says nothing, but their numbers
(`frame_num`) step. And a stream may have no key frame but its first, and refresh its pictures part
by part: then recovery points say from which picture on all is new. Reads headers, decodes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SLICE, _IDR, _SEI, _SPS, _PPS = 1, 5, 6, 7, 8
_RECOVERY_POINT = 6
_HIGH_PROFILES = frozenset((44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244))
_ANNEX_B_SEARCHED = 16 * 1024
_SLICE_HEADER_BYTES, _LONG_HEADER_BYTES = 24, 256
# Pictures that were refreshed only in part may be shown after the first whole one.
_REORDERED = 4


@dataclass(frozen=True, slots=True)
class PictureOrder:
    """What a packet says.

    Attributes:
        is_gap: Whether pictures before it, which others refer to, are missing.
        refreshed_since: Packet at which the refresh began that is complete with this one.
    """

    is_gap: bool = False
    refreshed_since: int | None = None


_NOTHING = PictureOrder()


@dataclass(frozen=True, slots=True)
class _Sps:
    number_bits: int
    may_have_gaps: bool
    has_planes: bool


class PictureNumbers:
    """Follows the numbers of one stream, packet by packet.

    Args:
        extradata: The stream's: parameter sets, and how packets are divided.
    """

    def __init__(self, extradata: bytes | None) -> None:
        self._sps: dict[int, _Sps] = {}
        self._sps_of_pps: dict[int, int] = {}
        self._last: int | None = None
        self._refresh: tuple[int, int] | None = None
        self._length_bytes = 0
        if extradata and extradata[0] == 1 and len(extradata) > 6:
            self._length_bytes = (extradata[4] & 3) + 1
            self._read_sets(_sets_of_avcc(extradata))
        elif extradata:
            self._read_sets(_annex_b(extradata))

    def _read_sets(self, units: Iterator[bytes]) -> None:
        for unit in units:
            self._read_set(unit)

    def _read_set(self, unit: bytes) -> None:
        bits = _Bits(unit[1:_LONG_HEADER_BYTES])
        if unit[0] & 31 == _SPS:
            number, self._sps[number] = _read_sps(bits)
        elif unit[0] & 31 == _PPS:
            number = bits.exp_golomb()
            self._sps_of_pps[number] = bits.exp_golomb()

    def look(self, packet: Any, number: int) -> PictureOrder:
        """Returns what a packet says.

        Args:
            packet: PyAV's, in the order of decoding.
            number: Its ordinal.
        """
        try:
            return self._look(memoryview(packet), number)
        except (IndexError, KeyError, ValueError):
            # Damaged headers are the decoder's to complain about.
            self._last = None
            return _NOTHING

    def _look(self, data: memoryview, number: int) -> PictureOrder:
        units = self._by_length(data) if self._length_bytes else _annex_b(data)
        for unit in units:
            kind = unit[0] & 31
            if kind in (_SPS, _PPS):
                self._read_set(unit)
            elif kind == _SEI:
                self._read_sei(unit, number)
            elif kind in (_SLICE, _IDR):
                return self._read_slice(unit)
        return _NOTHING

    def _by_length(self, data: memoryview) -> Iterator[bytes]:
        place = 0
        while place + self._length_bytes < len(data):
            length = int.from_bytes(data[place : place + self._length_bytes], "big")
            place += self._length_bytes
            yield bytes(data[place : place + min(length, _LONG_HEADER_BYTES)])
            place += length

    def _read_sei(self, unit: bytes, number: int) -> None:
        # Recovery points come first or alone in their unit.
        if unit[1] == _RECOVERY_POINT:
            n_pictures = _Bits(unit[3:_SLICE_HEADER_BYTES]).exp_golomb()
            if n_pictures and self._refresh is None:
                self._refresh = (number, n_pictures + _REORDERED)

    def _read_slice(self, unit: bytes) -> PictureOrder:
        bits = _Bits(unit[1:_SLICE_HEADER_BYTES])
        bits.exp_golomb()
        bits.exp_golomb()
        sps = self._sps[self._sps_of_pps[bits.exp_golomb()]]
        if sps.has_planes:
            bits.take(2)
        found = bits.take(sps.number_bits)
        is_idr, is_reference = unit[0] & 31 == _IDR, bool(unit[0] & 0x60)
        size, last = 1 << sps.number_bits, self._last
        is_gap = (
            not is_idr
            and last is not None
            and not sps.may_have_gaps
            and found not in (last, (last + 1) % size)
        )
        if is_reference:
            self._last = found
        return PictureOrder(is_gap, self._completed_refresh(is_reference and found != last))

    def _completed_refresh(self, is_new_reference: bool) -> int | None:
        if self._refresh is None or not is_new_reference:
            return None
        since, n_left = self._refresh
        self._refresh = (since, n_left - 1) if n_left else None
        return None if n_left else since


class _Bits:
    """Reads a header bit by bit."""

    def __init__(self, data: bytes) -> None:
        plain = data.replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(plain, "big"), len(plain) * 8

    def take(self, n_bits: int) -> int:
        """Returns the next bits as a number.

        Raises:
            ValueError: There are not as many.
        """
        self._left -= n_bits
        if self._left < 0:
            raise ValueError("header ends early")
        return self._value >> self._left & ((1 << n_bits) - 1)

    def exp_golomb(self) -> int:
        """Returns the next number of variable length, unsigned."""
        rest = self._value & ((1 << self._left) - 1)
        n_zeros = self._left - rest.bit_length()
        self.take(n_zeros)
        return self.take(n_zeros + 1) - 1

    def signed(self) -> int:
        """Returns the next number of variable length, signed."""
        code = self.exp_golomb()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def _annex_b(data: bytes | memoryview) -> Iterator[bytes]:
    """Yields the beginnings of the units that start codes divide, as far as headers go."""
    head = bytes(data[:_ANNEX_B_SEARCHED])
    place = head.find(b"\0\0\1")
    while place >= 0 and place + 4 < len(head):
        start = place + 3
        yield head[start : start + _LONG_HEADER_BYTES]
        place = head.find(b"\0\0\1", start)


def _sets_of_avcc(extradata: bytes) -> Iterator[bytes]:
    place, n_left = 6, extradata[5] & 31
    for _ in range(2):
        for _ in range(n_left):
            length = int.from_bytes(extradata[place : place + 2], "big")
            yield extradata[place + 2 : place + 2 + length]
            place += 2 + length
        n_left = extradata[place] if place < len(extradata) else 0
        place += 1


def _read_sps(bits: _Bits) -> tuple[int, _Sps]:
    """Returns the number of a sequence parameter set, and what slices are read by."""
    profile = bits.take(8)
    bits.take(16)
    number = bits.exp_golomb()
    has_planes = False
    if profile in _HIGH_PROFILES:
        n_lists = 8
        if bits.exp_golomb() == 3:
            has_planes, n_lists = bool(bits.take(1)), 12
        bits.exp_golomb()
        bits.exp_golomb()
        bits.take(1)
        if bits.take(1):
            _skip_scaling_lists(bits, n_lists)
    number_bits = bits.exp_golomb() + 4
    order = bits.exp_golomb()
    if order == 0:
        bits.exp_golomb()
    elif order == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(bits.exp_golomb()):
            bits.signed()
    bits.exp_golomb()
    return number, _Sps(number_bits, bool(bits.take(1)), has_planes)


def _skip_scaling_lists(bits: _Bits, n_lists: int) -> None:
    for index in range(n_lists):
        if not bits.take(1):
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + bits.signed()) % 256
            last = following or last
