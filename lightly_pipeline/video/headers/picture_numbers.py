"""H.264 for finding damage: missing pictures, and where a refresh begins.

FFmpeg puts copies in the place of pictures that are missing and says nothing, but their numbers
(`frame_num`) step. And a stream may have no key frame but its first, and refresh its pictures part
by part: then recovery points say from which picture on all is new. Lenient and quick, for it looks
at every packet of every pass; what is read of sets and slices is in `h264_sets.py`.
"""

from typing import Any, NamedTuple

from lightly_pipeline.video.headers.bits import Bits, nal_beginnings, without_escapes
from lightly_pipeline.video.headers.h264_sets import (
    IDR,
    PPS,
    RECOVERY_POINT,
    SEI,
    SLICE,
    SPS,
    ParameterSets,
    sets_of_avcc,
)
from lightly_pipeline.video.headers.seen import Unclear

_HEADER_BYTES = 24
# Pictures that were refreshed only in part may be shown after the first whole one.
_REORDERED = 4


class PictureOrder(NamedTuple):
    """What a packet says.

    Attributes:
        is_gap: Whether pictures before it, which others refer to, are missing.
        refreshed_since: Packet at which the refresh began that is complete with this one.
    """

    is_gap: bool = False
    refreshed_since: int | None = None


NOTHING_SAID = PictureOrder()


class PictureNumbers:
    """Follows the numbers of one stream, packet by packet.

    Args:
        extradata: The stream's: parameter sets, and how packets are divided.
    """

    def __init__(self, extradata: bytes | None) -> None:
        self._sets = ParameterSets()
        self._last: int | None = None
        self._refresh: tuple[int, int] | None = None
        self._length_size: int | None = None
        if extradata and extradata[0] == 1 and len(extradata) > 6:
            self._length_size = (extradata[4] & 3) + 1
            units = sets_of_avcc(extradata)
        else:
            units = nal_beginnings(extradata or b"", None)
        try:
            for unit in units:
                self._read_set(unit)
        except (IndexError, Unclear):
            # Packets may bring better ones.
            return

    def _read_set(self, unit: bytes) -> None:
        if unit[0] & 31 in (SPS, PPS):
            self._sets.read(without_escapes(unit))

    def look(self, packet: Any, number: int) -> PictureOrder:
        """Returns what a packet says.

        Args:
            packet: PyAV's, in the order of decoding.
            number: Its ordinal.
        """
        try:
            return self._look(memoryview(packet), number)
        except (IndexError, Unclear):
            # Damaged headers are the decoder's to complain about.
            self._last = None
            return NOTHING_SAID

    def _look(self, data: memoryview, number: int) -> PictureOrder:
        for unit in nal_beginnings(data, self._length_size):
            kind = unit[0] & 31
            if kind in (SLICE, IDR):
                return self._read_slice(unit)
            if kind == SEI:
                self._read_sei(unit, number)
            else:
                self._read_set(unit)
        return NOTHING_SAID

    def _read_sei(self, unit: bytes, number: int) -> None:
        # Recovery points come first or alone in their unit.
        if unit[1] == RECOVERY_POINT:
            n_pictures = Bits(without_escapes(unit[3:_HEADER_BYTES])).golomb()
            if n_pictures and self._refresh is None:
                self._refresh = (number, n_pictures + _REORDERED)

    def _read_slice(self, unit: bytes) -> PictureOrder:
        bits = Bits(without_escapes(unit[1:_HEADER_BYTES]))
        bits.golomb()
        _, _, sps, found = self._sets.read_slice(bits)
        last = self._last
        is_gap = (
            last is not None
            and found not in (last, (last + 1) % (1 << sps.frame_num_bits))
            and not sps.may_have_gaps
            and unit[0] & 31 != IDR
        )
        # Those that nothing refers to have the number of the next one.
        is_reference = unit[0] & 0x60
        if is_reference:
            self._last = found
        if self._refresh is not None and is_reference and found != last:
            return PictureOrder(is_gap, self._completed_refresh(*self._refresh))
        return PictureOrder(is_gap)

    def _completed_refresh(self, since: int, n_left: int) -> int | None:
        self._refresh = (since, n_left - 1) if n_left else None
        return None if n_left else since
