"""What every step of a run is handed: the run, with its effective configuration.

Resolving the configuration, and what follows from it alone: the encoder, the frame sampling, the
id and the builder of the tables, the plan of what the strategies read. No step's work is here.
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lightly_pipeline.config import RunBlocks, RunConfig
from lightly_pipeline.datasets import Dataset
from lightly_pipeline.progress import ProgressMeter
from lightly_pipeline.tables.fingerprint import embedding_id

if TYPE_CHECKING:
    from lightly_pipeline.embedding import Encoder, EncoderSpec
    from lightly_pipeline.inputs.gather import InputPlan
    from lightly_pipeline.inputs.relevant import RelevantFilenames
    from lightly_pipeline.tables.build import TableBuilder
    from lightly_pipeline.video import FrameSampling

Block = Mapping[str, Any] | None


@dataclass(frozen=True)
class Run:
    """One run, as every step is handed it.

    Attributes:
        dataset: Where the videos are and where the images go.
        config: The effective configuration.
        run_id: Id of the run; its files are in `.lightly/runs/<run_id>/`.
        others: Datasets whose tags may be queries of SIMILARITY, by their `dataset_id`.
        progress: Told how far every step is.
    """

    dataset: Dataset
    config: RunConfig
    run_id: str
    others: Sequence[Dataset] = ()
    progress: ProgressMeter = field(default_factory=ProgressMeter)

    def __post_init__(self) -> None:
        # Every store of the run is waited for as long as its configuration says.
        patient = self.dataset.patient(self.config.pipeline.store_patience_s)
        object.__setattr__(self, "dataset", patient)

    @cached_property
    def plan(self) -> "InputPlan":
        """What the strategies read: schemas, tags, folders; looked up once, before any work.

        Raises:
            LightlyPipelineError: Something is missing or wrong; names it.
        """
        from lightly_pipeline.inputs.gather import plan_inputs

        return plan_inputs(self.dataset, self.config, self.others)

    @cached_property
    def relevant_filenames(self) -> "RelevantFilenames | None":
        """What `worker_config.relevant_filenames_file` says; None where it is not given.

        Raises:
            LightlyPipelineError: The file is missing or no text.
        """
        path = self.config.worker.relevant_filenames_file
        if not path:
            return None
        from lightly_pipeline.inputs.relevant import read_relevant

        return read_relevant(self.dataset.lightly, path)

    @cached_property
    def table_id(self) -> str:
        """The embedding id of the tables that the run works on."""
        return table_id(self.config)

    @cached_property
    def tables(self) -> "TableBuilder":
        """What makes the tables of the dataset; the encoder is loaded when first needed."""
        from lightly_pipeline.tables.build import TableBuilder

        return TableBuilder(
            self.dataset.input,
            self.dataset.lightly,
            _lazy_encoder(encoder_spec_of(self.config)),
            self.table_id,
            self.config.pipeline.untagged_matrix,
            frame_sampling(self.config),
            self.config.pipeline.video_stream,
        )

    @property
    def n_threads(self) -> int:
        """How many videos are worked on at once: `num_threads`, by default all cores."""
        wanted = self.config.worker.num_threads
        if wanted > 0:
            return wanted
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1


def resolve_config(
    dataset: Dataset,
    worker_config: Block = None,
    lightly_config: Block = None,
    selection_config: Block = None,
    pipeline_config: Block = None,
) -> RunConfig:
    """Returns the effective configuration: launch over the dataset's over the page's default.

    Raises:
        InvalidConfigurationError: A block is wrong, or asks for what is not supported yet.
    """
    defaults = RunBlocks(
        worker_config=dataset.worker_config,
        lightly_config=dataset.lightly_config,
        selection_config=dataset.selection_config,
        pipeline_config=dataset.pipeline_config,
    )
    config = RunConfig.from_blocks(
        worker_config, lightly_config, selection_config, pipeline_config, defaults=defaults
    )
    config.check_supported()
    return config


def encoder_spec_of(config: RunConfig) -> "EncoderSpec":
    """Returns which encoder a configuration asks for, without loading it."""
    from lightly_pipeline.embedding import encoder_spec

    return encoder_spec(
        config.lightly.model.name,
        checkpoint=config.worker.checkpoint or None,
        gpus=config.lightly.trainer.gpus,
        precision=config.lightly.trainer.precision or 32,
        batch_size=config.lightly.loader.batch_size,
    )


def frame_sampling(config: RunConfig) -> "FrameSampling":
    """Returns which frames of a video take part."""
    from lightly_pipeline.video import FrameSampling

    return FrameSampling(**config.pipeline.frame_sampling.model_dump())


def table_id(config: RunConfig) -> str:
    """Returns the embedding id of the tables a configuration works on."""
    from lightly_pipeline.video.versions import decoder_version

    return embedding_id(
        encoder_spec_of(config).identity(),
        decoder_version(),
        frame_sampling(config).identity(),
        untagged_matrix=config.pipeline.untagged_matrix,
        video_stream=config.pipeline.video_stream,
    )


def _lazy_encoder(spec: "EncoderSpec") -> Callable[[], "Encoder"]:
    """Returns a function that loads the encoder at its first call, from any thread."""
    lock = threading.Lock()
    loaded: list[Encoder] = []

    def encoder() -> "Encoder":
        from lightly_pipeline.embedding import load_encoder

        with lock:
            if not loaded:
                loaded.append(load_encoder(spec))
            return loaded[0]

    return encoder
