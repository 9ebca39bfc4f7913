"""What every step of a run is handed: the run, with its effective configuration.

Resolving the configuration, and what follows from it alone: the encoder, the frame sampling, the
id and the builder of the tables, the plan of what the strategies read, the user's own vectors. No
step's work is here.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lightly_pipeline.config import RunBlocks, RunConfig, SelectionConfig
from lightly_pipeline.config.images import check_for_images, warnings_for_images
from lightly_pipeline.datasets import Dataset
from lightly_pipeline.progress import ProgressMeter
from lightly_pipeline.steps.weights import (
    RunTraining,
    frame_sampling,
    last_trained,
    of_named_run,
    run_encoder,
    run_training,
)
from lightly_pipeline.tables.fingerprint import embedding_id
from lightly_pipeline.training.models import TrainedModel

if TYPE_CHECKING:
    from lightly_pipeline.embedding import CheckedEncoder, EncoderSpec
    from lightly_pipeline.inputs.gather import InputPlan
    from lightly_pipeline.inputs.relevant import RelevantFilenames
    from lightly_pipeline.inputs.vectors.blocks import VectorFile
    from lightly_pipeline.inputs.vectors.own import OwnVectors
    from lightly_pipeline.tables.boxes import BoxSource
    from lightly_pipeline.tables.build import TableBuilder

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
    def started_s(self) -> float:
        """The Unix time that all steps of the run go by."""
        return time.time()

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
    def vector_file(self) -> "VectorFile | None":
        """The file of `worker_config.embeddings`, of which the header was read; None without one.

        Raises:
            LightlyPipelineError: The file is missing, or not what its ending says.
        """
        written = self.config.worker.embeddings
        if not written:
            return None
        from lightly_pipeline.inputs.vectors.formats import open_vectors

        return open_vectors(self.dataset.lightly, written)

    @cached_property
    def own_vectors(self) -> "OwnVectors | None":
        """The vectors of `worker_config.embeddings`, read and checked; None without them.

        Raises:
            LightlyPipelineError: As `vector_file` does, or some of them are wrong.
        """
        file = self.vector_file
        if file is None:
            return None
        from lightly_pipeline.inputs.vectors.reading import read_vectors

        return read_vectors(
            file,
            normalize=self.config.worker.normalize_embeddings,
            on_rows=lambda n_rows: self.progress("vectors", n_rows, None, "rows"),
        )

    @property
    def embedding_id(self) -> str:
        """Of the embeddings that the run compares: those of its tables, or the user's own."""
        own = self.own_vectors
        return self.table_id if own is None else own.embedding_id

    @cached_property
    def table_id(self) -> str:
        """The id of the tables that the run works on."""
        from lightly_pipeline.video.versions import decoder_version

        pipeline = self.config.pipeline
        return embedding_id(
            self.encoder.identity(),
            decoder_version(),
            frame_sampling(self.config).identity(),
            untagged_matrix=pipeline.untagged_matrix,
            video_stream=pipeline.video_stream,
            embed_changed=self._embed_changed,
        )

    @cached_property
    def encoder(self) -> "EncoderSpec":
        """Which encoder is meant; weights that only LIGHTLY holds are copied here first.

        None is asked where the user brings embeddings: then tables hold frames alone.

        Raises:
            LightlyPipelineError: There is no such encoder, its weights are nowhere, or no model was
                trained yet.
        """
        return run_encoder(self.dataset, self.config, self.model)

    @cached_property
    def model(self) -> TrainedModel | None:
        """The model of a run that the frames are embedded with; None where it is none.

        Looked up once: what another run trains meanwhile does not count for this one.

        Raises:
            LightlyPipelineError: No model was trained yet, or the run that is named has none.
        """
        if self.config.worker.embeddings:
            return None
        if self.config.worker.enable_training:
            return last_trained(self.dataset, self.training.training_id)
        return of_named_run(self.dataset, self.config)

    @cached_property
    def training(self) -> RunTraining:
        """What the run trains its model with, where it trains one.

        Raises:
            LightlyPipelineError: The weights that it starts from are nowhere.
        """
        return run_training(self.dataset, self.config)

    @cached_property
    def tables(self) -> "TableBuilder":
        """What makes the tables of the dataset; the encoder is loaded when first needed."""
        from lightly_pipeline.tables.build import TableBuilder

        return TableBuilder(
            self.dataset.input,
            self.dataset.lightly,
            _lazy_encoder(self.encoder),
            self.table_id,
            self.config.pipeline.untagged_matrix,
            frame_sampling(self.config),
            self.config.pipeline.video_stream,
            self._embed_changed,
            sources=tuple(self.boxes.values()),
        )

    @property
    def _embed_changed(self) -> float | None:
        """By how much frames differ that are embedded; nothing to say where none is."""
        return None if self.config.worker.embeddings else self.config.pipeline.embed_changed

    def with_selection(self, selection: SelectionConfig) -> "Run":
        """Returns the same run with another selection; what was read stays what it was."""
        changed = replace(self, config=replace(self.config, selection=selection))
        for name in ("own_vectors", "model"):
            if name in vars(self):
                vars(changed)[name] = vars(self)[name]
        return changed

    @property
    def boxes(self) -> "Mapping[str, BoxSource]":
        """Where the boxes come from of each task whose objects the strategies compare.

        Raises:
            LightlyPipelineError: What the strategies read is missing or wrong.
        """
        inputs = [entry.input for entry in self.config.selection.strategies]
        compares = any(source.type == "EMBEDDINGS" and source.task for source in inputs)
        return self.plan.boxes if compares else {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """Lines about given options that have no effect."""
        images = warnings_for_images(self.config) if self.dataset.of_images else ()
        return (*self.config.warnings, *images)

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
    if dataset.of_images:
        check_for_images(config)
    return config


def _lazy_encoder(spec: "EncoderSpec") -> Callable[[], "CheckedEncoder"]:
    """Returns a function that loads the encoder at its first call, from any thread."""
    lock = threading.Lock()
    loaded: list[CheckedEncoder] = []

    def encoder() -> "CheckedEncoder":
        from lightly_pipeline.embedding import load_encoder

        with lock:
            if not loaded:
                loaded.append(load_encoder(spec))
            return loaded[0]

    return encoder
