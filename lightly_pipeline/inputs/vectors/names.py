"""Whose vector a row is: frame names as Lightly gives them, taken apart for millions at once.

A name becomes a number for its video, and the frame's number in it. How many digits that has
belongs to the video: the name depends on the video's length.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lightly_pipeline.candidates.rows import frame_stem_of

# Names may have the ending of an image or none, as those of files of metadata have none.
_ENDING = r"(?i)\.(png|jpe?g|webp|bmp|tiff?)$"
_NAME = r"(?s)^(?P<stem>.*)-(?P<number>[0-9]{1,18})-(?P<extension>[^-/.]*)$"
_BETWEEN = "\0"
_NO_FRAME = -1
# Longer than any video: with more digits, fewer paths can be part of a name as they are.
_LONGEST = 10_000_000


class FrameNames:
    """The names of a file: which video, as a number from 0, and which frame each means."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def add(self, names: Any) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Takes names in, and returns the video's and the frame's number of each, shape (B,).

        Args:
            names: Arrow strings, without null.
        """
        keys, frames = _taken_apart(names)
        coded = keys.dictionary_encode()
        numbers = [
            self._numbers.setdefault(key, len(self._numbers))
            for key in coded.dictionary.to_pylist()
        ]
        return np.array(numbers, dtype=np.int32)[np.asarray(coded.indices)], frames

    def of_frames(
        self, video: str, n_frames: int, indices: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Returns the numbers of a video's frames, shape (R,); -1 for what no name speaks of.

        Args:
            video: Path of the video.
            n_frames: Of the whole video.
            indices: Shape (R,): their numbers.
        """
        stem, _, extension = video.rpartition(".")
        width = len(str(n_frames))
        if frame_stem_of(video, 0, n_frames) == f"{stem}-{'0' * width}-{extension}":
            number = self._numbers.get(_key(stem, width, extension), -1)
            return np.full(len(indices), number, dtype=np.int32), indices
        # A path that no store takes as it is: its frames' names are escaped, each on its own.
        called = [frame_stem_of(video, int(index), n_frames) for index in indices]
        keys, frames = _taken_apart(pa.array(called, pa.string()))
        numbers = [self._numbers.get(key, -1) for key in keys.to_pylist()]
        return np.array(numbers, dtype=np.int32), frames

    def speaks_of(self, videos: list[str]) -> bool:
        """Returns whether any name may be that of a frame of these videos."""
        known = {(stem, extension) for stem, _, extension in map(_parts, self._numbers)}
        for video in videos:
            stem, _, extension = video.rpartition(".")
            is_plain = frame_stem_of(video, 0, _LONGEST) == f"{stem}-00000000-{extension}"
            if not is_plain or (stem, extension) in known:
                return True
        return False

    def name(self, video: int, frame: int) -> str:
        """Returns a name, without ending, by its numbers."""
        stem, width, extension = _parts(list(self._numbers)[video])
        return stem if frame == _NO_FRAME else f"{stem}-{frame:0{width}d}-{extension}"


def without_ending(names: Any) -> Any:
    """Returns Arrow strings without the ending of an image."""
    return pc.replace_substring_regex(names, _ENDING, "")


def _taken_apart(names: Any) -> tuple[Any, NDArray[np.int64]]:
    """Returns a key for the video of each name, and the number of the frame."""
    stems = without_ending(names)
    parts = pc.extract_regex(stems, _NAME)
    number = pc.struct_field(parts, "number")
    width = pc.cast(pc.binary_length(number), pa.string())
    key = pc.binary_join_element_wise(
        pc.struct_field(parts, "stem"), width, pc.struct_field(parts, "extension"), _BETWEEN
    )
    # What is no such name can only be compared whole.
    whole = pc.binary_join_element_wise(stems, "0", "", _BETWEEN)
    frames = pc.cast(number, pa.int64()).fill_null(_NO_FRAME)
    return pc.coalesce(key, whole), np.asarray(frames)


def _key(stem: str, width: int, extension: str) -> str:
    return _BETWEEN.join((stem, str(width), extension))


def _parts(key: str) -> tuple[str, int, str]:
    stem, width, extension = key.rsplit(_BETWEEN, 2)
    return stem, int(width), extension
