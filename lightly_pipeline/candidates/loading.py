"""The rows of a selection: whose frames may be chosen, which were before, and their embeddings.

Reads tables, or a file of the user's own vectors, into one matrix. What else rows are compared by
is in `inputs`; what a person is told when nothing is left, `steps.choosing` says.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.earlier import EarlierFrames, EmbeddedVideo, find_earlier
from lightly_pipeline.candidates.own import OwnPart, OwnVectors
from lightly_pipeline.candidates.rows import FrameRows, frame_rows, joined
from lightly_pipeline.datasources import Datasource, StoredObject, concurrently
from lightly_pipeline.datasources.documents import FEW
from lightly_pipeline.progress import Progress
from lightly_pipeline.runs.chosen import ChosenSet
from lightly_pipeline.runs.datapool import Datapool
from lightly_pipeline.selection.vectors.matrix import empty_matrix
from lightly_pipeline.tables.handle import VideoTable, video_table
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline.tables.shards import ImageShard


@dataclass(frozen=True, slots=True)
class Pool:
    """The rows of a selection.

    Attributes:
        rows: Candidates first, then frames chosen before that are no candidates' rows.
        embeddings: Shape (len(rows), dim).
        n_candidate_rows: How many of them belong to candidates.
        places: Shape (n_candidate_rows,): the place of each candidate's frame in its table.
        earlier: The frames chosen before.
        marked: Shape (M,), int64, ascending: rows of candidates, not among the earlier ones, that
            the user's own vectors are marked as selected for.
    """

    rows: FrameRows
    embeddings: NDArray[np.float32]
    n_candidate_rows: int
    places: NDArray[np.int64]
    earlier: EarlierFrames
    marked: NDArray[np.int64]


def embedded_videos(
    store: Datasource,
    table_id: str,
    processed: Iterable[tuple[StoredObject, VideoOutcome]],
    *,
    with_damaged: bool,
    left_out: Mapping[str, Collection[int]] | None = None,
    own: OwnVectors | None = None,
) -> dict[str, EmbeddedVideo]:
    """Returns the videos that gave frames, by path.

    Args:
        store: The LIGHTLY datasource.
        table_id: Under which their tables are.
        processed: Videos with their outcomes.
        with_damaged: Whether damaged frames may be candidates.
        left_out: Frames by path of video that are no candidates for another reason.
        own: Vectors in the place of the tables' embeddings; frames without one are no candidates.
    """

    def embedded(made: tuple[StoredObject, VideoOutcome]) -> EmbeddedVideo:
        video, outcome = made
        table = video_table(store, table_id, video)
        indices = _frame_indices(table, outcome)
        may_be_chosen = np.ones(len(indices), dtype=bool)
        if not with_damaged:
            may_be_chosen &= _undamaged(table, outcome)
        barred = _barred(video, left_out or {})
        if barred:
            may_be_chosen &= ~np.isin(indices, list(barred))
        rows = np.flatnonzero(may_be_chosen)
        dim, part = outcome.dim, None
        if own is not None:
            part, has_vector = _own_part(own, video, outcome, indices[rows])
            rows, dim = rows[has_vector], own.dim
        return EmbeddedVideo(
            video, outcome.n_frames, table, dim, indices[rows], rows, len(indices), part
        )

    good = [
        (video, outcome)
        for video, outcome in processed
        if outcome.unusable_reason(with_damaged=with_damaged) is None
    ]
    return {found.video.path: found for found in concurrently(embedded, good, at_once=FEW)}


def _own_part(
    own: OwnVectors, video: StoredObject, outcome: VideoOutcome, indices: NDArray[np.int64]
) -> tuple[OwnPart, NDArray[np.bool_]]:
    """Returns the vectors of frames of a video, and which of the frames they are of."""
    found = own.match(video.path, outcome.n_frames, indices)
    is_there = found.places >= 0
    taken = is_there & ~found.masked
    part = OwnPart(
        own, found.places[taken], found.selected[taken], indices[~is_there], int(found.masked.sum())
    )
    return part, taken


def _frame_indices(table: VideoTable, outcome: VideoOutcome) -> NDArray[np.int64]:
    """Returns the frames of a video that its table has rows of."""
    if outcome.n_rows == outcome.n_frames:
        return np.arange(outcome.n_frames, dtype=np.int64)
    indices: NDArray[np.int64] = table.columns(["index"])["index"]
    return indices


def _undamaged(table: VideoTable, outcome: VideoOutcome) -> NDArray[np.bool_]:
    """Returns which rows of a table show what they should, shape (n_rows,)."""
    if not outcome.n_damaged:
        return np.ones(outcome.n_rows, dtype=bool)
    damaged: NDArray[np.bool_] = table.columns(["damaged"])["damaged"]
    return ~damaged


def _barred(video: StoredObject, left_out: Mapping[str, Collection[int]]) -> Collection[int]:
    """Returns the frames of a video that take no part."""
    if not isinstance(video, ImageShard):
        return left_out.get(video.path, ())
    others = {i for i, image in video.taking_part() if image.path in left_out} if left_out else ()
    return video.left_out.union(others)


def fresh_videos(videos: Iterable[EmbeddedVideo], datapool: Datapool | None) -> list[EmbeddedVideo]:
    """Returns the videos that were no candidates of earlier datapool runs; all without a pool.

    Of shards, the images that were none.
    """
    if datapool is None:
        return list(videos)
    fresh = []
    for one in videos:
        if isinstance(one.video, ImageShard):
            images = [one.video.images[index] for index in one.indices.tolist()]
            is_new = np.array([not datapool.is_processed(image) for image in images], dtype=bool)
            if is_new.any():
                fresh.append(replace(one, indices=one.indices[is_new], rows=one.rows[is_new]))
        elif not datapool.is_processed(one.video):
            fresh.append(one)
    return fresh


def load_pool(
    store: Datasource,
    embedding_id: str,
    current: Mapping[str, EmbeddedVideo],
    candidates: Sequence[EmbeddedVideo],
    chosen_before: Sequence[ChosenSet],
    *,
    on_disk: bool,
    progress: Progress,
    table_id: str | None = None,
) -> Pool:
    """Streams the embeddings of all candidates into one matrix, frames chosen before below them.

    Args:
        store: The LIGHTLY datasource.
        embedding_id: Of the embeddings that are compared.
        current: The embedded videos by path.
        candidates: Those of them whose frames may be chosen; at least one.
        chosen_before: What earlier runs chose.
        on_disk: Keep the matrix in a file.
        progress: Told how many rows are loaded.
        table_id: Under which the tables are; `embedding_id` by default.

    Raises:
        LightlyPipelineError: Frames chosen before cannot be compared.
        DatasourceError: A table cannot be read.
    """
    rows = frame_rows((video.as_rows(), video.indices) for video in candidates)
    ends = np.cumsum([len(video.indices) for video in candidates])
    earlier = find_earlier(
        store, chosen_before, embedding_id, current, candidates, table_id=table_id
    )
    matrix = empty_matrix(len(rows) + len(earlier.extra), candidates[0].dim, on_disk=on_disk)

    def load(part: tuple[EmbeddedVideo, int]) -> int:
        video, end = part
        video.read_embeddings_into(matrix[end - len(video.indices) : end])
        return end

    parts = list(zip(candidates, map(int, ends), strict=True))
    for end in concurrently(load, parts, at_once=FEW):
        progress("load", end, len(rows), "frames")
    matrix[len(rows) :] = earlier.embeddings
    places = np.concatenate([video.rows for video in candidates])
    marked = np.setdiff1d(_marked(candidates), earlier.rows)
    return Pool(joined(rows, earlier.extra), matrix, len(rows), places, earlier, marked)


def _marked(candidates: Sequence[EmbeddedVideo]) -> NDArray[np.int64]:
    """Returns the rows that a file of vectors says to choose first."""
    selected = [
        video.own.selected if video.own else np.zeros(len(video.indices), dtype=bool)
        for video in candidates
    ]
    return np.flatnonzero(np.concatenate(selected))
