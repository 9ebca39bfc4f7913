"""H.264 for numbering: which picture a packet holds, and its place in the order of presentation.

Strict: what is not understood is `Unclear`. What is read of sets and slices is in `h264_sets.py`.
"""

from lightly_pipeline.video import reasons
from lightly_pipeline.video.headers.bits import Bits, nal_units, without_escapes
from lightly_pipeline.video.headers.h264_sets import (
    IDR,
    ORDER_BY_CYCLE,
    ORDER_OF_DECODING,
    PPS,
    RECOVERY_POINT,
    SEI,
    SLICE,
    SPS,
    ParameterSets,
    Sps,
    sets_of_avcc,
)
from lightly_pipeline.video.headers.seen import Seen, Unclear

_PARTITIONS, _END_OF_SEQUENCE = (2, 3, 4), 10
_HEADER_BYTES = 48
_I_SLICES = (2, 7)
_EXTENDED_SAR = 255


class H264Headers:
    """Reads packets of H.264; a pair of fields, and lost pictures, are unclear."""

    def __init__(self, extradata: bytes) -> None:
        self.reorder: int | None = None
        self._sets = ParameterSets()
        self._known: dict[tuple[int, int], bytes] = {}
        self._reorder: dict[int, int] = {}
        self._active: int | None = None
        self._period = -1
        self._last_frame_num = self._high = self._low = 0
        self._length_size: int | None = None
        self._recovery: int | None = None
        self._ended = False
        if extradata[:1] == b"\x01":
            self._length_size = (extradata[4] & 3) + 1 if len(extradata) > 6 else 4
            units = sets_of_avcc(extradata)
        else:
            units = nal_units(extradata, None) if extradata else iter(())
        for unit in units:
            self._note_set(unit)

    def look(self, packet: bytes) -> Seen:
        """Returns what a packet says; see `Headers.look`."""
        found: Seen | None = None
        self._recovery = None
        for unit in nal_units(packet, self._length_size):
            kind = unit[0] & 31
            if unit[0] & 128 or kind in _PARTITIONS:
                raise Unclear(reasons.PARTITIONS())
            if self._ended and kind == SLICE:
                raise Unclear(reasons.SEQUENCE_ENDS())
            if kind in (SPS, PPS):
                self._note_set(unit)
            elif kind == SEI:
                self._note_sei(unit)
            elif kind == _END_OF_SEQUENCE:
                self._ended = True
            elif kind in (SLICE, IDR):
                seen = self._slice(unit)
                if seen is not None and found is not None:
                    raise Unclear(reasons.SEVERAL_PICTURES())
                found = seen or found
        if found is None:
            raise Unclear(reasons.NO_PICTURE())
        return found

    def _note_set(self, unit: bytes) -> None:
        if not unit or unit[0] & 31 not in (SPS, PPS):
            return
        kind, content = unit[0] & 31, without_escapes(unit.rstrip(b"\x00"))
        if content in self._known.values():
            return
        number, rest = self._sets.read(content)
        if (kind, number) in self._known:
            raise Unclear(reasons.PARAMETERS_CHANGE())
        self._known[kind, number] = content
        if kind == SPS:
            self._reorder[number] = _reorder(self._sets.sps[number], rest)

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
            if kind == RECOVERY_POINT:
                self._recovery = Bits(data[position : position + size]).golomb()
            position += size

    def _slice(self, unit: bytes) -> Seen | None:
        """Returns the picture that begins with this slice; None for its other slices."""
        is_idr, is_reference = unit[0] & 31 == IDR, bool(unit[0] & 96)
        bits = Bits(without_escapes(unit[1:_HEADER_BYTES]))
        if bits.golomb():
            return None
        start = self._sets.read_slice(bits)
        kind, sps, frame_num = start.kind, start.sps, start.frame_num
        self._activate(start.sps_number)
        if not sps.only_frames and bits.flag():
            raise Unclear(reasons.SINGLE_FIELDS())
        if kind > 9:
            raise Unclear(reasons.DAMAGED_SLICE())
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

    def _activate(self, number: int) -> None:
        if self._active is None:
            self._active, self.reorder = number, self._reorder[number]
        if self._active != number:
            raise Unclear(reasons.PARAMETERS_CHANGE())

    def _follow(self, frame_num: int, sps: Sps, *, is_idr: bool, is_reference: bool) -> None:
        """Compares the stream's own count of reference pictures with what was read."""
        if is_idr:
            self._period += 1
            self._high = self._low = 0
            self._ended = False
            if frame_num:
                raise Unclear(reasons.DAMAGED_SLICE())
        elif self._period < 0:
            raise Unclear(reasons.BEGINS_IN_GROUP())
        elif frame_num != (self._last_frame_num + 1) % (1 << sps.frame_num_bits):
            raise Unclear(reasons.PICTURES_MISSING())
        if is_reference or is_idr:
            self._last_frame_num = frame_num

    def _order(self, bits: Bits, sps: Sps, *, is_reference: bool) -> int:
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


def _reorder(sps: Sps, bits: Bits) -> int:
    """Returns how many pictures are held back at most; 0 where the stream does not say.

    Args:
        sps: The set.
        bits: What follows in it.
    """
    if sps.order_type == ORDER_BY_CYCLE:
        raise Unclear(reasons.ORDER_BY_CYCLE())
    if not sps.only_frames:
        bits.flag()
    bits.flag()
    if bits.flag():
        for _ in range(4):
            bits.golomb()
    # In the order of decoding none is held back.
    return 0 if sps.order_type == ORDER_OF_DECODING else _announced(bits)


def _announced(bits: Bits) -> int:
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
