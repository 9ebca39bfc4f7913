"""`pipeline_config`: options of our own, outside Lightly's schema."""

from typing import Literal

from pydantic import Field

from lightly_pipeline.config.base import StrictModel
from lightly_pipeline.config.selection import NonEmpty, TagName


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
