"""Frames that were chosen before, as rows of a selection: where they are, or their embeddings.

A frame whose video takes part is one of its rows. Another comes with its embedding: that kept with
the run that chose it, or that of the video's frame if the encoder is another by now.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.own import OwnPart
from lightly_pipeline.candidates.rows import FrameRows, RowVideo
from lightly_pipeline.candidates.sequences import Groups, groups_of
from lightly_pipeline.candidates.whereabouts import Found, Whereabouts
from lightly_pipeline.datasources import Datasource, StoredObject
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.runs.chosen import ChosenSet, StoredFrame, read_embeddings
from lightly_pipeline.tables.handle import VideoTable, video_table
from lightly_pipeline.tables.shards import ImageShard

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class EmbeddedVideo:
    """A video of the catalogue with frames, in the version that was embedded for this run.

    Attributes:
        video: As it was listed; or a shard of images, each of which is one frame.
        n_frames: Of the whole video.
        table: Its table.
        dim: Length of an embedding.
        indices: Shape (R,), int64, ascending: the frames that may be candidates.
        rows: Shape (R,), int64: where they are in the table.
        n_rows: Of the table, which has others, too, where frames are left out.
        own: Embeddings that come from a file instead of the table; None where they do not.
    """

    video: StoredObject
    n_frames: int
    table: VideoTable
    dim: int
    indices: NDArray[np.int64]
    rows: NDArray[np.int64]
    n_rows: int
    own: OwnPart | None = None

    def files(self) -> Iterator[StoredObject]:
        """Yields the files in INPUT whose frames may be candidates."""
        if isinstance(self.video, ImageShard):
            yield from (self.video.images[index] for index in self.indices.tolist())
        else:
            yield self.video

    def as_rows(self) -> RowVideo:
        """Returns what rows of its frames are of."""
        images = self.video.images if isinstance(self.video, ImageShard) else ()
        return RowVideo(self.video.path, self.n_frames, self.table, images=images)

    def row_of(self, frame_index: int) -> int | None:
        """Returns the place of a frame in `indices`; None for one that is left out."""
        row = int(np.searchsorted(self.indices, frame_index))
        is_there = row < len(self.indices) and self.indices[row] == frame_index
        return row if is_there else None

    def embeddings_of(self, frame_indices: Sequence[int]) -> NDArray[np.float32]:
        """Returns the embeddings of frames of `indices`, shape (len(frame_indices), dim)."""
        wanted = np.searchsorted(self.indices, frame_indices)
        if self.own is not None:
            vectors = np.empty((len(wanted), self.dim), dtype=np.float32)
            self.own.vectors.read_into(self.own.places[wanted], vectors)
            return vectors
        return self.table.embeddings_at(self.rows[wanted], n_rows=self.n_rows, dim=self.dim)

    def read_embeddings_into(self, target: NDArray[np.float32]) -> None:
        """Fills `target`, shape (R, dim) and C-contiguous, with the embeddings of `indices`."""
        if self.own is not None:
            self.own.vectors.read_into(self.own.places, target)
            return
        if len(self.rows) == self.n_rows:
            self.table.read_embeddings_into(target)
            return
        whole = np.empty((self.n_rows, self.dim), dtype=np.float32)
        self.table.read_embeddings_into(whole)
        np.take(whole, self.rows, axis=0, out=target)


@dataclass(frozen=True, slots=True)
class EarlierFrames:
    """Frames chosen before, each once.

    Attributes:
        rows: Shape (P,), int64: those below the number of candidates are candidates' rows, the
            others follow them in the order of `extra`.
        extra: The frames that are no candidates' rows.
        embeddings: Of these, shape (len(extra), dim), not normalised.
        sequences: The same rows in groups: frames that were chosen together.
    """

    rows: NDArray[np.int64]
    extra: FrameRows
    embeddings: NDArray[np.float32]
    sequences: Groups


def find_earlier(
    store: Datasource,
    chosen: Sequence[ChosenSet],
    embedding_id: str,
    current: Mapping[str, EmbeddedVideo],
    candidates: Sequence[EmbeddedVideo] = (),
    *,
    table_id: str | None = None,
) -> EarlierFrames:
    """Returns where frames that were chosen before are in a selection.

    Args:
        store: The LIGHTLY datasource.
        chosen: What earlier runs chose; a frame in several of them counts once.
        embedding_id: Of the embeddings that they are compared with.
        current: The embedded videos by path.
        candidates: Those whose frames are rows, one video after the other.
        table_id: Of the tables that say more of their frames; `embedding_id` by default.

    Raises:
        LightlyPipelineError: The embeddings of some cannot be compared.
    """
    finder = _Finder(store, embedding_id, current, candidates, table_id or embedding_id)
    for one in chosen:
        finder.add(one)
    return finder.result()


def embeddings_of(
    store: Datasource,
    chosen: ChosenSet,
    embedding_id: str,
    current: Mapping[str, EmbeddedVideo] | None = None,
) -> NDArray[np.float32]:
    """Returns the embeddings of all frames of a set, shape (len(frames), dim).

    Raises:
        LightlyPipelineError: They cannot be compared with `embedding_id`.
    """
    return find_earlier(store, [chosen], embedding_id, current or {}).embeddings


class _Finder:
    def __init__(
        self,
        store: Datasource,
        embedding_id: str,
        current: Mapping[str, EmbeddedVideo],
        candidates: Sequence[EmbeddedVideo],
        table_id: str,
    ) -> None:
        self._store, self._embedding_id, self._table_id = store, embedding_id, table_id
        self._current = Whereabouts(current)
        self._candidates = Whereabouts({one.video.path: one for one in candidates})
        self._starts, self._n_rows = {}, 0
        for one in candidates:
            self._starts[one.video.path] = self._n_rows
            self._n_rows += len(one.indices)
        self._dim = next((video.dim for video in current.values()), 0)
        self._seen: set[tuple[str, int, str]] = set()
        self._rows: list[int] = []
        self._groups: list[NDArray[np.int64]] = []
        self._videos: dict[tuple[str, str], int] = {}
        self._row_videos: list[RowVideo] = []
        self._extra: list[tuple[int, int]] = []
        self._embeddings: list[NDArray[np.float32]] = []
        self._incomparable: list[str] = []

    def add(self, chosen: ChosenSet) -> None:
        """Adds the frames of one run that were not added before."""
        extra: list[StoredFrame] = []
        for start in range(0, len(chosen.frames), chosen.sequence_length):
            members = []
            for frame in chosen.frames[start : start + chosen.sequence_length]:
                if not self._is_new(frame, chosen):
                    continue
                row = self._candidate_row(frame, chosen)
                if row is None:
                    row = self._n_rows + len(self._extra) + len(extra)
                    extra.append(frame)
                members.append(row)
            self._rows += members
            if members:
                self._groups.append(np.array(members, dtype=np.int64))
        if extra:
            self._extra += [self._place(frame, chosen) for frame in extra]
            self._embeddings.append(self._vectors(extra, chosen))

    def result(self) -> EarlierFrames:
        """Returns all frames added."""
        if self._incomparable:
            shown = ", ".join(self._incomparable[:_SHOWN])
            more = ", ..." if len(self._incomparable) > _SHOWN else ""
            raise LightlyPipelineError(
                f"{len(self._incomparable)} frames chosen earlier were embedded by another "
                "encoder, release, frame sampling or file of embeddings than this run's "
                f"{self._embedding_id}, and their videos are not among this run's in the same "
                "version or their frames are left out, so they cannot be compared "
                f"({shown}{more}): use the encoder, sampling and file they were chosen with, put "
                "the videos or their vectors back, or start a dataset of its own"
            )
        owner = np.array([video for video, _ in self._extra], dtype=np.int32)
        index = np.array([index for _, index in self._extra], dtype=np.int64)
        none = np.empty((0, self._dim), dtype=np.float32)
        return EarlierFrames(
            np.array(self._rows, dtype=np.int64),
            FrameRows(tuple(self._row_videos), owner, index),
            np.concatenate(self._embeddings) if self._embeddings else none,
            groups_of(self._groups),
        )

    def _is_new(self, frame: StoredFrame, chosen: ChosenSet) -> bool:
        key = (frame.video, frame.frame_index, chosen.videos[frame.video].etag)
        is_new = key not in self._seen
        self._seen.add(key)
        return is_new

    def _found(self, frame: StoredFrame, chosen: ChosenSet) -> Found | None:
        """Returns where a frame is, if its file is there in the version it was chosen from."""
        found = self._current.find(frame.video, frame.frame_index)
        version = chosen.videos[frame.video]
        if found is None or not version.is_version(found.file):
            return None
        is_same = frame.is_image or version.n_frames == found.video.n_frames
        return found if is_same else None

    def _candidate_row(self, frame: StoredFrame, chosen: ChosenSet) -> int | None:
        if self._found(frame, chosen) is None:
            return None
        found = self._candidates.find(frame.video, frame.frame_index)
        return None if found is None else self._starts[found.video.video.path] + found.row

    def _place(self, frame: StoredFrame, chosen: ChosenSet) -> tuple[int, int]:
        """Returns the number of a frame's video among those of the rows, and its index there."""
        found = self._found(frame, chosen)
        if found is not None and frame.is_image:
            return self._number(found.video.as_rows()), found.index
        version = chosen.videos[frame.video]
        listed = StoredObject(frame.video, version.size_bytes, version.etag)
        video = RowVideo(
            frame.video,
            version.n_frames,
            video_table(self._store, self._table_id, listed),
            may_be_gone=True,
            images=(listed,) if frame.is_image else (),
        )
        return self._number(video), frame.frame_index

    def _number(self, video: RowVideo) -> int:
        key = (video.path, video.table.fingerprint)
        if key not in self._videos:
            self._videos[key] = len(self._row_videos)
            self._row_videos.append(video)
        return self._videos[key]

    def _vectors(self, frames: Sequence[StoredFrame], chosen: ChosenSet) -> NDArray[np.float32]:
        """Returns the frames' embeddings, from the run that chose them or from tables."""
        if chosen.embedding_id == self._embedding_id:
            places = {frame: place for place, frame in enumerate(chosen.frames)}
            return read_embeddings(self._store, chosen)[[places[frame] for frame in frames]]
        wanted: dict[str, list[tuple[int, Found]]] = defaultdict(list)
        for place, frame in enumerate(frames):
            found = self._found(frame, chosen)
            if found is not None:
                wanted[found.video.video.path].append((place, found))
            else:
                self._incomparable.append(frame.image)
        vectors = np.empty((len(frames), self._dim), dtype=np.float32)
        for of_video in wanted.values():
            rows = [place for place, _ in of_video]
            video = of_video[0][1].video
            vectors[rows] = video.embeddings_of([found.index for _, found in of_video])
        return vectors
