"""Which frame each row of a selection is.

Plain data: videos, and for every row its video and frame number; and the names under which
metadata and predictions of a frame are filed.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.layout import frame_name
from lightly_pipeline.tables.handle import VideoTable

_FRAME = re.compile(r"(.*)-([0-9]+)-([^-/.]*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RowVideo:
    """A video in one version, and where its table is.

    Attributes:
        path: Relative to the INPUT root.
        n_frames: Decoded frames.
        table: Its table.
        may_be_gone: Whether the table may be of another version by now: the video's frames were
            chosen by an earlier run.
        images: Of a shard, the images that are its frames; none of a video.
    """

    path: str
    n_frames: int
    table: VideoTable
    may_be_gone: bool = False
    images: Sequence[StoredObject] = ()

    def frame(self, index: int) -> tuple[str, int]:
        """Returns a frame as records name it: path of its file in INPUT, and index there."""
        return (self.images[index].path, 0) if self.images else (self.path, index)

    def image_name(self, index: int, image_format: str) -> str:
        """Returns the name that the image of a frame has, or would have."""
        if self.images:
            return self.images[index].path
        return frame_name(self.path, index, self.n_frames, image_format)


@dataclass(frozen=True, slots=True)
class FrameRows:
    """The frames that rows stand for.

    Attributes:
        videos: Every video in every version that occurs.
        owner: Shape (N,), int32: position in `videos`.
        index: Shape (N,), int64: frame number in that video, from 0.
    """

    videos: tuple[RowVideo, ...]
    owner: NDArray[np.int32]
    index: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.owner)

    def take(self, rows: NDArray[np.int64]) -> "FrameRows":
        """Returns these rows only, in this order."""
        return FrameRows(self.videos, self.owner[rows], self.index[rows])

    def of_video(self) -> Iterator[tuple[RowVideo, NDArray[np.int64]]]:
        """Yields each video that has rows, and their positions, ascending."""
        order = np.argsort(self.owner, kind="stable")
        bounds = np.searchsorted(self.owner[order], np.arange(len(self.videos) + 1))
        for number, video in enumerate(self.videos):
            rows = order[bounds[number] : bounds[number + 1]]
            if len(rows):
                yield video, rows

    def frame(self, row: int) -> tuple[str, int]:
        """Returns a row's frame as records name it: path of its file in INPUT, and index there."""
        video: RowVideo = self.videos[self.owner[row]]
        return video.frame(int(self.index[row]))

    def describe(self, row: int) -> str:
        """Returns how a row's frame is called to a person."""
        path, index = self.frame(row)
        return path if self.videos[self.owner[row]].images else f"{path} frame {index}"


def frame_rows(videos: Iterable[tuple[RowVideo, NDArray[np.int64]]]) -> FrameRows:
    """Returns a row for each given frame number of the videos, video after video."""
    listed = list(videos)
    owner = np.repeat(
        np.arange(len(listed), dtype=np.int32), [len(indices) for _, indices in listed]
    )
    index = np.concatenate([indices for _, indices in listed] or [np.empty(0, np.int64)])
    return FrameRows(tuple(video for video, _ in listed), owner, index)


def joined(first: FrameRows, second: FrameRows) -> FrameRows:
    """Returns the rows of both, one after the other."""
    return FrameRows(
        first.videos + second.videos,
        np.concatenate([first.owner, second.owner + np.int32(len(first.videos))]),
        np.concatenate([first.index, second.index]),
    )


def rows_of_frames(rows: FrameRows, frames: Sequence[tuple[str, int]]) -> NDArray[np.int64]:
    """Returns the row of each frame, given by the path of its video and its number.

    Args:
        rows: Rows of each video together and by ascending frame number.
        frames: All of them among `rows`.
    """
    wanted: dict[str, list[int]] = defaultdict(list)
    for place, (path, _) in enumerate(frames):
        wanted[path].append(place)
    found = np.empty(len(frames), dtype=np.int64)
    for video, positions in rows.of_video():
        if video.images:
            for row in positions.tolist():
                found[wanted.pop(video.frame(int(rows.index[row]))[0], [])] = row
            continue
        places = wanted.pop(video.path, [])
        indices = [frames[place][1] for place in places]
        found[places] = positions[np.searchsorted(rows.index[positions], indices)]
    return found


def video_stem(path: str) -> str:
    """Returns the name under which a whole video's metadata is filed, without ending."""
    return path.rpartition(".")[0]


def frame_stem(video: RowVideo, index: int) -> str:
    """Returns the name under which one frame's files are, without ending."""
    if video.images:
        return video_stem(video.images[index].path)
    return frame_name(video.path, index, video.n_frames, "png").removesuffix(".png")


def rows_by_name(rows: FrameRows, names: Iterable[str]) -> dict[str, list[int]]:
    """Returns the rows that each of `names` belongs to; names of other frames are left out.

    Costs as much as there are names, not as there are rows: most frames may have no file.

    Args:
        rows: All rows.
        names: Frame names without ending, as files are called.
    """
    plain: dict[tuple[str, str, int], list[tuple[RowVideo, NDArray[np.int64]]]] = {}
    found: dict[str, list[int]] = {}
    wanted = set(names)
    for video, positions in rows.of_video():
        stem, _, extension = video.path.rpartition(".")
        if frame_stem(video, 0) == f"{stem}-{'0'.zfill(len(str(video.n_frames)))}-{extension}":
            key = (stem, extension, len(str(video.n_frames)))
            plain.setdefault(key, []).append((video, positions))
            continue
        # Images, or a path that no store takes as it is: names are compared whole.
        for row in positions:
            name = frame_stem(video, int(rows.index[row]))
            if name in wanted:
                found.setdefault(name, []).append(int(row))
    for name in wanted:
        parts = _FRAME.fullmatch(name)
        if parts is None:
            continue
        for _, positions in plain.get((parts[1], parts[3], len(parts[2])), ()):
            place = int(np.searchsorted(rows.index[positions], int(parts[2])))
            if place < len(positions) and rows.index[positions[place]] == int(parts[2]):
                found.setdefault(name, []).append(int(positions[place]))
    return found
