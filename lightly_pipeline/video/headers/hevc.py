"""H.265: parameter sets, and the beginning of each slice."""

from typing import NamedTuple

from lightly_pipeline.video import reasons
from lightly_pipeline.video.headers.bits import Bits, nal_units, without_escapes
from lightly_pipeline.video.headers.seen import Seen, Unclear

_SPS, _PPS, _END_OF_SEQUENCE, _END_OF_STREAM = 33, 34, 36, 37
_SLICES, _INTRA, _BLA, _IDR = range(32), range(16, 24), range(16, 19), range(19, 21)
_LEADING, _RESERVED = range(6, 10), (*range(10, 16), *range(22, 32))
_HEADER_BYTES = 48


class _Sps(NamedTuple):
    order_bits: int
    has_planes: bool


class _Pps(NamedTuple):
    sps: int
    has_output_flag: bool
    extra_bits: int


class HevcHeaders:
    """Reads packets of H.265; joined streams and hidden pictures are unclear or not shown."""

    reorder: int | None = None

    def __init__(self, extradata: bytes) -> None:
        self._sets: dict[tuple[int, int], bytes] = {}
        self._sps: dict[int, _Sps] = {}
        self._pps: dict[int, _Pps] = {}
        self._active: int | None = None
        self._period = -1
        self._high = self._low = 0
        self._has_ended = False
        self._length_size: int | None = None
        if extradata[:1] == b"\x01" and len(extradata) > 22:
            self._length_size = (extradata[21] & 3) + 1
            self._read_configuration(extradata)
        elif extradata:
            for unit in nal_units(extradata, None):
                self._note_set(unit)

    def look(self, packet: bytes) -> Seen:
        """Returns what a packet says; see `Headers.look`."""
        found: Seen | None = None
        for unit in nal_units(packet, self._length_size):
            if len(unit) < 3 or unit[0] & 128 or not unit[1] & 7:
                raise Unclear(reasons.DAMAGED_PACKET())
            kind, layer = unit[0] >> 1 & 63, (unit[0] & 1) << 5 | unit[1] >> 3
            if layer:
                continue
            if kind in (_END_OF_SEQUENCE, _END_OF_STREAM):
                self._has_ended = True
            elif kind in _SLICES:
                seen = self._slice(unit, kind)
                if seen is not None and found is not None:
                    raise Unclear(reasons.SEVERAL_PICTURES())
                found = seen or found
            else:
                self._note_set(unit)
        if found is None:
            raise Unclear(reasons.NO_PICTURE())
        return found

    def _read_configuration(self, extradata: bytes) -> None:
        position = 23
        for _ in range(extradata[22]):
            count = int.from_bytes(extradata[position + 1 : position + 3], "big")
            position += 3
            for _ in range(count):
                length = int.from_bytes(extradata[position : position + 2], "big")
                self._note_set(extradata[position + 2 : position + 2 + length])
                position += 2 + length

    def _note_set(self, unit: bytes) -> None:
        kind = unit[0] >> 1 & 63 if unit else 0
        if kind not in (_SPS, _PPS):
            return
        content = without_escapes(unit.rstrip(b"\x00"))
        bits = Bits(content[2:])
        if kind == _PPS:
            number = bits.golomb()
            pps = _Pps(bits.golomb(), False, 0)
            bits.flag()
            self._pps[number] = pps._replace(has_output_flag=bits.flag(), extra_bits=bits.take(3))
        else:
            number, sps = _sps(bits)
            self._sps[number] = sps
        if self._sets.setdefault((kind, number), content) != content:
            raise Unclear(reasons.PARAMETERS_CHANGE())

    def _slice(self, unit: bytes, kind: int) -> Seen | None:
        """Returns the picture that begins with this slice; None for its other slices."""
        bits = Bits(without_escapes(unit[2:_HEADER_BYTES]))
        if not bits.flag():
            return None
        if kind in _RESERVED or kind in _BLA or self._has_ended:
            raise Unclear(reasons.JOINED())
        if kind in _INTRA:
            bits.flag()
        pps = self._pps.get(bits.golomb())
        sps = self._sps.get(pps.sps) if pps else None
        if pps is None or sps is None:
            raise Unclear(reasons.NO_PARAMETERS())
        if self._active is None:
            self._active = pps.sps
        if self._active != pps.sps:
            raise Unclear(reasons.PARAMETERS_CHANGE())
        bits.take(pps.extra_bits)
        if bits.golomb() > 2:
            raise Unclear(reasons.DAMAGED_SLICE())
        is_shown = bits.flag() if pps.has_output_flag else True
        if sps.has_planes:
            bits.take(2)
        if kind in _INTRA and (kind in _IDR or self._period < 0):
            self._period += 1
            self._high = self._low = 0
        if self._period < 0:
            raise Unclear(reasons.BEGINS_IN_GROUP())
        low = 0 if kind in _IDR else bits.take(sps.order_bits)
        is_reference = unit[1] & 7 == 1 and kind not in _LEADING and (kind > 15 or kind % 2 == 1)
        order = self._order(low, 1 << sps.order_bits, is_reference=is_reference)
        is_key = kind in _INTRA
        return Seen(is_shown, (self._period, order), is_key, is_key)

    def _order(self, low: int, size: int, *, is_reference: bool) -> int:
        """Returns the picture's order count (8.3.1 of the standard)."""
        high = self._high
        if low < self._low and self._low - low >= size // 2:
            high += size
        elif low > self._low and low - self._low > size // 2:
            high -= size
        if is_reference:
            self._high, self._low = high, low
        return high + low


def _sps(bits: Bits) -> tuple[int, _Sps]:
    """Reads a sequence parameter set as far as its order counts."""
    bits.take(4)
    n_layers = bits.take(3)
    bits.flag()
    bits.take(96)
    present = [(bits.flag(), bits.flag()) for _ in range(n_layers)]
    if n_layers:
        bits.take(2 * (8 - n_layers))
    for has_profile, has_level in present:
        bits.take(88 * has_profile + 8 * has_level)
    number, chroma = bits.golomb(), bits.golomb()
    has_planes = chroma == 3 and bits.flag()
    bits.golomb()
    bits.golomb()
    if bits.flag():
        for _ in range(4):
            bits.golomb()
    bits.golomb()
    bits.golomb()
    return number, _Sps(bits.golomb() + 4, has_planes)
