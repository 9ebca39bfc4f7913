"""What a configuration may not say of a dataset of images, and what says nothing there.

Options about time, about how videos are decoded and about the images of frames: chosen images stay
as and where they are.
"""

from collections.abc import Iterator

from lightly_pipeline.config.run import RunConfig
from lightly_pipeline.errors import InvalidConfigurationError


def check_for_images(config: RunConfig) -> None:
    """Refuses options that only make sense for videos, or are not there for images yet.

    Raises:
        InvalidConfigurationError: Names every such option.
    """
    refused = list(_refused(config))
    if refused:
        raise InvalidConfigurationError(
            f"not for a dataset of images: {'; '.join(refused)}. Remove it, or make it a dataset "
            "of videos"
        )


def warnings_for_images(config: RunConfig) -> tuple[str, ...]:
    """Returns a line that names given options without effect on images, if there are any."""
    worker = config.worker
    ignored = ["worker_config.output_image_format"] * (worker.output_image_format != "png")
    ignored += ["worker_config.resize"] * (worker.resize is not None)
    if not ignored:
        return ()
    return (
        f"chosen images stay as they are in INPUT, so {' and '.join(ignored)} "
        f"{'have' if len(ignored) > 1 else 'has'} no effect",
    )


def _refused(config: RunConfig) -> Iterator[str]:
    worker, pipeline = config.worker, config.pipeline
    if worker.selected_sequence_length > 1:
        yield "worker_config.selected_sequence_length (sequences are of consecutive frames)"
    if worker.datasource.input_expiration is not None:
        yield "worker_config.datasource.input_expiration (not there for images yet)"
    if worker.embeddings:
        yield "worker_config.embeddings (not there for images yet)"
    if pipeline.frame_sampling.model_dump(exclude_defaults=True):
        yield "pipeline_config.frame_sampling (images have no time)"
    if pipeline.embed_changed is not None:
        yield "pipeline_config.embed_changed (images have no order in time)"
    if pipeline.video_stream is not None:
        yield "pipeline_config.video_stream (images have no streams)"
    if pipeline.untagged_matrix != "ffmpeg":
        yield "pipeline_config.untagged_matrix (images are decoded to RGB)"
    if any(entry.input.kind == "EMBEDDINGS with task" for entry in config.selection.strategies):
        yield "EMBEDDINGS with task (objects of images are not there yet)"
