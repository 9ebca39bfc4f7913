"""The boxes of one task in one video, as a pass over the video needs them.

Values only. They come from prediction files or from a rule for all frames, which is the business of
`inputs.objects`; what is made of them is in `objects.py`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from lightly_pipeline.video.boxes import Boxes, PixelBoxes, pixel_boxes, scaled_boxes
from lightly_pipeline.video.types import Pictures

_NONE: PixelBoxes = np.empty((0, 4), dtype=np.int32)


@dataclass(frozen=True, slots=True)
class VideoBoxes:
    """The boxes of one task in one video.

    Attributes:
        by_frame: In pixels, by frame; none is empty.
        everywhere: As shares of the picture, in every frame; None where `by_frame` counts.
        skipped: Why a frame has no boxes that somebody wrote down for it, by frame.
        locate: Gives the place that the boxes of a frame come from, for people.
        digits: Of the frames' numbers in names of files, which are those of the number of frames;
            None where boxes are told apart otherwise.
        version: What `BoxSource.version_of` gives of them.
    """

    by_frame: Mapping[int, Boxes] = field(default_factory=dict)
    everywhere: Boxes | None = None
    skipped: Mapping[int, str] = field(default_factory=dict)
    locate: Callable[[int], str] = str
    digits: int | None = None
    version: str = ""

    @property
    def pictures(self) -> Pictures:
        """The frames that have boxes."""
        return frozenset(self.by_frame) if self.everywhere is None else "all"

    def has(self, index: int) -> bool:
        """Returns whether a frame has boxes."""
        return self.everywhere is not None or index in self.by_frame

    def at(self, index: int, width: int, height: int) -> PixelBoxes:
        """Returns the boxes of a frame of this size; often none.

        Raises:
            ValueError: One lies outside of the picture; the message is for people.
        """
        if self.everywhere is not None:
            return pixel_boxes(scaled_boxes(self.everywhere, width, height), width, height)
        boxes = self.by_frame.get(index)
        return _NONE if boxes is None else pixel_boxes(boxes, width, height)

    def of_length(self, n_frames: int) -> "VideoBoxes | None":
        """Returns the boxes that count in a video of so many frames.

        None where they were found under names that such a video does not have.
        """
        if self.digits not in (None, len(str(n_frames))):
            return None
        return replace(
            self,
            by_frame={i: boxes for i, boxes in self.by_frame.items() if i < n_frames},
            skipped={i: reason for i, reason in self.skipped.items() if i < n_frames},
        )

    def digest(self) -> str:
        """Returns a hash of all boxes, and of what was skipped."""
        state = hashlib.sha256()
        for index in sorted(self.by_frame):
            state.update(f" {index} {len(self.by_frame[index])} ".encode())
            state.update(np.ascontiguousarray(self.by_frame[index], dtype="<f8").tobytes())
        if self.everywhere is not None:
            state.update(b" everywhere ")
            state.update(np.ascontiguousarray(self.everywhere, dtype="<f8").tobytes())
        state.update(json.dumps(sorted(self.skipped.items())).encode())
        return state.hexdigest()


class BoxSource(Protocol):
    """Where the boxes of a task come from.

    Attributes:
        task: Its name.
    """

    @property
    def task(self) -> str:
        """Name of the task."""
        ...

    def boxes_of(self, video: str, n_frames: int | None) -> VideoBoxes:
        """Returns the boxes in a video.

        Args:
            video: Its path.
            n_frames: Decoded frames; None before they are known, when the boxes may turn out to be
                those of a video of another length (`VideoBoxes.of_length`).

        Raises:
            DatasourceError: A store failed.
        """
        ...

    def version_of(self, video: str, n_frames: int) -> str:
        """Returns a text that differs when the boxes in a video may differ; cheap.

        Args:
            video: Its path.
            n_frames: Decoded frames.

        Returns:
            "" where only the boxes themselves can tell.
        """
        ...
