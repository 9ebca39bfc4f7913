"""Boxes by a rule in place of predictions: `selection_config.auto_tasks`, TILING and CROP.

They are the same shares of every picture. Checking the options is the configuration's business.
"""

from dataclasses import dataclass

import numpy as np

from lightly_pipeline.config.selection import AutoTask
from lightly_pipeline.tables.boxes import VideoBoxes
from lightly_pipeline.video.boxes import Boxes


@dataclass(frozen=True, slots=True)
class RuleBoxes:
    """The boxes that a rule gives every frame; a `BoxSource`.

    Attributes:
        rule: The options.
    """

    rule: AutoTask

    @property
    def task(self) -> str:
        """Name of the task."""
        return self.rule.name

    def boxes_of(self, video: str, n_frames: int | None) -> VideoBoxes:
        """Returns the boxes, which are the same in all videos."""
        del video, n_frames
        return VideoBoxes(everywhere=shares_of(self.rule))

    def version_of(self, video: str, n_frames: int) -> str:
        """Returns "": looking at the boxes costs nothing."""
        del video, n_frames
        return ""


def shares_of(rule: AutoTask) -> Boxes:
    """Returns the boxes of a rule as shares of the picture, shape (K, 4): x, y, width, height.

    Tiles are all of one size, row by row, and reach from edge to edge; neighbours share so much of
    a tile as `overlap` says.
    """
    if rule.type == "CROP":
        return np.array(rule.bboxs, dtype=np.float64)
    assert rule.num_rows is not None
    assert rule.num_cols is not None
    height, width = _tile(rule.num_rows, rule.overlap), _tile(rule.num_cols, rule.overlap)
    step = 1 - rule.overlap
    return np.array(
        [
            (col * step * width, row * step * height, width, height)
            for row in range(rule.num_rows)
            for col in range(rule.num_cols)
        ]
    )


def _tile(count: int, overlap: float) -> float:
    return 1 / (count - (count - 1) * overlap)
