"""What the frame tables say of the frames that took part: one pass, a table at a time.

Gives times and quality numbers by row, and a timeline per video; what is damaged, copied or sampled
out is no row of a selection, but is in the tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.earlier import EmbeddedVideo
from lightly_pipeline.datasources import concurrently
from lightly_pipeline.datasources.documents import FEW
from lightly_pipeline.report.gather.material import Material
from lightly_pipeline.report.numbers import Timeline
from lightly_pipeline.tables.columns import QUALITY_COLUMNS
from lightly_pipeline.tables.outcome import VideoOutcome

QUALITY = tuple(column.name for column in QUALITY_COLUMNS)
# Of a file that says neither times nor a rate.
_DEFAULT_FPS = 25.0
# Spans closer together than a part of the video are one: at most so many parts for a video, and so
# many for all of them, which a page can draw.
_MAX_PARTS, _MIN_PARTS, _ALL_PARTS = 400, 20, 40_000


@dataclass(frozen=True, slots=True)
class FrameColumns:
    """Columns of the N rows that belong to candidates' videos, and the videos' timelines.

    Attributes:
        times: Shape (N,), float64: presentation time in seconds, NaN where unknown.
        clock: Shape (N,), float64, ascending: the same, one video after the other.
        quality: Shape (N,), float32, by column.
        timelines: In the order of the videos; none of images.
    """

    times: NDArray[np.float64]
    clock: NDArray[np.float64]
    quality: dict[str, NDArray[np.float32]]
    timelines: tuple[Timeline, ...]


def read_frame_columns(material: Material) -> FrameColumns:
    """Reads the tables of all videos that took part.

    Raises:
        DatasourceError: A table cannot be read.
    """
    n_rows = material.pool.n_candidate_rows
    is_candidate = np.zeros(n_rows, dtype=bool)
    is_candidate[material.candidates] = True
    rank_of = {int(row): rank for rank, row in enumerate(material.chosen)}
    chosen_rows = np.sort(material.chosen)
    found = FrameColumns(
        np.empty(n_rows),
        np.empty(n_rows),
        {name: np.empty(n_rows, np.float32) for name in QUALITY},
        (),
    )
    timelines, start, clock = [], 0, 0.0
    tables = concurrently(_read, material.videos, at_once=FEW)
    for video, table in zip(material.videos, tables, strict=True):
        rows = slice(start, start + len(video.rows))
        outcome = material.outcomes[video.video.path]
        times = _times(table, outcome)
        found.times[rows] = table["time_s"][video.rows]
        first = times[0] if len(times) else 0.0
        # A step back in time, which broken files have, does not turn the clock back.
        elapsed = np.maximum.accumulate(times - first) if len(times) else times
        found.clock[rows] = clock + elapsed[video.rows]
        clock = float(clock + (elapsed[-1] if len(elapsed) else 0.0) + _step(times))
        for name in QUALITY:
            found.quality[name][rows] = table[name][video.rows]
        if material.of_images:
            start = rows.stop
            continue
        can_be_chosen = np.zeros(video.n_rows, dtype=bool)
        can_be_chosen[video.rows] = is_candidate[rows]
        first_own, last_own = np.searchsorted(chosen_rows, [rows.start, rows.stop])
        ranks = tuple(rank_of[int(row)] for row in chosen_rows[first_own:last_own])
        timelines.append(
            _timeline(video, outcome, times, table["damaged"], can_be_chosen, ranks, material)
        )
        start = rows.stop
    return FrameColumns(found.times, found.clock, found.quality, tuple(timelines))


def _read(video: EmbeddedVideo) -> dict[str, NDArray[Any]]:
    return video.table.columns(["index", "time_s", "damaged", *QUALITY])


def _times(table: dict[str, NDArray[Any]], outcome: VideoOutcome) -> NDArray[np.float64]:
    """Returns the time of each row of a table: between its neighbours' where the file has none.

    By index where it has none at all.
    """
    times: NDArray[np.float64] = table["time_s"].astype(np.float64)
    known = np.isfinite(times)
    if known.any():
        filled: NDArray[np.float64] = np.interp(table["index"], table["index"][known], times[known])
        return filled
    by_index: NDArray[np.float64] = table["index"] / (outcome.info.get("fps") or _DEFAULT_FPS)
    return by_index


def _step(times: NDArray[np.float64]) -> float:
    """Returns how long a frame is shown, as most are."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 1 / _DEFAULT_FPS


def _timeline(
    video: EmbeddedVideo,
    outcome: VideoOutcome,
    times: NDArray[np.float64],
    damaged: NDArray[np.bool_],
    can_be_chosen: NDArray[np.bool_],
    ranks: tuple[int, ...],
    material: Material,
) -> Timeline:
    if not len(times):
        length = outcome.info.get("duration_s") or 0.0
        return Timeline(video.video.path, video.n_frames, length, (), (), video.n_frames, ())
    parts = min(_MAX_PARTS, max(_MIN_PARTS, _ALL_PARTS // len(material.videos)))
    first, last = float(times.min()), float(times.max())
    sampling = material.config.pipeline.frame_sampling
    left_out = _spans(~can_be_chosen & ~damaged, times, (last - first) / parts)
    end = last
    if len(times) < video.n_frames:
        end = max(last, outcome.info.get("duration_s") or 0.0)
    if sampling.start_s is not None and first > 0:
        left_out = ((0.0, first), *left_out)
    if sampling.end_s is not None and end > last:
        left_out = (*left_out, (last, end))
    return Timeline(
        video=video.video.path,
        n_frames=video.n_frames,
        duration_s=end,
        chosen=ranks,
        damaged=_spans(damaged, times, (last - first) / parts),
        n_sampled_out=video.n_frames - video.n_rows,
        left_out=left_out,
        start_s=min(first, 0.0) if sampling.start_s is not None else first,
    )


def _spans(
    wanted: NDArray[np.bool_], times: NDArray[np.float64], apart: float
) -> tuple[tuple[float, float], ...]:
    """Returns the spans of time of wanted frames, each until the next frame that is not.

    Args:
        wanted: Shape (n,).
        times: Shape (n,).
        apart: Spans that are closer together are joined.
    """
    edges = np.flatnonzero(np.diff(wanted, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return ()
    until = np.append(times, times[-1] + _step(times))
    joined: Sequence[bool] = np.concatenate(
        [[True], times[starts[1:]] - until[ends[:-1]] > apart]
    ).tolist()
    firsts = np.flatnonzero(joined)
    lasts = np.append(firsts[1:] - 1, len(starts) - 1)
    return tuple(
        (float(times[starts[a]]), float(until[ends[b]])) for a, b in zip(firsts, lasts, strict=True)
    )
