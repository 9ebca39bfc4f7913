"""The vectors of a file, by frame: what a selection compares in the place of tables' embeddings."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.own import OwnMatch
from lightly_pipeline.inputs.relevant import Cases
from lightly_pipeline.inputs.vectors.blocks import VectorFile
from lightly_pipeline.inputs.vectors.names import FrameNames
from lightly_pipeline.inputs.vectors.spool import Spool


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a file, ordered by video and frame; a frame that is there twice has its first row.

    Attributes:
        video: Shape (N,), int32: number of the video.
        frame: Shape (N,), int64: number of the frame in it.
        place: Shape (N,), int64: row of the file.
        masked: Shape (N,), bool.
        selected: Shape (N,), bool.
    """

    video: NDArray[np.int32]
    frame: NDArray[np.int64]
    place: NDArray[np.int64]
    masked: NDArray[np.bool_]
    selected: NDArray[np.bool_]

    def of_video(self, number: int) -> slice:
        """Returns where the rows of a video are."""
        # In the array's own type: another one would be converted, a copy of all of it each time.
        wanted = np.array([number, number + 1], dtype=self.video.dtype)
        first, last = np.searchsorted(self.video, wanted)
        return slice(int(first), int(last))


class OwnVectors:
    """The vectors of a file that was read and found good.

    Args:
        file: The file.
        spool: Its vectors, in its order.
        names: Whose they are.
        rows: What is there of each frame.
        content_hash: Of names and vectors, hexadecimal.
        doubles: Rows of frames that were there before, with the same vector.

    Attributes:
        location: The file, for people.
        dim: Length of a vector.
        embedding_id: Names their content.
        unknown: Columns that were passed over.
    """

    def __init__(
        self,
        file: VectorFile,
        spool: Spool,
        names: FrameNames,
        rows: Rows,
        content_hash: str,
        doubles: Cases,
    ) -> None:
        self._file, self._spool, self._names, self._rows = file, spool, names, rows
        self.location, self.dim, self.unknown = file.location, file.dim, file.unknown
        self.embedding_id = f"own-{content_hash[:16]}"
        self.doubles = doubles

    @property
    def n_rows(self) -> int:
        """Rows of the file."""
        return self._spool.n_rows

    def match(self, video: str, n_frames: int, indices: NDArray[np.int64]) -> OwnMatch:
        """Returns where frames are.

        Args:
            video: Path of their video relative to the INPUT root.
            n_frames: Of the whole video, which their names depend on.
            indices: Shape (R,), ascending: their numbers.
        """
        found = self._find(video, n_frames, indices)
        is_there = found >= 0
        places = np.where(is_there, self._rows.place[found], -1)
        return OwnMatch(
            places, is_there & self._rows.masked[found], is_there & self._rows.selected[found]
        )

    def read_into(self, places: NDArray[np.int64], target: NDArray[np.float32]) -> None:
        """Fills `target`, shape (len(places), dim) and C-contiguous, with rows of the file."""
        self._spool.read_into(places, target)

    def may_speak_of(self, videos: list[str]) -> bool:
        """Returns whether any name may be that of a frame of these videos."""
        return self._names.speaks_of(videos)

    def strangers(self, videos: Iterable[tuple[str, int]]) -> Cases:
        """Returns the rows that are of no frame of these videos, given with their frames' number.

        A frame that exists and takes no part is no stranger.
        """
        is_known = np.zeros(len(self._rows.place), dtype=bool)
        for video, n_frames in videos:
            found = self._find(video, n_frames, np.arange(n_frames, dtype=np.int64))
            is_known[found[found >= 0]] = True
        unknown = np.flatnonzero(~is_known)
        first = unknown[np.argsort(self._rows.place[unknown], kind="stable")[:8]]
        cases = Cases()
        for at in first:
            name = self._names.name(int(self._rows.video[at]), int(self._rows.frame[at]))
            cases.add(f"{self._file.where(int(self._rows.place[at]))}: {name}")
        cases.count = len(unknown)
        return cases

    def _find(self, video: str, n_frames: int, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns where in `rows` frames are, -1 where they are not."""
        videos, frames = self._names.of_frames(video, n_frames, indices)
        found = np.full(len(indices), -1, dtype=np.int64)
        for number in np.unique(videos[videos >= 0]):
            wanted = np.flatnonzero(videos == number)
            part = self._rows.of_video(int(number))
            known = self._rows.frame[part]
            at = np.minimum(np.searchsorted(known, frames[wanted]), len(known) - 1)
            is_there = known[at] == frames[wanted]
            found[wanted[is_there]] = at[is_there] + part.start
        return found
