"""What a dataset predicts for chosen frames, in pixels of their images.

Values, and their scaling to images that may be smaller than the frames; files are read in
`prediction_files.py`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lightly_pipeline.handover.masks import Mask
from lightly_pipeline.inputs.predictions import Task

Box = tuple[float, float, float, float]
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PredictedTask:
    """A task and its categories.

    Attributes:
        task: Its schema.
        keypoint_names: By category, in the schema's order; empty where it gives none.
        skeletons: By category: pairs of positions in `keypoint_names`.
    """

    task: Task
    keypoint_names: tuple[tuple[str, ...], ...]
    skeletons: tuple[tuple[tuple[int, int], ...], ...]

    @property
    def name(self) -> str:
        """Of the task."""
        return self.task.name

    @property
    def is_classification(self) -> bool:
        """Whether its predictions are about whole images."""
        return self.task.task_type == "classification"

    @property
    def has_masks(self) -> bool:
        """Whether its predictions are masks."""
        return self.task.task_type in ("instance-segmentation", "semantic-segmentation")

    @property
    def has_points(self) -> bool:
        """Whether its predictions are key points."""
        return self.task.task_type == "keypoint-detection"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One entry of a prediction file, in pixels of the image.

    Attributes:
        task: Its task's name.
        category: Position among the task's categories.
        label: The category's name.
        score: 0 to 1; None where the file gives none.
        box: (x, y, width, height) from the top left; None for whole images.
        mask: Of the image's size; None without.
        keypoints: (x, y, score) of each.
    """

    task: str
    category: int
    label: str
    score: float | None
    box: Box | None = None
    mask: Mask | None = None
    keypoints: tuple[tuple[float, float, float], ...] = ()

    def scaled(self, frame: Size, image: Size) -> "Prediction":
        """Returns the same for an image of another (width, height) than the frame's."""
        if frame == image:
            return self
        x_scale, y_scale = image[0] / frame[0], image[1] / frame[1]
        box = self.box
        if box is not None:
            box = (box[0] * x_scale, box[1] * y_scale, box[2] * x_scale, box[3] * y_scale)
        return replace(
            self,
            box=box,
            mask=self.mask.scaled(*image) if self.mask else None,
            keypoints=tuple((x * x_scale, y * y_scale, score) for x, y, score in self.keypoints),
        )


def field_names(tasks: Sequence[PredictedTask], taken: Iterable[str] = ()) -> dict[str, str]:
    """Returns a name of letters, digits and _ by task, for tools that take no other.

    Args:
        tasks: The tasks.
        taken: Names that are used for something else.
    """
    names: dict[str, str] = {}
    used = set(taken)
    for task in tasks:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", task.name)
        plain = plain if plain[:1].isalpha() else f"task_{plain}"
        name, number = plain, 1
        while name in used:
            number += 1
            name = f"{plain}_{number}"
        used.add(name)
        names[task.name] = name
    return names
