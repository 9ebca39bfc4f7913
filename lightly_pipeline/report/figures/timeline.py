"""One video as a bar of time: chosen frames, damaged parts, parts that could not be chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lightly_pipeline.report.numbers import ChosenPicture, Timeline

_RESOLUTION = 1000

Spans = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class TimelinePicture:
    """A timeline; places are shares of the video's duration, 0 to 1.

    Attributes:
        video: Path of the video.
        description: What the bar shows, in words.
        chosen: (rank, place) in order of time.
        damaged: (start, end) of damaged parts.
        left_out: (start, end) of parts that could not be chosen for another reason.
    """

    video: str
    description: str
    chosen: list[tuple[int, float]]
    damaged: Spans
    left_out: Spans


def timeline_picture(timeline: Timeline, chosen: Mapping[int, ChosenPicture]) -> TimelinePicture:
    """Returns a timeline.

    Args:
        timeline: Of a video.
        chosen: The run's chosen frames by rank.
    """
    start, length = timeline.start_s, timeline.duration_s - timeline.start_s
    ticks = [
        (rank, round(_place(_at(chosen[rank]) - start, length), 4))
        for rank in timeline.chosen
        if rank in chosen
    ]
    damaged = _spans(timeline.damaged, start, length)
    left_out = _spans(timeline.left_out, start, length)
    parts = [f"{len(ticks):,} chosen of {timeline.n_frames:,} frames"]
    parts += [f"{_share(damaged):.0%} of the time damaged"] * bool(damaged)
    parts += [f"{_share(left_out):.0%} left out"] * bool(left_out)
    parts += [f"{timeline.n_sampled_out:,} frames not sampled"] * bool(timeline.n_sampled_out)
    return TimelinePicture(timeline.video, ", ".join(parts), ticks, damaged, left_out)


def _at(frame: ChosenPicture) -> float:
    # Where a video has no times, its duration counts frames.
    return frame.frame_index if frame.time_s is None else frame.time_s


def _place(at: float, length: float) -> float:
    return min(max(at / length, 0.0), 1.0) if length > 0 else 0.0


def _spans(spans: Sequence[tuple[float, float]], start: float, length: float) -> Spans:
    """Joins what no picture can tell apart: a span for every other frame is one grey bar."""
    if not spans or length <= 0:
        return []
    starts, ends = ((np.array(spans, np.float64).T - start) / length).clip(0, 1)
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    first = np.flatnonzero(np.r_[True, starts[1:] - ends[:-1] > 1 / _RESOLUTION])
    last = np.r_[first[1:] - 1, len(starts) - 1]
    joined = zip(starts[first].round(4).tolist(), ends[last].round(4).tolist(), strict=True)
    return list(joined)


def _share(spans: Spans) -> float:
    return sum(end - start for start, end in spans)
