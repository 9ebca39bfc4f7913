"""H.264: parameter sets, and the beginning of each slice."""

from dataclasses import dataclass

from lightly_pipeline.video.headers.bits import Bits, nal_units, without_escapes
from lightly_pipeline.video.headers.seen import Seen, Unclear

_SLICE, _IDR, _SEI, _SPS, _PPS = 1, 5, 6, 7, 8
_PARTITIONS, _END_OF_SEQUENCE = (2, 3, 4), 10
_HIGH_PROFILES = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))
_RECOVERY_POINT = 6
_HEADER_BYTES = 48
_I_SLICES = (2, 7)
_EXTENDED_SAR = 255


@dataclass(frozen=True, slots=True)
class _Sps:
    frame_num_bits: int
    order_type: int
    order_bits: int
    has_planes: bool
    only_frames: bool
    reorder: int


class H264Headers:
    """Reads packets of H.264; a pair of fields, and lost pictures, are unclear."""

    def __init__(self, extradata: bytes) -> None:
        self.reorder: int | None = None
        self._sets: dict[tuple[int, int], bytes] = {}
        self._sps: dict[int, _Sps] = {}
        self._pps: dict[int, int] = {}
        self._active: int | None = None
        self._period = -1
        self._last_frame_num = self._high = self._low = 0
        self._length_size: int | None = None
        self._recovery: int | None = None
        self._ended = False
        if extradata[:1] == b"\x01":
            self._length_size = (extradata[4] & 3) + 1 if len(extradata) > 6 else 4
            self._read_configuration(extradata)
        elif extradata:
            for unit in nal_units(extradata, None):
                self._note_set(unit)

    def look(self, packet: bytes) -> Seen:
        """Returns what a packet says; see `Headers.look`."""
        found: Seen | None = None
        self._recovery = None
        for unit in nal_units(packet, self._length_size):
            kind = unit[0] & 31
            if unit[0] & 128 or kind in _PARTITIONS:
                raise Unclear("a packet is damaged, or in data partitions")
            if self._ended and kind == _SLICE:
                raise Unclear("a sequence ends in mid stream")
            if kind in (_SPS, _PPS):
                self._note_set(unit)
            elif kind == _SEI:
                self._note_sei(unit)
            elif kind == _END_OF_SEQUENCE:
                self._ended = True
            elif kind in (_SLICE, _IDR):
                seen = self._slice(unit)
                if seen is not None and found is not None:
                    raise Unclear("a packet holds more than one picture")
                found = seen or found
        if found is None:
            raise Unclear("a packet holds no picture")
        return found

    def _read_configuration(self, extradata: bytes) -> None:
        position = 5
        for mask in (31, 255):
            if position >= len(extradata):
                return
            count, position = extradata[position] & mask, position + 1
            for _ in range(count):
                length = int.from_bytes(extradata[position : position + 2], "big")
                self._note_set(extradata[position + 2 : position + 2 + length])
                position += 2 + length

    def _note_set(self, unit: bytes) -> None:
        if not unit:
            return
        kind, content = unit[0] & 31, without_escapes(unit.rstrip(b"\x00"))
        if kind not in (_SPS, _PPS):
            return
        bits = Bits(content[4 if kind == _SPS else 1 :])
        number = bits.golomb()
        if self._sets.setdefault((kind, number), content) != content:
            raise Unclear("its parameters change in mid stream")
        if kind == _PPS:
            self._pps[number] = bits.golomb()
        elif number not in self._sps:
            self._sps[number] = _sps(content[1], bits)

    def _note_sei(self, unit: bytes) -> None:
        data = without_escapes(unit)
        position = 1
        while position + 2 < len(data):
            kind = size = 0
            while position < len(data) and data[position] == 255:
                kind, position = kind + 255, position + 1
            kind, position = kind + data[position], position + 1
            while position < len(data) and data[position] == 255:
                size, position = size + 255, position + 1
            if position >= len(data):
                return
            size, position = size + data[position], position + 1
            if kind == _RECOVERY_POINT:
                self._recovery = Bits(data[position : position + size]).golomb()
            position += size

    def _slice(self, unit: bytes) -> Seen | None:
        """Returns the picture that begins with this slice; None for its other slices."""
        is_idr, is_reference = unit[0] & 31 == _IDR, bool(unit[0] & 96)
        bits = Bits(without_escapes(unit[1:_HEADER_BYTES]))
        if bits.golomb():
            return None
        kind, number = bits.golomb(), bits.golomb()
        sps = self._activated(number)
        if sps.has_planes:
            bits.take(2)
        frame_num = bits.take(sps.frame_num_bits)
        if not sps.only_frames and bits.flag():
            raise Unclear("pictures come as single fields")
        if kind > 9:
            raise Unclear("a slice header is damaged")
        self._follow(frame_num, sps, is_idr=is_idr, is_reference=is_reference)
        if is_idr:
            bits.golomb()
        order = self._order(bits, sps, is_reference=is_reference)
        is_intra = kind in _I_SLICES
        is_start = is_idr or (self._recovery == 0 and is_intra)
        is_key = None if self._recovery and not is_idr else is_start
        if self._recovery == 0 and not is_intra and not is_idr:
            is_key = None
        return Seen(True, (self._period, order), is_key, is_start)

    def _activated(self, number: int) -> _Sps:
        used = self._pps.get(number)
        sps = self._sps.get(used) if used is not None else None
        if sps is None:
            raise Unclear("a slice names parameters that are not there")
        if self._active is None:
            self._active, self.reorder = used, sps.reorder
        if self._active != used:
            raise Unclear("its parameters change in mid stream")
        return sps

    def _follow(self, frame_num: int, sps: _Sps, *, is_idr: bool, is_reference: bool) -> None:
        """Compares the stream's own count of reference pictures with what was read."""
        if is_idr:
            self._period += 1
            self._high = self._low = 0
            self._ended = False
            if frame_num:
                raise Unclear("a slice header is damaged")
        elif self._period < 0:
            raise Unclear("it begins in the middle of a group of pictures")
        elif frame_num != (self._last_frame_num + 1) % (1 << sps.frame_num_bits):
            raise Unclear("pictures are missing")
        if is_reference or is_idr:
            self._last_frame_num = frame_num

    def _order(self, bits: Bits, sps: _Sps, *, is_reference: bool) -> int:
        """Returns the picture's order count (8.2.1 of the standard, without type 1)."""
        if sps.order_type:
            self._high += 1
            return self._high
        size = 1 << sps.order_bits
        low = bits.take(sps.order_bits)
        high = self._high
        if low < self._low and self._low - low >= size // 2:
            high += size
        elif low > self._low and low - self._low > size // 2:
            high -= size
        if is_reference:
            self._high, self._low = high, low
        return high + low


def _sps(profile: int, bits: Bits) -> _Sps:
    """Reads a sequence parameter set behind its number."""
    has_planes = False
    if profile in _HIGH_PROFILES:
        has_planes = _skip_high(bits)
    frame_num_bits = bits.golomb() + 4
    order_type, order_bits = bits.golomb(), 0
    if order_type == 0:
        order_bits = bits.golomb() + 4
    elif order_type != 2:
        raise Unclear("pictures are ordered by a cycle of their own")
    bits.golomb()
    bits.flag()
    bits.golomb()
    bits.golomb()
    only_frames = bits.flag()
    if not only_frames:
        bits.flag()
    bits.flag()
    if bits.flag():
        for _ in range(4):
            bits.golomb()
    # In the order of decoding none is held back.
    reorder = 0 if order_type == 2 else _reorder(bits)
    return _Sps(frame_num_bits, order_type, order_bits, has_planes, only_frames, reorder)


def _skip_high(bits: Bits) -> bool:
    """Passes over what high profiles add; returns whether colour planes are coded apart."""
    chroma = bits.golomb()
    has_planes = chroma == 3 and bits.flag()
    bits.golomb()
    bits.golomb()
    bits.flag()
    if bits.flag():
        for n in range(12 if chroma == 3 else 8):
            if bits.flag():
                _skip_scaling(bits, 16 if n < 6 else 64)
    return has_planes


def _skip_scaling(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed_golomb()) % 256
        last = following or last


def _reorder(bits: Bits) -> int:
    """Returns how many pictures are held back at most; 0 where the stream does not say."""
    if not bits.flag():
        return 0
    if bits.flag() and bits.take(8) == _EXTENDED_SAR:
        bits.take(32)
    if bits.flag():
        bits.flag()
    if bits.flag():
        bits.take(4)
        if bits.flag():
            bits.take(24)
    if bits.flag():
        bits.golomb()
        bits.golomb()
    if bits.flag():
        bits.take(65)
    has_rates = [_skip_rates(bits) for _ in range(2)]
    if any(has_rates):
        bits.flag()
    bits.flag()
    if not bits.flag():
        return 0
    bits.flag()
    for _ in range(4):
        bits.golomb()
    return bits.golomb()


def _skip_rates(bits: Bits) -> bool:
    if not bits.flag():
        return False
    count = bits.golomb() + 1
    bits.take(8)
    for _ in range(count):
        bits.golomb()
        bits.golomb()
        bits.flag()
    bits.take(20)
    return True
