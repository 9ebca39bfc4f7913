"""The objects of a selection's rows, and of the frames of a tag that SIMILARITY asks for.

Reads what the tables hold; how they were made is `tables.object_build`'s business.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.rows import FrameRows, RowVideo
from lightly_pipeline.datasources import Datasource, StoredObject, concurrently
from lightly_pipeline.datasources.documents import FEW
from lightly_pipeline.errors import DatasourceError, LightlyPipelineError
from lightly_pipeline.runs.tags import Tag
from lightly_pipeline.selection.objects import Objects
from lightly_pipeline.selection.vectors.matrix import empty_matrix
from lightly_pipeline.tables.handle import video_table
from lightly_pipeline.tables.objects import ObjectsOutcome, ObjectTable


@dataclass(frozen=True, slots=True)
class _VideoObjects:
    """The objects of the rows of one video.

    Attributes:
        rows: Shape (R,): the video's rows, ascending.
        counts: Shape (R,): objects of each.
        places: Shape (sum of counts,): where they are in the table, row by row.
        table: Their table.
        outcome: Of the table; None where there is none.
    """

    rows: NDArray[np.int64]
    counts: NDArray[np.int64]
    places: NDArray[np.int64]
    table: ObjectTable
    outcome: ObjectsOutcome | None


def read_objects(
    rows: FrameRows, task: str, dim: int, *, on_disk: bool
) -> tuple[Objects, dict[str, str]]:
    """Returns the objects of all rows, and the reason by location of what was left out of them.

    A frame that an earlier run chose has those that are stored of its version, if any are.

    Args:
        rows: The frames.
        task: Name of the task.
        dim: Length of an embedding.
        on_disk: Keep the embeddings in a file, however few they are.

    Raises:
        LightlyPipelineError: There is no object at all.
        DatasourceError: A table cannot be read.
    """

    def found(part: tuple[RowVideo, NDArray[np.int64]]) -> _VideoObjects:
        video, places = part
        return _objects_of(video, rows.index[places], places, task)

    parts = list(concurrently(found, rows.of_video(), at_once=FEW))
    counts = np.zeros(len(rows), dtype=np.int64)
    for part in parts:
        counts[part.rows] = part.counts
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    skipped = {k: v for part in parts if part.outcome for k, v in part.outcome.skipped.items()}
    if not starts[-1]:
        raise LightlyPipelineError(_no_objects(task, len(rows), skipped))
    vectors = empty_matrix(int(starts[-1]), dim, on_disk=on_disk)
    for _ in concurrently(lambda part: _load(part, starts, vectors), parts, at_once=FEW):
        pass
    return Objects(vectors, starts), skipped


def _objects_of(
    video: RowVideo, indices: NDArray[np.int64], rows: NDArray[np.int64], task: str
) -> _VideoObjects:
    table = ObjectTable(video.table, task)
    outcome = table.outcome()
    if outcome is None and not video.may_be_gone:
        raise DatasourceError(
            f"{video.path}: the objects of task {task} are gone: delete nothing below "
            ".lightly/tables while a run is on, and run again"
        )
    frames = np.empty(0, np.int64) if outcome is None else table.frames(outcome)
    first = np.searchsorted(frames, indices)
    counts = np.searchsorted(frames, indices, side="right") - first
    ends = np.cumsum(counts)
    places = np.arange(ends[-1]) + np.repeat(first - (ends - counts), counts)
    return _VideoObjects(rows, counts, places, table, outcome)


def _load(part: _VideoObjects, starts: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
    """Fills in the embeddings of one video's rows."""
    if not len(part.places):
        return
    assert part.outcome is not None
    first, n_rows = int(starts[part.rows[0]]), len(part.rows)
    follow_each_other = int(part.rows[-1]) - int(part.rows[0]) == n_rows - 1
    if follow_each_other and len(part.places) == part.outcome.n_objects:
        part.table.read_embeddings_into(part.outcome, vectors[first : first + len(part.places)])
        return
    targets = np.concatenate([np.arange(starts[row], starts[row + 1]) for row in part.rows])
    if len(part.places) < part.outcome.n_objects // 2:
        vectors[targets] = part.table.embeddings_at(part.outcome, part.places)
        return
    whole = np.empty((part.outcome.n_objects, part.outcome.dim), dtype=np.float32)
    part.table.read_embeddings_into(part.outcome, whole)
    vectors[targets] = whole[part.places]


def _no_objects(task: str, n_rows: int, skipped: Mapping[str, str]) -> str:
    message = f"task {task}: none of the {n_rows} frames has an object to be compared by"
    if not skipped:
        return f"{message}: its predictions are empty, or of other frames"
    location, reason = next(iter(skipped.items()))
    return (
        f"{message}; {len(skipped)} files of predictions are wrong, the first {location}: {reason}"
    )


@dataclass(frozen=True, slots=True)
class ObjectTagQuery:
    """The objects in the frames of a tag, of this or another dataset.

    Attributes:
        store: The LIGHTLY datasource of the dataset.
        tag: The tag.
        task: Name of the task.
    """

    store: Datasource
    tag: Tag
    task: str

    def embeddings(self, embedding_id: str) -> NDArray[np.float32]:
        """Returns their embeddings, shape (Q, dim).

        Raises:
            LightlyPipelineError: There is none that can be compared with `embedding_id`.
        """
        wanted: dict[str, list[int]] = defaultdict(list)
        for frame in self.tag.chosen.frames:
            wanted[frame.video].append(frame.frame_index)

        def read(path: str) -> NDArray[np.float32] | None:
            version = self.tag.chosen.videos[path]
            listed = StoredObject(path, version.size_bytes, version.etag)
            video = video_table(self.store, embedding_id, listed)
            indices = np.array(sorted(set(wanted[path])), dtype=np.int64)
            found = _objects_of(
                RowVideo(path, version.n_frames, video, may_be_gone=True),
                indices,
                np.arange(len(indices)),
                self.task,
            )
            if found.outcome is None or not len(found.places):
                return None
            return found.table.embeddings_at(found.outcome, found.places)

        parts = [part for part in concurrently(read, wanted, at_once=FEW) if part is not None]
        if not parts:
            raise LightlyPipelineError(
                f"tag {self.tag.name} of {self.store.describe()} as a query: none of its "
                f"{len(self.tag.chosen.frames)} frames has objects of task {self.task} that were "
                f"embedded with {embedding_id}: select there by the objects of this task first, "
                "with the same encoder"
            )
        return np.concatenate(parts)
