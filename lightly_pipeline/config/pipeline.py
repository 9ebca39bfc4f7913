"""`pipeline_config`: options of our own, outside Lightly's schema."""

from typing import Literal, Self

from pydantic import Field, model_validator

from lightly_pipeline.config.base import StrictModel
from lightly_pipeline.config.selection import NonEmpty, SelectionConfig, TagName
from lightly_pipeline.errors import InvalidConfigurationError


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


class ApproximateDiversityConfig(StrictModel):
    """DIVERSITY alone, on less than all candidates; on all of them without."""

    every_nth: int | None = Field(
        None, ge=1, description="Look at every n-th candidate only, in the order of time."
    )
    shard_size: int | None = Field(
        None,
        ge=1,
        description="Choose in every so many consecutive candidates, then among what was chosen.",
    )
    picks_per_shard: int | None = Field(
        None,
        ge=1,
        description="Candidates chosen in each shard; as many as are wanted in all if not given.",
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.every_nth is not None and self.shard_size is not None:
            raise ValueError("give one of every_nth and shard_size")
        if self.picks_per_shard is not None and self.shard_size is None:
            raise ValueError("picks_per_shard needs shard_size")
        return self

    @property
    def is_wanted(self) -> bool:
        """Whether anything is approximated."""
        return self.every_nth is not None or self.shard_size is not None

    def check_goes_with(self, selection: SelectionConfig) -> None:
        """Refuses strategies that need to see every candidate.

        Raises:
            InvalidConfigurationError: An approximation is wanted, and the strategies are not
                DIVERSITY alone; THRESHOLD, which filters before, may be there.
        """
        if not self.is_wanted:
            return
        scored = [
            entry
            for entry in selection.strategies
            if entry.strategy.type != "THRESHOLD" and entry.strategy.strength != 0
        ]
        others = [
            f"{entry.strategy.type} of {entry.input.kind}"
            for entry in scored
            if (entry.strategy.type, entry.input.kind) != ("DIVERSITY", "EMBEDDINGS")
        ]
        if others:
            raise InvalidConfigurationError(
                "approximate_diversity goes with DIVERSITY alone, or after THRESHOLD: its bound "
                f"says nothing about {', '.join(dict.fromkeys(others))}; remove one or the other"
            )
        if sum(entry.strategy.strength for entry in scored) <= 0:
            raise InvalidConfigurationError(
                "approximate_diversity needs a DIVERSITY strategy of positive strength: without "
                "one there is nothing to approximate; remove approximate_diversity"
            )


class PipelineConfig(StrictModel):
    """What this package offers beyond the original."""

    allow_incomplete: bool = Field(
        False,
        description="Select although videos of the catalogue have no embeddings, because nobody "
        "made them yet or because a store would not give the video.",
    )
    store_patience_s: float = Field(
        120.0,
        ge=0,
        allow_inf_nan=False,
        description="How long a request that a store refuses for the moment, or does not answer, "
        "is tried again, in seconds. The log says what is waited for.",
    )
    input_lifetime_days: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="After how many days since its last change a file of INPUT is deleted, where "
        "the store does not say so; for worker_config.datasource.input_expiration.",
    )
    remove_exact_duplicates: bool = Field(
        False, description="Leave frames out that are exact copies of earlier ones."
    )
    damaged_frames: Literal["exclude", "include"] = Field(
        "exclude",
        description="Whether frames may be chosen that show concealed parts, or refer to frames "
        "that do. They are counted and reported either way.",
    )
    frame_sampling: FrameSamplingConfig = Field(
        default_factory=FrameSamplingConfig,
        description="Which frames of a video are considered. Part of the embeddings' identity.",
    )
    embed_changed: float | None = Field(
        None,
        ge=0,
        lt=255,
        allow_inf_nan=False,
        description="Embed a frame only if its small image differs by more than this from the last "
        "embedded one, in levels of 255, exposure apart; others share that one's embedding. Part "
        "of the embeddings' identity.",
    )
    approximate_diversity: ApproximateDiversityConfig = Field(
        default_factory=ApproximateDiversityConfig,
        description="For very many frames: DIVERSITY on a part of them, with a bound.",
    )
    selection_memory: Literal["full", "half"] = Field(
        "full",
        description="How a selection holds embeddings in memory: as they are, or half as large "
        "with the exact ones in a file on disk. The same frames are chosen.",
    )
    similarity_folders: dict[TagName, NonEmpty] = Field(
        default_factory=dict,
        description="Folders of images, or s3:// ones, by the tag_name they stand for in "
        "SIMILARITY.",
    )
    similarity_texts: dict[TagName, NonEmpty] = Field(
        default_factory=dict,
        description="Words to look for, by the tag_name they stand for in SIMILARITY; for encoders "
        "with a text side (open_clip/NAME/PRETRAINED).",
    )
    report_map: Literal["pca", "umap"] = Field(
        "pca",
        description="How the report's map is made: principal components of all candidates, or UMAP "
        "of a sample of them (extra `umap`, about half a minute).",
    )
    report_previews: Literal["all", "chosen"] = Field(
        "all",
        description="Whether the report shows small pictures of some frames that were not chosen, "
        "too, or of chosen ones only. They are in the page, never files.",
    )
    untagged_matrix: Literal["ffmpeg", "by_height"] = Field(
        "ffmpeg",
        description="How pictures without colour tags are understood: as BT.601, as FFmpeg and the "
        "original do, or by_height as BT.709 from 720 lines on. Part of the embeddings' identity.",
    )
    video_stream: int | None = Field(
        None,
        ge=0,
        description="Which of the video streams of a file is read, counted from 0; FFmpeg's choice "
        "by default. Part of the embeddings' identity.",
    )

    @property
    def takes_damaged(self) -> bool:
        """Whether damaged frames may be chosen."""
        return self.damaged_frames == "include"
