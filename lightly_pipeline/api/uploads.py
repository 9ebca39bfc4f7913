"""The original's models of what a script uploads: entries of schemas, predictions.

Values only, checked as far as their own fields go. Dictionaries in either spelling, and the
original's own models, are taken in their place.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import Field

from lightly_pipeline.config.base import StrictModel
from lightly_pipeline.errors import InvalidConfigurationError

_Model = TypeVar("_Model", bound=StrictModel)


class ConfigurationValueDataType(StrEnum):
    """What the values of a metadata key are."""

    NUMERIC_INT = "NUMERIC_INT"
    NUMERIC_FLOAT = "NUMERIC_FLOAT"
    CATEGORICAL_STRING = "CATEGORICAL_STRING"
    CATEGORICAL_INT = "CATEGORICAL_INT"
    CATEGORICAL_BOOLEAN = "CATEGORICAL_BOOLEAN"
    CATEGORICAL_DATETIME = "CATEGORICAL_DATETIME"
    CATEGORICAL_TIMESTAMP = "CATEGORICAL_TIMESTAMP"
    OTHER_STRING = "OTHER_STRING"


class TaskType(StrEnum):
    """What a prediction task predicts."""

    CLASSIFICATION = "CLASSIFICATION"
    OBJECT_DETECTION = "OBJECT_DETECTION"
    SEMANTIC_SEGMENTATION = "SEMANTIC_SEGMENTATION"
    INSTANCE_SEGMENTATION = "INSTANCE_SEGMENTATION"
    KEYPOINT_DETECTION = "KEYPOINT_DETECTION"

    @property
    def name_in_files(self) -> str:
        """As it is written in a task's schema file."""
        return self.value.lower().replace("_", "-")


class ConfigurationEntry(StrictModel):
    """One key of the metadata."""

    name: str = Field(min_length=1)
    path: str = Field(min_length=1)
    default_value: Any = None
    value_data_type: str


class PredictionTaskSchemaCategory(StrictModel):
    """One category of a task."""

    id: int = Field(ge=0)
    name: str = Field(min_length=1)
    keypoint_names: list[str] | None = None
    keypoint_skeleton: list[list[int]] | None = None


class PredictionTaskSchema(StrictModel):
    """A prediction task."""

    name: str
    type: str
    categories: list[PredictionTaskSchemaCategory]


class PredictionSingleton(StrictModel):
    """One thing that a task predicts for a frame; which fields it needs is the task type's."""

    type: str
    task_name: str
    category_id: int = Field(ge=0)
    score: float | None = None
    probabilities: list[float] | None = None
    bbox: list[float] | None = None
    keypoints: list[float] | None = None
    segmentation: list[int] | None = None
    crop_dataset_id: str | None = None
    crop_sample_id: str | None = None

    def entry(self) -> dict[str, Any]:
        """Returns what a prediction file holds of it."""
        left_out = {"type", "task_name", "crop_dataset_id", "crop_sample_id"}
        return self.model_dump(exclude=left_out, exclude_none=True)


class PredictionSingletonClassification(PredictionSingleton):
    """A class of the whole frame."""

    type: str = TaskType.CLASSIFICATION.value


class PredictionSingletonObjectDetection(PredictionSingleton):
    """A box."""

    type: str = TaskType.OBJECT_DETECTION.value


class PredictionSingletonInstanceSegmentation(PredictionSingleton):
    """A box and the mask of one object."""

    type: str = TaskType.INSTANCE_SEGMENTATION.value


class PredictionSingletonSemanticSegmentation(PredictionSingleton):
    """The mask of one class."""

    type: str = TaskType.SEMANTIC_SEGMENTATION.value


class PredictionSingletonKeypointDetection(PredictionSingleton):
    """Key points."""

    type: str = TaskType.KEYPOINT_DETECTION.value


def read_model(model: type[_Model], value: Any, where: str) -> _Model:
    """Returns a model as a script gives it: one of ours, of the original's, or a dictionary.

    Raises:
        InvalidConfigurationError: It is something else, or a field is wrong.
    """
    if isinstance(value, model):
        return value
    if not isinstance(value, Mapping) and hasattr(value, "to_dict"):
        value = value.to_dict()
    return model.from_block(value, where)


def task_type_of(name: str) -> TaskType:
    """Returns a task type by its name.

    Raises:
        InvalidConfigurationError: There is no such type.
    """
    for kind in TaskType:
        if name in (kind.value, kind.name_in_files, f"PredictionSingleton{_camel(kind)}"):
            return kind
    raise InvalidConfigurationError(f"task type {name!r} is not known; use {', '.join(TaskType)}")


def _camel(kind: TaskType) -> str:
    return kind.value.title().replace("_", "")
