"""H.264's parameter sets, and what every slice begins with.

Read by both who look into H.264: `h264.py` for numbering, `picture_numbers.py` for damage.
"""

from collections.abc import Iterator
from typing import NamedTuple

from lightly_pipeline.video import reasons
from lightly_pipeline.video.headers.bits import Bits
from lightly_pipeline.video.headers.seen import Unclear

SLICE, IDR, SEI, SPS, PPS = 1, 5, 6, 7, 8
RECOVERY_POINT = 6
ORDER_BY_CYCLE, ORDER_OF_DECODING = 1, 2
_HIGH_PROFILES = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))


class Sps(NamedTuple):
    """A sequence parameter set, up to the size of pictures.

    Attributes:
        frame_num_bits: Of the count of reference pictures in slices.
        order_type: How pictures are ordered.
        order_bits: Of the order in slices, for type 0.
        may_have_gaps: Whether the count may step, with nothing missing.
        has_planes: Whether colour planes are coded apart.
        only_frames: Whether there are no fields.
    """

    frame_num_bits: int
    order_type: int
    order_bits: int
    may_have_gaps: bool
    has_planes: bool
    only_frames: bool


class SliceStart(NamedTuple):
    """What a slice says behind its place in the picture."""

    kind: int
    sps_number: int
    sps: Sps
    frame_num: int


class ParameterSets:
    """The sets of a stream.

    Attributes:
        sps: Sequence parameter sets by number.
    """

    def __init__(self) -> None:
        self.sps: dict[int, Sps] = {}
        self._sps_of_pps: dict[int, int] = {}

    def read(self, unit: bytes) -> tuple[int, Bits]:
        """Takes in an SPS or a PPS; returns its number and what follows behind what was read.

        Args:
            unit: Without escapes.

        Raises:
            Unclear: It is cut off, or damaged.
        """
        is_sps = unit[0] & 31 == SPS
        bits = Bits(unit[4 if is_sps else 1 :])
        number = bits.golomb()
        if is_sps:
            self.sps[number] = _read_sps(unit[1], bits)
        else:
            self._sps_of_pps[number] = bits.golomb()
        return number, bits

    def read_slice(self, bits: Bits) -> SliceStart:
        """Reads on behind the first number of a slice header.

        Raises:
            Unclear: It is cut off, or its sets are not there.
        """
        kind, number = bits.golomb(), self._sps_of_pps.get(bits.golomb(), -1)
        sps = self.sps.get(number)
        if sps is None:
            raise Unclear(reasons.NO_PARAMETERS())
        if sps.has_planes:
            bits.take(2)
        return SliceStart(kind, number, sps, bits.take(sps.frame_num_bits))


def sets_of_avcc(extradata: bytes) -> Iterator[bytes]:
    """Yields the parameter sets that MP4 and Matroska keep beside the stream."""
    position = 5
    for mask in (31, 255):
        if position >= len(extradata):
            return
        count, position = extradata[position] & mask, position + 1
        for _ in range(count):
            length = int.from_bytes(extradata[position : position + 2], "big")
            yield extradata[position + 2 : position + 2 + length]
            position += 2 + length


def _read_sps(profile: int, bits: Bits) -> Sps:
    has_planes = profile in _HIGH_PROFILES and _skip_high(bits)
    frame_num_bits = bits.golomb() + 4
    order_type, order_bits = bits.golomb(), 0
    if order_type == 0:
        order_bits = bits.golomb() + 4
    elif order_type == ORDER_BY_CYCLE:
        _skip_cycle(bits)
    elif order_type != ORDER_OF_DECODING:
        raise Unclear(reasons.DAMAGED_PARAMETERS())
    bits.golomb()
    may_have_gaps = bits.flag()
    bits.golomb()
    bits.golomb()
    return Sps(frame_num_bits, order_type, order_bits, may_have_gaps, has_planes, bits.flag())


def _skip_cycle(bits: Bits) -> None:
    bits.flag()
    bits.golomb()
    bits.golomb()
    for _ in range(bits.golomb()):
        bits.golomb()


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
