"""The values of a report, as whoever draws or writes it is handed them.

Values only, arrays of NumPy at most: `gather/` finds them. HTML, PDF and JSON say the same because
all three are made of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.export.previews import Preview as Preview


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Which run this is, and how it can be repeated.

    Attributes:
        run_id: Id of the run.
        dataset: Name of the dataset.
        created: UTC time of the selection, ISO 8601.
        seconds: Wall time by step.
        rates: Per second by step, such as {"decode_and_embed": 812.0}, in `rate_units`.
        rate_units: What is counted by step, such as "frames".
        config: The effective configuration blocks, without secrets.
        versions: Release by package, the embedding id, and the model that a run trained, if any.
        dataset_id: Id of the dataset.
        folder: Location of the run's files.
        of_images: Whether what was chosen from is images, and no frames of videos.
    """

    run_id: str
    dataset: str
    created: str
    seconds: Mapping[str, float]
    rates: Mapping[str, float]
    rate_units: Mapping[str, str]
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    dataset_id: str = ""
    folder: str = ""
    of_images: bool = False


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many there are of what; frames unless the name says videos.

    Attributes:
        n_input_videos: Videos listed.
        n_corrupt_videos: Of these, without a frame that can be used.
        n_failed_videos: Of these, left out: a store refused them, or they expire too soon.
        n_input_frames: Decoded frames, in this run or before it.
        n_damaged_frames: Of these, with concealed parts.
        n_duplicates: Frames that took part and are exact copies, whether they were removed or not.
        n_removed_by_threshold: Frames that a THRESHOLD removed.
        n_candidates: Frames that could be chosen.
        n_preselected: Frames that earlier runs chose.
        n_selected: Chosen frames whose images are stored.
        n_replaced: Frames chosen at first for which others were taken.
        n_missing: Chosen frames without an image.
        n_removed_duplicates: Copies that were removed.
    """

    n_input_videos: int
    n_corrupt_videos: int
    n_failed_videos: int
    n_input_frames: int
    n_damaged_frames: int
    n_duplicates: int
    n_removed_by_threshold: int
    n_candidates: int
    n_preselected: int
    n_selected: int
    n_replaced: int
    n_missing: int
    n_removed_duplicates: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is broken or left out, and why.

    Attributes:
        kind: "video" (no frame of it), "frame", "left out" (a store refused it, or it
            expires too soon), "warning",
            "not stored" (chosen, and no image) or "replaced".
        place: The video, or the video and the frame.
        reason: For a person.
    """

    kind: str
    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class CoverageCurve:
    """How well the first n of a sequence of frames cover the candidates: distances of embeddings.

    Attributes:
        name: "this choice", "random" or "evenly in time" (of images "evenly by name").
        n: Shape (p,), int64, ascending: numbers of frames.
        median: Shape (p,), float64: median distance of a candidate to its nearest of the first n.
        largest: Shape (p,), float64: the largest such distance.
        n_measured: Candidates that were measured, evenly spaced; None for all of them.
    """

    name: str
    n: NDArray[np.int64]
    median: NDArray[np.float64]
    largest: NDArray[np.float64]
    n_measured: int | None = None


@dataclass(frozen=True, slots=True)
class ChosenPicture:
    """One chosen frame.

    Attributes:
        rank: Position in the order of picks, from 0.
        video: Path of the video relative to the INPUT root.
        frame_index: Position among the video's decoded frames, from 0.
        time_s: Presentation time in seconds.
        image: Path of its image in the LIGHTLY datasource; None where it could not be stored.
        decided_by: The strategy that decided the pick.
        distance: To the nearest frame chosen before; None for the first.
        nearest_rank: Rank of that frame; None for the first, and where it is of an earlier run.
        preview: None where it cannot be had.
    """

    rank: int
    video: str
    frame_index: int
    time_s: float | None
    image: str | None
    decided_by: str | None
    distance: float | None
    nearest_rank: int | None
    preview: Preview | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """One video in time.

    Attributes:
        video: Path of the video.
        n_frames: Decoded frames.
        duration_s: Time of the last frame; by index where there are no times.
        chosen: Ranks of its chosen frames, in order of time.
        damaged: Spans (start, end) in seconds of damaged frames, joined.
        n_sampled_out: Decoded frames that the sampling left out.
        left_out: Spans (start, end) in seconds of frames that could not be chosen for another
            reason than damage: copies, thresholds, chosen before, outside the sampling's window.
        start_s: Time of the first frame.
    """

    video: str
    n_frames: int
    duration_s: float
    chosen: tuple[int, ...]
    damaged: tuple[tuple[float, float], ...]
    n_sampled_out: int
    left_out: tuple[tuple[float, float], ...]
    start_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EmbeddingMap:
    """The embeddings in two dimensions.

    Attributes:
        method: "PCA" or "UMAP".
        explained: Share of the variance by axis; empty for UMAP.
        density: Shape (h, w), int64: candidates by cell, row 0 is the lowest y.
        extent: (x of the left edge, right, y of the bottom, top) of `density`.
        points: Shape (s, 2), float32: a sample of the candidates.
        point_video: Shape (s,), int32: place of the video in `Report.timelines`.
        point_time_s: Shape (s,), float64, NaN where unknown.
        point_frame: Shape (s,), int64: frame index.
        chosen: Shape (k, 2), float32, by rank.
        point_name: Of images, their paths; empty for frames of videos.
    """

    method: str
    explained: tuple[float, ...]
    density: NDArray[np.int64]
    extent: tuple[float, float, float, float]
    points: NDArray[np.float32]
    point_video: NDArray[np.int32]
    point_time_s: NDArray[np.float64]
    point_frame: NDArray[np.int64]
    chosen: NDArray[np.float32]
    point_name: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Twin:
    """A candidate that was left out, and the choice that stands for it.

    Attributes:
        kind: "closest", "median" or "farthest": where the pair is among all of the run's.
        video: Of the left-out frame.
        frame_index: Its position there.
        time_s: Its presentation time.
        distance: Between the two.
        rank: Of the choice.
        preview: Of the left-out frame; None where previews of such frames are not wanted.
    """

    kind: str
    video: str
    frame_index: int
    time_s: float | None
    distance: float
    rank: int
    preview: Preview | None


@dataclass(frozen=True, slots=True)
class Balance:
    """What one BALANCE asked for and got: shares by class, 0 to 1."""

    strategy: str
    asked: Mapping[str, float]
    reached: Mapping[str, float]
    pool: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Histogram:
    """One number or category of the frames, over the pool and over the choice.

    Attributes:
        name: Such as "sharpness", or the key of metadata.
        edges: Shape (b + 1,), float64, of the bins of numbers; None for categories.
        labels: Of the categories; empty for numbers.
        pool: Shape (b,), int64: frames that took part by bin, those included that a THRESHOLD
            removed; objects, where the name says so.
        chosen: Shape (b,), int64: chosen frames by bin.
        threshold: (operation, value) of a THRESHOLD on it; None without.
        n_removed: What that removed.
        pool_metrics: "mean", "std", "min", "median", "max" of numbers; empty for categories.
        chosen_metrics: The same of the chosen frames.
    """

    name: str
    edges: NDArray[np.float64] | None
    labels: tuple[str, ...]
    pool: NDArray[np.int64]
    chosen: NDArray[np.int64]
    threshold: tuple[str, float] | None = None
    n_removed: int = 0
    pool_metrics: Mapping[str, float] = field(default_factory=dict)
    chosen_metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Distances:
    """A histogram of distances to the nearest neighbour, with its figures.

    Attributes:
        name: Such as "to the nearest other candidate".
        edges: Shape (b + 1,), float64.
        counts: Shape (b,), int64.
        metrics: "mean", "std", "min", "median", "max".
        n_measured: Frames that were measured, evenly spaced; None for all of them.
    """

    name: str
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    metrics: Mapping[str, float]
    n_measured: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All of a run's report."""

    facts: RunFacts
    sizes: Sizes
    problems: tuple[Problem, ...]
    coverage: tuple[CoverageCurve, ...]
    chosen: tuple[ChosenPicture, ...]
    timelines: tuple[Timeline, ...]
    map: EmbeddingMap | None
    twins: tuple[Twin, ...]
    balances: tuple[Balance, ...]
    histograms: tuple[Histogram, ...]
    distances: tuple[Distances, ...]
