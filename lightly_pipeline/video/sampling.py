"""Which frames of a video are considered, and which of its packets have to be decoded for them.

Pure decisions on numbers, times and flags. Decoding is in `decode.py`; a sampling is an option of
our own, its default considers every frame.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

from lightly_pipeline.errors import CorruptVideoError

# Times are rounded to the container's clock, a millisecond in WebM: 3 % of a frame at 60 fps.
_JITTER = 0.05
# Rates are rounded too: 29.97 stands for 30000/1001.
_SAME_RATE = 0.999


@dataclass(frozen=True, slots=True)
class FrameSampling:
    """A rule for which frames of a video take part. Indices stay those of the whole video.

    At most one of the first three is given; a window goes with each of them.

    Attributes:
        every_nth: Frames whose index is a multiple of it.
        target_fps: The first frame of each 1/target_fps seconds: of 30 frames per second those
            with index 0, 3, 6 for 10. All frames where the video has fewer.
        keyframes_only: Key frames, the only ones that are decoded.
        start_s: Frames from this time on, in seconds by the video's own clock.
        end_s: Frames before this time.
    """

    every_nth: int | None = None
    target_fps: float | None = None
    keyframes_only: bool = False
    start_s: float | None = None
    end_s: float | None = None

    def identity(self) -> str:
        """Returns a text that differs whenever other frames may be considered."""
        given = {k: v for k, v in asdict(self).items() if v not in (None, False)}
        return " ".join(f"{k}={v!r}" for k, v in given.items()) or "all"

    @property
    def spares_decoding(self) -> bool:
        """Whether it names frames that can be told apart before decoding."""
        return self.keyframes_only or self.start_s is not None or self.end_s is not None

    def needs_time(self) -> bool:
        """Returns whether frames have to have a time."""
        return not (self.target_fps is self.start_s is self.end_s is None)


ALL_FRAMES = FrameSampling()


class FrameChooser:
    """Applies a sampling to the frames of one video in their order.

    Args:
        sampling: The rule.
        fps: Rate by the container; stands in for missing times.
    """

    def __init__(self, sampling: FrameSampling, fps: float | None) -> None:
        self._sampling, self._fps = sampling, fps
        self._first_s: float | None = None
        self._bucket: int | None = None

    def takes(self, index: int, time_s: float | None, keyframe: bool) -> bool:
        """Says whether the next frame takes part.

        Raises:
            CorruptVideoError: The rule needs a time, and the video has neither times nor a rate.
        """
        rule = self._sampling
        time = self._time(index, time_s) if rule.needs_time() else 0.0
        is_first_in_bucket = rule.target_fps is None or self._enters_bucket(time)
        return (
            is_first_in_bucket
            and (rule.every_nth is None or index % rule.every_nth == 0)
            and (keyframe or not rule.keyframes_only)
            and (rule.start_s is None or time >= rule.start_s)
            and (rule.end_s is None or time < rule.end_s)
        )

    def _time(self, index: int, time_s: float | None) -> float:
        if time_s is not None:
            return time_s
        if not self._fps:
            raise CorruptVideoError(
                "has neither times nor a frame rate, which pipeline_config.frame_sampling needs "
                "for target_fps, start_s and end_s; every_nth works"
            )
        return index / self._fps

    def _enters_bucket(self, time: float) -> bool:
        target = self._sampling.target_fps
        assert target is not None
        if self._fps and target >= self._fps * _SAME_RATE:
            return True
        if self._first_s is None:
            self._first_s = time
        slack = _JITTER / self._fps if self._fps else 0.0
        bucket = math.floor((time - self._first_s + slack) * target)
        is_new = bucket != self._bucket
        self._bucket = bucket
        return is_new


class PacketTime(NamedTuple):
    """What a packet says of the frame in it, without decoding."""

    pts: int | None
    is_key: bool
    is_shown: bool


@dataclass(frozen=True, slots=True)
class DecodePlan:
    """Which packets have to be decoded, and what their frames are called.

    Attributes:
        index_by_pts: Index of every frame of the video.
        packets: Ordinals of the packets to decode.
        alone: Whether each packet is decoded for itself, as key frames can be.
    """

    index_by_pts: dict[int, int]
    packets: frozenset[int]
    alone: bool


def plan_decoding(
    packets: Sequence[PacketTime], sampling: FrameSampling, seconds_per_pts: float
) -> DecodePlan | None:
    """Returns how to decode only what a sampling needs; None where it takes a whole pass.

    The packets tell the index of every frame where each has its own pts and the first is a key
    packet; frames that a packet hides (edit lists) count for nothing. Streams without times,
    and cuts in the middle of a group, are decoded whole. In a damaged file fewer frames may come
    out than were counted here.

    Args:
        packets: Of the whole stream, in file order.
        sampling: The rule.
        seconds_per_pts: The stream's time base.
    """
    shown = [p.pts for p in packets if p.is_shown]
    known = sorted(pts for pts in shown if pts is not None)
    in_order = len(known) == len(shown) == len(set(known))
    if not known or not in_order or not packets[0].is_key:
        return None
    index_by_pts = {pts: index for index, pts in enumerate(known)}
    window = FrameChooser(replace(sampling, every_nth=None, target_fps=None), None)
    wanted = [
        n
        for n, p in enumerate(packets)
        if p.is_shown and p.pts is not None and window.takes(0, p.pts * seconds_per_pts, p.is_key)
    ]
    if not sampling.keyframes_only:
        wanted = _with_references(packets, wanted)
    return DecodePlan(index_by_pts, frozenset(wanted), sampling.keyframes_only)


def _with_references(packets: Sequence[PacketTime], wanted: Sequence[int]) -> list[int]:
    """Returns all packets from the key packet before the first wanted picture to the last."""
    if not wanted:
        return []
    first_pts = min(pts for pts in (packets[n].pts for n in wanted) if pts is not None)
    keys = [n for n, p in enumerate(packets) if p.is_key and p.pts is not None]
    before = [n for n in keys if n <= wanted[0] and (packets[n].pts or 0) <= first_pts]
    return list(range(before[-1] if before else 0, wanted[-1] + 1))
