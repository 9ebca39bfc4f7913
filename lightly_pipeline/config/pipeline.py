"""`pipeline_config`: options of our own, outside Lightly's schema."""

from pydantic import Field

from lightly_pipeline.config.base import StrictModel


class PipelineConfig(StrictModel):
    """What this package offers beyond the original."""

    allow_incomplete: bool = Field(
        False,
        description="Select although videos of the catalogue have no embeddings, because nobody "
        "made them yet or because a store would not give the video.",
    )
