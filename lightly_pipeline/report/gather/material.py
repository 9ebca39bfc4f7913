"""What a report of a choice is made from, and what is found; values only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.earlier import EmbeddedVideo
from lightly_pipeline.candidates.loading import Pool
from lightly_pipeline.config import RunConfig
from lightly_pipeline.inputs.values import SelectionInputs
from lightly_pipeline.report.numbers import (
    Balance,
    CoverageCurve,
    Distances,
    EmbeddingMap,
    Histogram,
    Timeline,
    Twin,
)
from lightly_pipeline.runs.records import SelectionRecord, VideoVersion
from lightly_pipeline.selection import GridEmbeddings
from lightly_pipeline.tables.outcome import VideoOutcome


@dataclass(frozen=True, slots=True)
class Material:
    """A finished selection.

    Attributes:
        config: The effective configuration.
        pool: The rows it chose from.
        videos: Whose frames they are, in the order of rows.
        outcomes: By path, of all videos that were processed.
        embeddings: Of all rows, as they were compared.
        inputs: What else the strategies read, of all rows.
        chosen: Shape (k,), int64: rows in the order of picks.
        candidates: Shape (n,), int64, ascending: rows that could be chosen.
        neighbor_distances: Of some rows to their nearest other row; None where only pooled rows
            were measured.
        summary: What the selection achieved, as in its record.
    """

    config: RunConfig
    pool: Pool
    videos: Sequence[EmbeddedVideo]
    outcomes: Mapping[str, VideoOutcome]
    embeddings: GridEmbeddings
    inputs: SelectionInputs
    chosen: NDArray[np.int64]
    candidates: NDArray[np.int64]
    neighbor_distances: NDArray[np.float64] | None
    summary: Mapping[str, Any]

    @property
    def before(self) -> NDArray[np.int64]:
        """Rows that earlier runs chose, shape (P,)."""
        return np.setdiff1d(self.pool.earlier.rows, self.chosen)

    @property
    def n_input_frames(self) -> int:
        """Decoded frames of all videos; images that decode."""
        return sum(o.n_rows if self.of_images else o.n_frames for o in self.outcomes.values())

    @property
    def of_images(self) -> bool:
        """Whether the rows are images, and no frames of videos."""
        return any(video.images for video in self.pool.rows.videos)

    def image_of(self, row: int) -> str:
        """Returns the path of a row's image; of a frame of a video nothing."""
        return self.pool.rows.frame(row)[0] if self.of_images else ""


@dataclass(frozen=True, slots=True)
class ChoiceNumbers:
    """What is found of a choice before its images are made.

    Attributes:
        frames: The choice: (path of video, frame index) in the order of picks.
        n_input_frames: Decoded frames of all videos.
        n_candidates: Frames that could be chosen.
        times: By rank: presentation time in seconds.
        nearest_ranks: By rank: the nearest choice before; None for the first, where a frame of an
            earlier run is nearer, and where there are too many to compare.
        coverage: Curves.
        map: The embeddings in two dimensions.
        twins: Pairs, without previews.
        twin_videos: Versions of the videos that the twins' left-out frames are of, by path.
        timelines: A timeline per video that took part.
        balances: One per BALANCE.
        histograms: Of quality numbers, and of what the strategies read.
        distances: Distributions of distances.
    """

    frames: tuple[tuple[str, int], ...]
    n_input_frames: int
    n_candidates: int
    times: tuple[float | None, ...]
    nearest_ranks: tuple[int | None, ...]
    coverage: tuple[CoverageCurve, ...]
    map: EmbeddingMap | None
    twins: tuple[Twin, ...]
    twin_videos: Mapping[str, VideoVersion]
    timelines: tuple[Timeline, ...]
    balances: tuple[Balance, ...]
    histograms: tuple[Histogram, ...]
    distances: tuple[Distances, ...]

    def are_of(self, record: SelectionRecord) -> bool:
        """Returns whether they are those of a record's choice."""
        return self.frames == frames_of(record)

    def of_what_is_left(self, record: SelectionRecord) -> "ChoiceNumbers":
        """Returns the numbers for a record that has lost some of the frames.

        What is about all frames together stays as it was chosen at first.
        """
        place = {frame: rank for rank, frame in enumerate(frames_of(record))}
        kept = [rank for rank, frame in enumerate(self.frames) if frame in place]
        new = {rank: place[self.frames[rank]] for rank in kept}
        return replace(
            self,
            frames=tuple(self.frames[rank] for rank in kept),
            times=tuple(self.times[rank] for rank in kept),
            nearest_ranks=tuple(_moved(self.nearest_ranks[rank], new) for rank in kept),
            map=self.map and replace(self.map, chosen=self.map.chosen[kept]),
            twins=tuple(replace(t, rank=new[t.rank]) for t in self.twins if t.rank in new),
            timelines=tuple(
                replace(line, chosen=tuple(new[rank] for rank in line.chosen if rank in new))
                for line in self.timelines
            ),
        )


def frames_of(record: SelectionRecord) -> tuple[tuple[str, int], ...]:
    """Returns the frames of a record as (path of video, frame index)."""
    return tuple((frame.video, frame.frame_index) for frame in record.frames)


def _moved(rank: int | None, new: Mapping[int, int]) -> int | None:
    return None if rank is None else new.get(rank)
