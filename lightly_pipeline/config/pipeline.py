"""`pipeline_config`: options of our own, outside Lightly's schema."""

from typing import Literal, Self

from pydantic import Field, model_validator

from lightly_pipeline.config.base import StrictModel
from lightly_pipeline.config.selection import NonEmpty, TagName


class FrameSamplingConfig(StrictModel):
    """Which frames of a video are considered; all without. Indices stay those of the video."""

    every_nth: int | None = Field(
        None, ge=1, description="Every n-th frame: those whose index is a multiple of it."
    )
    target_fps: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="The first frame of each 1/target_fps seconds; all, where there are fewer.",
    )
    keyframes_only: bool = Field(
        False, description="Key frames only; no other frame is decoded where that is possible."
    )
    start_s: float | None = Field(
        None,
        allow_inf_nan=False,
        description="Frames from this time on, in seconds by the video's clock.",
    )
    end_s: float | None = Field(
        None,
        allow_inf_nan=False,
        description="Frames before this time, in seconds by the video's clock.",
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        rules = [self.every_nth is not None, self.target_fps is not None, self.keyframes_only]
        if sum(rules) > 1:
            raise ValueError("give one of every_nth, target_fps and keyframes_only")
        if self.start_s is not None and self.end_s is not None and self.start_s >= self.end_s:
            raise ValueError(f"start_s {self.start_s} is not before end_s {self.end_s}")
        return self


class PipelineConfig(StrictModel):
    """What this package offers beyond the original."""

    allow_incomplete: bool = Field(
        False,
        description="Select although videos of the catalogue have no embeddings, because nobody "
        "made them yet or because a store would not give the video.",
    )
    remove_exact_duplicates: bool = Field(
        False, description="Leave frames out that are exact copies of earlier ones."
    )
    frame_sampling: FrameSamplingConfig = Field(
        default_factory=FrameSamplingConfig,
        description="Which frames of a video are considered. Part of the embeddings' identity.",
    )
    similarity_folders: dict[TagName, NonEmpty] = Field(
        default_factory=dict,
        description="Folders of images, or s3:// ones, by the tag_name they stand for in "
        "SIMILARITY.",
    )
    untagged_matrix: Literal["ffmpeg", "by_height"] = Field(
        "ffmpeg",
        description="How pictures without colour tags are understood: as BT.601, as FFmpeg and the "
        "original do, or by_height as BT.709 from 720 lines on. Part of the embeddings' identity.",
    )
