"""Which weights a run embeds with: an encoder's own, a file's, or a model that a run trained.

What follows from the configuration, and from what LIGHTLY knows of models; training is in
`training.py`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lightly_pipeline.config import RunConfig
from lightly_pipeline.datasets import Dataset
from lightly_pipeline.errors import (
    InvalidConfigurationError,
    LightlyPipelineError,
    ObjectNotFoundError,
)
from lightly_pipeline.training import models
from lightly_pipeline.training.models import TrainedModel
from lightly_pipeline.training.options import TrainingOptions

if TYPE_CHECKING:
    from lightly_pipeline.embedding import EncoderSpec
    from lightly_pipeline.video import FrameSampling


class RunTraining(NamedTuple):
    """What a run trains its model with, and the name under which LIGHTLY keeps what came out."""

    options: TrainingOptions
    training_id: str


def run_encoder(dataset: Dataset, config: RunConfig, model: TrainedModel | None) -> "EncoderSpec":
    """Returns which encoder is meant; weights that only LIGHTLY holds are copied here first.

    Args:
        dataset: Of the run.
        config: Of the run.
        model: That of `Run.model`.

    Raises:
        LightlyPipelineError: There is no such encoder, or its weights are nowhere.
    """
    from lightly_pipeline.embedding import NO_ENCODER, encoder_spec, provide_weights

    if config.worker.embeddings:
        return NO_ENCODER
    # A model says itself which network it is.
    name = None if config.worker.enable_training else config.lightly.model.name
    checkpoint = _file(dataset, config, model)
    if name and checkpoint is None:
        provide_weights(dataset.lightly, name)
    return encoder_spec(
        name,
        checkpoint=checkpoint,
        gpus=config.lightly.trainer.gpus,
        precision=config.lightly.trainer.precision or 32,
        batch_size=config.lightly.loader.batch_size,
    )


def run_training(dataset: Dataset, config: RunConfig) -> RunTraining:
    """Returns what a run trains its model with.

    Raises:
        LightlyPipelineError: The weights that it starts from are nowhere.
    """
    from lightly_pipeline.embedding.weights import file_hash

    pipeline, start = config.pipeline, _file(dataset, config, of_named_run(dataset, config))
    sha256 = file_hash(start, "worker_config.checkpoint") if start else ""
    options = TrainingOptions.of(config.lightly, Path(start) if start else None, sha256)
    name = models.training_id(
        options.identity(),
        frame_sampling(config).identity(),
        pipeline.untagged_matrix,
        str(pipeline.video_stream),
        str(pipeline.takes_damaged),
    )
    return RunTraining(options, name)


def frame_sampling(config: RunConfig) -> "FrameSampling":
    """Returns which frames of a video take part."""
    from lightly_pipeline.video import FrameSampling

    return FrameSampling(**config.pipeline.frame_sampling.model_dump())


def last_trained(dataset: Dataset, training_id: str) -> TrainedModel:
    """Returns the model that was trained last with some options.

    Raises:
        LightlyPipelineError: There is none yet.
    """
    model = models.read_model(dataset.lightly, training_id)
    if model is None:
        raise LightlyPipelineError(
            f"dataset {dataset.name} has no model yet that was trained with these options: "
            "materialize trained_model with them first, or launch the run that does everything "
            f"({dataset.name}_run_job, `lightly-pipeline run`), which trains it, too"
        )
    return model


def of_named_run(dataset: Dataset, config: RunConfig) -> TrainedModel | None:
    """Returns the model of the run of `checkpoint_run_id`; None where none is named.

    Raises:
        InvalidConfigurationError: That run has none.
    """
    run_id = config.worker.checkpoint_run_id
    if not run_id:
        return None
    model = models.model_of_run(dataset.lightly, run_id)
    if model is None:
        raise InvalidConfigurationError(
            f"worker_config.checkpoint_run_id: {run_id} is no run of dataset {dataset.name} that "
            "trained or used a model; name one whose worker_config had enable_training"
        )
    return model


def _file(dataset: Dataset, config: RunConfig, model: TrainedModel | None) -> str | None:
    """Returns the local file of a model, or that of `worker_config.checkpoint`, where given."""
    if model is not None:
        return _copied(dataset, model)
    return config.worker.checkpoint or None


def _copied(dataset: Dataset, model: TrainedModel) -> str:
    from lightly_pipeline.embedding.weights import kept_file

    try:
        return str(kept_file(dataset.lightly, model.checkpoint, model.sha256))
    except ObjectNotFoundError as error:
        raise LightlyPipelineError(
            f"the model that run {model.run_id} trained is gone "
            f"({dataset.lightly.location(model.checkpoint)}): train one again"
        ) from error
