"""The videos whose frames a selection may choose; part of the third step.

What a person is told when there is none. How rows are made of them is in `candidates`.
"""

from collections.abc import Collection, Mapping

from lightly_pipeline.candidates.earlier import EmbeddedVideo
from lightly_pipeline.candidates.loading import embedded_videos, fresh_videos
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.runs.datapool import Datapool
from lightly_pipeline.steps.own_vectors import nothing_matched
from lightly_pipeline.steps.processing import ProcessResult
from lightly_pipeline.steps.recording import unusable_videos
from lightly_pipeline.steps.setup import Run

_SHOWN = 5


def usable_videos(
    run: Run, processed: ProcessResult, left_out: Mapping[str, Collection[int]] | None = None
) -> dict[str, EmbeddedVideo]:
    """Returns the videos that gave frames to choose from, by path.

    Args:
        run: The run.
        processed: The videos with their outcomes.
        left_out: Frames by path of video that may not be chosen.

    Raises:
        LightlyPipelineError: None did.
    """
    pairs = zip(processed.catalog.videos, processed.outcomes, strict=True)
    found = embedded_videos(
        run.dataset.lightly,
        run.table_id,
        pairs,
        with_damaged=run.config.pipeline.takes_damaged,
        left_out=left_out,
        own=run.own_vectors,
    )
    where = run.dataset.input.describe()
    if run.dataset.of_images:
        _check_images(processed, found, where)
    if not found:
        reasons = unusable_videos(run, processed) | processed.failed
        shown = [f"{video}: {reason}" for video, reason in list(reasons.items())[:_SHOWN]]
        raise LightlyPipelineError(
            f"none of the {len(reasons)} videos in {where} gave a frame; "
            f"reasons: {'; '.join(shown)}"
        )
    if wrong := nothing_matched(run, found.values()):
        raise wrong
    if not any(len(video.indices) for video in found.values()):
        raise LightlyPipelineError(
            f"no frame of the {len(found)} videos in {where} is left by "
            "pipeline_config.frame_sampling: widen its window"
        )
    return found


def candidate_videos(
    run: Run, current: Mapping[str, EmbeddedVideo], datapool: Datapool | None
) -> list[EmbeddedVideo]:
    """Returns the videos whose frames may be chosen.

    Raises:
        LightlyPipelineError: Every video was a candidate before, or a file of the user's own
            vectors has none of the others.
    """
    process_all = run.config.worker.datasource.process_all
    fresh = fresh_videos(current.values(), None if process_all else datapool)
    if not fresh:
        raise LightlyPipelineError(
            f"nothing new to select from: all {_count(run, current)} in "
            f"{run.dataset.input.describe()} were candidates of earlier datapool runs; add more, "
            "or set worker_config.datasource.process_all to choose among all of them again"
        )
    if wrong := nothing_matched(run, fresh):
        raise wrong
    return fresh


def _count(run: Run, current: Mapping[str, EmbeddedVideo]) -> str:
    if run.dataset.of_images:
        return f"{sum(len(shard.indices) for shard in current.values())} images"
    return f"{len(current)} videos"


def _check_images(processed: ProcessResult, found: Mapping[str, EmbeddedVideo], where: str) -> None:
    if any(len(shard.indices) for shard in found.values()):
        return
    reasons = {k: v for o in processed.outcomes for k, v in o.corrupt_samples.items()}
    reasons |= processed.failed
    shown = "; ".join(f"{path}: {reason}" for path, reason in list(reasons.items())[:_SHOWN])
    raise LightlyPipelineError(
        f"none of the {processed.catalog.n_files} images in {where} can be used; reasons: "
        f"{shown or 'they were removed or replaced since they were listed'}"
    )
