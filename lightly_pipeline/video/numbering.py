"""Numbers the frames of a whole pass from packets alone, and says what a sampling has to decode.

Pure decisions. Where what the packets say leaves room for doubt there is no plan but `Unclear`: the
pass is then a whole one, for a frame has one number whatever the sampling.
"""

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from lightly_pipeline.video import reasons
from lightly_pipeline.video.headers import Seen, Unclear
from lightly_pipeline.video.sampling import FrameChooser, FrameSampling


class PacketNote(NamedTuple):
    """A packet: its time, whether the container shows it, and what its headers say."""

    pts: int | None
    is_visible: bool
    seen: Seen

    @property
    def gives_frame(self) -> bool:
        """Whether a frame of the video comes out of it."""
        return self.is_visible and self.seen.is_shown


@dataclass(frozen=True, slots=True)
class DecodePlan:
    """Which packets have to be decoded, and what their frames are called.

    Attributes:
        index_by_pts: Index of every frame of the video.
        packets: Ordinals of the packets to decode.
        alone: Whether each packet is decoded for itself, as key frames can be.
        expected: Times of the frames that are wanted of them.
    """

    index_by_pts: dict[int, int]
    packets: frozenset[int]
    alone: bool
    expected: frozenset[int]

    def check(self, keyframe_by_pts: Mapping[int | None, bool], n_frames: int) -> None:
        """Compares what a pass by this plan gave with what the packets had said.

        Args:
            keyframe_by_pts: The decoder's flag of every frame that came out.
            n_frames: How many did.

        Raises:
            Unclear: They differ.
        """
        came = keyframe_by_pts.keys()
        is_whole = self.expected <= came and n_frames == len(came)
        if self.alone:
            is_whole = is_whole and self.expected == came and all(keyframe_by_pts.values())
        if not is_whole:
            raise Unclear(reasons.OTHER_PICTURES())


def plan_decoding(
    packets: Sequence[PacketNote],
    sampling: FrameSampling,
    seconds_per_pts: float,
    reorder: int | None = None,
) -> DecodePlan:
    """Returns how to decode only what a sampling needs.

    Args:
        packets: Of the whole stream, in file order.
        sampling: The rule.
        seconds_per_pts: The stream's time base.
        reorder: How many pictures the decoder holds back at most, if that bounds it.

    Raises:
        Unclear: The packets do not tell the number of every frame, or sparing is not worth it.
    """
    times = _times_in_order(packets)
    if reorder is not None and _depth(packets) > reorder:
        raise Unclear(reasons.REORDERED_DEEPER())
    window = FrameChooser(replace(sampling, every_nth=None, target_fps=None), None)
    if sampling.keyframes_only and any(p.seen.is_key is None for p in packets):
        raise Unclear(reasons.KEYS_UNKNOWN())
    wanted = [
        n
        for n, p in enumerate(packets)
        if p.gives_frame
        and p.pts is not None
        and window.takes(0, p.pts * seconds_per_pts, bool(p.seen.is_key))
    ]
    needed = wanted if sampling.keyframes_only else _with_references(packets, wanted)
    # Everything is decoded twice, to see first whether it is what the packets say.
    if 2 * len(needed) > len(packets):
        raise Unclear(reasons.MOST_IS_NEEDED())
    return DecodePlan(
        {pts: index for index, pts in enumerate(times)},
        frozenset(needed),
        sampling.keyframes_only,
        frozenset(pts for n in wanted if (pts := packets[n].pts) is not None),
    )


def _times_in_order(packets: Sequence[PacketNote]) -> list[int]:
    """Returns the times of all frames as they come out of the decoder.

    Raises:
        Unclear: They do not all have one of their own, or not in the order of their pictures.
    """
    shown = [packet for packet in packets if packet.gives_frame]
    known = {pts: p.seen.order for p in shown if (pts := p.pts) is not None}
    if not shown:
        raise Unclear(reasons.NO_PICTURES())
    if len(known) < len(shown):
        raise Unclear(reasons.NO_OWN_TIMES())
    times = sorted(known)
    first = packets[0]
    if not first.seen.is_start or first.pts is None or times[0] < first.pts:
        raise Unclear(reasons.BEGINS_WITH_LEADING())
    if any(known[a] >= known[b] for a, b in pairwise(times)):
        raise Unclear(reasons.OTHER_ORDER())
    return times


def _depth(packets: Sequence[PacketNote]) -> int:
    """Returns how many pictures at most are decoded before one that comes out before them."""
    before: list[tuple[int, ...]] = []
    deepest = 0
    for packet in packets:
        order = packet.seen.order
        deepest = max(deepest, len(before) - bisect_right(before, order))
        insort(before, order)
    return deepest


def _with_references(packets: Sequence[PacketNote], wanted: Sequence[int]) -> list[int]:
    """Returns the packets from the start before the first wanted picture to the last.

    Without those of pictures that come out before that start: they refer to others before.
    """
    if not wanted:
        return []
    first_pts = min(pts for pts in (packets[n].pts for n in wanted) if pts is not None)
    starts = [n for n, p in enumerate(packets) if p.seen.is_start and p.pts is not None]
    before = [n for n in starts if n <= wanted[0] and (packets[n].pts or 0) <= first_pts]
    start = before[-1] if before else 0
    order = packets[start].seen.order
    return [n for n in range(start, wanted[-1] + 1) if packets[n].seen.order >= order]
