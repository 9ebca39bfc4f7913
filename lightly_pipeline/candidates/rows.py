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

FRAME_STEM = re.compile(r"(.*)-([0-9]+)-([^-/.]*)", re.DOTALL)
"""The name of a frame's files, without ending: the video's, the frame's number, the extension."""


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
    return frame_stem_of(video.path, index, video.n_frames)


def frame_stem_of(path: str, index: int, n_frames: int) -> str:
    """Returns `frame_stem` of a frame given by the path of its video."""
    return frame_name(path, index, n_frames, "png").removesuffix(".png")


def rows_by_name(rows: FrameRows, names: Iterable[str]) -> dict[str, list[int]]:
    """Returns the rows that each of `names` belongs to; names of other frames are left out.

    Args:
        rows: All rows.
        names: Frame names without ending, as files are called.
    """
    known = FrameNames(rows)
    found = {name: known.rows_of(name) for name in set(names)}
    return {name: places for name, places in found.items() if places}


class FrameNames:
    """Finds rows by the names of their frames.

    Costs as much as there are names asked for, not as there are rows.

    Args:
        rows: Rows of each video by ascending frame number.
    """

    def __init__(self, rows: FrameRows) -> None:
        # By stem and extension of the path: what there is of it, in every version.
        self._videos: dict[tuple[str, str], list[_NamedVideo]] = {}
        self._odd: dict[str, list[int]] = {}
        for video, positions in rows.of_video():
            stem, _, extension = video.path.rpartition(".")
            width = len(str(video.n_frames))
            if (
                not video.images
                and frame_stem(video, 0) == f"{stem}-{'0'.zfill(width)}-{extension}"
            ):
                named = _NamedVideo(video, width, positions, rows.index[positions])
                self._videos.setdefault((stem, extension), []).append(named)
                continue
            # Images, or a path that no store takes as it is: names are compared whole.
            for row in positions.tolist():
                self._odd.setdefault(frame_stem(video, int(rows.index[row])), []).append(row)

    def rows_of(self, name: str) -> list[int]:
        """Returns the rows of the frame whose files have this name, without ending."""
        found = list(self._odd.get(name, ()))
        parts = FRAME_STEM.fullmatch(name)
        if parts is None:
            return found
        stem, digits, extension = parts.groups()
        for named in self._videos.get((stem, extension), ()):
            row = named.row_of(int(digits)) if len(digits) == named.width else None
            if row is not None:
                found.append(row)
        return found

    def mistake_in(self, name: str) -> str | None:
        """Returns why no frame can have a name although its video is known; None where it may."""
        parts = FRAME_STEM.fullmatch(name)
        named = self._videos.get((parts[1], parts[3])) if parts else None
        if parts is None or not named:
            return None
        fitting = [one for one in named if len(parts[2]) == one.width]
        if any(int(parts[2]) < one.video.n_frames for one in fitting):
            return None
        video = named[0].video
        first, last = (frame_stem(video, index) for index in (0, video.n_frames - 1))
        return f"{video.path} has {video.n_frames} frames, {first} to {last}"


@dataclass(frozen=True, slots=True)
class _NamedVideo:
    """A video whose frames' names are made of its path: `width` digits, rows and their frames."""

    video: RowVideo
    width: int
    positions: NDArray[np.int64]
    indices: NDArray[np.int64]

    def row_of(self, index: int) -> int | None:
        """Returns the row of a frame; None where it has none."""
        # Mostly every frame has a row, and stands at its own number.
        place = index
        if place >= len(self.indices) or self.indices[place] != index:
            place = int(np.searchsorted(self.indices, index))
        if place < len(self.indices) and self.indices[place] == index:
            return int(self.positions[place])
        return None
