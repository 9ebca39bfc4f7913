"""The rows of a selection: whose frames may be chosen, which were before, and their embeddings.

Reads tables into one matrix. What else rows are compared by is in `inputs`; what a person is told
when nothing is left, `steps.choosing` says.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.earlier import EarlierFrames, EmbeddedVideo, find_earlier
from lightly_pipeline.candidates.rows import FrameRows, RowVideo, frame_rows, joined
from lightly_pipeline.datasources import Datasource, StoredObject, concurrently
from lightly_pipeline.datasources.documents import FEW
from lightly_pipeline.progress import Progress
from lightly_pipeline.runs.chosen import ChosenSet
from lightly_pipeline.runs.datapool import Datapool
from lightly_pipeline.selection.vectors.matrix import empty_matrix
from lightly_pipeline.tables.handle import VideoTable, video_table
from lightly_pipeline.tables.outcome import VideoOutcome


@dataclass(frozen=True, slots=True)
class Pool:
    """The rows of a selection.

    Attributes:
        rows: Candidates first, then frames chosen before that are no candidates' rows.
        embeddings: Shape (len(rows), dim).
        n_candidate_rows: How many of them belong to candidates.
        earlier: The frames chosen before.
    """

    rows: FrameRows
    embeddings: NDArray[np.float32]
    n_candidate_rows: int
    earlier: EarlierFrames


def embedded_videos(
    store: Datasource,
    embedding_id: str,
    processed: Iterable[tuple[StoredObject, VideoOutcome]],
) -> dict[str, EmbeddedVideo]:
    """Returns the videos that gave frames, by path.

    Args:
        store: The LIGHTLY datasource.
        embedding_id: Of the tables that are compared.
        processed: Videos with their outcomes.
    """

    def embedded(made: tuple[StoredObject, VideoOutcome]) -> EmbeddedVideo:
        video, outcome = made
        table = video_table(store, embedding_id, video)
        return EmbeddedVideo(
            video, outcome.n_frames, table, outcome.dim, _frame_indices(table, outcome)
        )

    good = [(video, outcome) for video, outcome in processed if not outcome.is_corrupt]
    return {found.video.path: found for found in concurrently(embedded, good, at_once=FEW)}


def _frame_indices(table: VideoTable, outcome: VideoOutcome) -> NDArray[np.int64]:
    """Returns the frames of a video that its table has rows of."""
    if outcome.n_rows == outcome.n_frames:
        return np.arange(outcome.n_frames, dtype=np.int64)
    indices: NDArray[np.int64] = table.columns(["index"])["index"]
    return indices


def fresh_videos(videos: Iterable[EmbeddedVideo], datapool: Datapool | None) -> list[EmbeddedVideo]:
    """Returns the videos that were no candidates of earlier datapool runs; all without a pool."""
    return [v for v in videos if datapool is None or not datapool.is_processed(v.video)]


def load_pool(
    store: Datasource,
    embedding_id: str,
    current: Mapping[str, EmbeddedVideo],
    candidates: Sequence[EmbeddedVideo],
    chosen_before: Sequence[ChosenSet],
    *,
    on_disk: bool,
    progress: Progress,
) -> Pool:
    """Streams the embeddings of all candidates into one matrix, frames chosen before below them.

    Args:
        store: The LIGHTLY datasource.
        embedding_id: Of the tables that are compared.
        current: The embedded videos by path.
        candidates: Those of them whose frames may be chosen; at least one.
        chosen_before: What earlier runs chose.
        on_disk: Keep the matrix in a file.
        progress: Told how many rows are loaded.

    Raises:
        LightlyPipelineError: Frames chosen before cannot be compared.
        DatasourceError: A table cannot be read.
    """
    rows = frame_rows((RowVideo(v.video.path, v.n_frames, v.table), v.indices) for v in candidates)
    ends = np.cumsum([len(video.indices) for video in candidates])
    starts = {
        video.video.path: int(end) - len(video.indices)
        for video, end in zip(candidates, ends, strict=True)
    }
    earlier = find_earlier(store, chosen_before, embedding_id, current, starts, len(rows))
    matrix = empty_matrix(len(rows) + len(earlier.extra), candidates[0].dim, on_disk=on_disk)

    def load(place: tuple[EmbeddedVideo, int]) -> int:
        video, end = place
        video.table.read_embeddings_into(matrix[end - len(video.indices) : end])
        return end

    places = list(zip(candidates, map(int, ends), strict=True))
    for end in concurrently(load, places, at_once=FEW):
        progress("load", end, len(rows), "frames")
    matrix[len(rows) :] = earlier.embeddings
    return Pool(joined(rows, earlier.extra), matrix, len(rows), earlier)
