"""The configuration of one run: three blocks in Lightly's shape, and one of our own.

Merging, and the warnings and refusals that follow from it. What the fields are is
in the modules of the blocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lightly_pipeline.config.base import snake_keys
from lightly_pipeline.config.files import read_yaml
from lightly_pipeline.config.lightly import LightlyConfig
from lightly_pipeline.config.pipeline import PipelineConfig
from lightly_pipeline.config.selection import SelectionConfig
from lightly_pipeline.config.support import (
    ignored_options,
    note_on,
    refused_options,
    training_options,
)
from lightly_pipeline.config.training import check_training
from lightly_pipeline.config.worker import WorkerConfig
from lightly_pipeline.errors import InvalidConfigurationError

Block = Mapping[str, Any] | None
BLOCKS = ("worker_config", "lightly_config", "selection_config", "pipeline_config")

# Lightly's own example.
DEFAULT_SELECTION: dict[str, Any] = {
    "n_samples": 50,
    "strategies": [{"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}],
}
_AMOUNTS = ("n_samples", "proportion_samples")


@dataclass(frozen=True, slots=True)
class RunBlocks:
    """The blocks as somebody wrote them, none of them validated yet."""

    worker_config: Block = None
    lightly_config: Block = None
    selection_config: Block = None
    pipeline_config: Block = None


@dataclass(frozen=True, slots=True)
class RunConfig:
    """A validated configuration.

    Attributes:
        worker: `worker_config`.
        lightly: `lightly_config`.
        selection: `selection_config`.
        pipeline: `pipeline_config`.
    """

    worker: WorkerConfig
    lightly: LightlyConfig
    selection: SelectionConfig
    pipeline: PipelineConfig

    @classmethod
    def from_blocks(
        cls,
        worker_config: Block = None,
        lightly_config: Block = None,
        selection_config: Block = None,
        pipeline_config: Block = None,
        *,
        defaults: RunBlocks | None = None,
    ) -> "RunConfig":
        """Validates blocks: what is given at launch goes over `defaults`, these over the built-in.

        Options merge one by one, and None is none; the amount (n_samples or proportion_samples)
        and the list of strategies are replaced as a whole.

        Raises:
            InvalidConfigurationError: Names every wrong key and value of a block.

        Example:
            >>> config = RunConfig.from_blocks(selection_config={"nSamples": 7})
            >>> config.selection.n_samples, config.worker.output_image_format
            (7, 'png')
        """
        below = defaults or RunBlocks()
        selection = DEFAULT_SELECTION
        for layer in (below.selection_config, selection_config):
            selection = _merge_selection(selection, plain_block(layer, "selection_config"))
        config = cls(
            WorkerConfig.from_block(
                _merged("worker_config", below.worker_config, worker_config), "worker_config"
            ),
            LightlyConfig.from_block(
                _merged("lightly_config", below.lightly_config, lightly_config), "lightly_config"
            ),
            SelectionConfig.from_block(selection, "selection_config"),
            PipelineConfig.from_block(
                _merged("pipeline_config", below.pipeline_config, pipeline_config),
                "pipeline_config",
            ),
        )
        _check_sequences(config)
        _check_lifetime(config)
        _check_objects(config)
        if config.worker.enable_training:
            check_training(config.lightly)
        config.selection.check_distances(normalize=config.worker.normalize_embeddings)
        config.pipeline.approximate_diversity.check_goes_with(config.selection)
        return config

    @property
    def warnings(self) -> tuple[str, ...]:
        """A line that names the given options without effect, one for each reason."""
        ignored = [
            *ignored_options(self.worker, "worker_config"),
            *ignored_options(self.lightly, "lightly_config"),
        ]
        lines = {
            "these options have no effect here": ignored,
            "without worker_config.enable_training these options have no effect": (
                []
                if self.worker.enable_training
                else training_options(self.lightly, "lightly_config")
            ),
            "with worker_config.embeddings these options have no effect": self._of_no_encoder(),
        }
        return tuple(f"{text}: {', '.join(options)}" for text, options in lines.items() if options)

    def _of_no_encoder(self) -> list[str]:
        """Returns the options of an encoder that were given where none is used."""
        if not self.worker.embeddings:
            return []
        given = {
            "worker_config.checkpoint": self.worker.checkpoint,
            "worker_config.checkpoint_run_id": self.worker.checkpoint_run_id,
            "lightly_config.model.name": self.lightly.model.name,
            "lightly_config.trainer.gpus": self.lightly.trainer.gpus,
            "lightly_config.trainer.precision": self.lightly.trainer.precision == 16,
            "pipeline_config.embed_changed": self.pipeline.embed_changed is not None,
        }
        return [option for option, value in given.items() if value]

    def check_supported(self) -> None:
        """Refuses what would change the result but is not executed.

        Raises:
            InvalidConfigurationError: Names every such option, and why.
        """
        refused = [
            *refused_options(self.worker, "worker_config"),
            *refused_options(self.lightly, "lightly_config"),
            *refused_options(self.selection, "selection_config"),
        ]
        if refused:
            reasons = "; ".join(f"{what} ({note_on(what)})" for what in refused)
            these = "it" if len(refused) == 1 else "them"
            raise InvalidConfigurationError(f"not supported: {reasons}. Remove {these} to run")

    def as_dict(self) -> dict[str, Any]:
        """Returns the effective blocks, snake_case and JSON-able, without unset options."""
        models = (self.worker, self.lightly, self.selection, self.pipeline)
        return {
            name: model.model_dump(mode="json", exclude_none=True)
            for name, model in zip(BLOCKS, models, strict=True)
        }


def _check_sequences(config: RunConfig) -> None:
    """Checks what choosing sequences demands of the other blocks.

    Raises:
        InvalidConfigurationError: Names the option and what to write.
    """
    length, n_samples = config.worker.selected_sequence_length, config.selection.n_samples
    if length == 1:
        return
    if n_samples is not None and n_samples % length:
        below = n_samples // length * length
        nearest = f"{below} or {below + length}" if below else str(length)
        raise InvalidConfigurationError(
            f"selection_config.n_samples: {n_samples} frames are no whole number of sequences of "
            f"{length} (worker_config.selected_sequence_length); use {nearest}"
        )
    if config.pipeline.remove_exact_duplicates:
        raise InvalidConfigurationError(
            "pipeline_config.remove_exact_duplicates does not go with "
            "worker_config.selected_sequence_length: sequences are kept whole"
        )


def _check_lifetime(config: RunConfig) -> None:
    """Checks that somebody asks for the lifetime of inputs, if it is given.

    Raises:
        InvalidConfigurationError: Nobody does.
    """
    if config.pipeline.input_lifetime_days is None or config.worker.datasource.input_expiration:
        return
    raise InvalidConfigurationError(
        "pipeline_config.input_lifetime_days goes with worker_config.datasource.input_expiration: "
        "say there what is done with inputs that expire soon"
    )


def load_config_file(path: str | Path) -> dict[str, Any]:
    """Returns the blocks of a YAML file, by their snake_case names.

    Raises:
        InvalidConfigurationError: Names the file, and the line where there is one.
    """
    document = read_yaml(path)
    if document is None:
        return {}
    if not isinstance(document, Mapping):
        raise InvalidConfigurationError(f"{path}: expected {', '.join(BLOCKS)}")
    blocks: dict[str, Any] = snake_keys(document)
    unknown = [name for name in blocks if name not in BLOCKS]
    if unknown:
        raise InvalidConfigurationError(
            f"{path}: unknown block {unknown[0]!r}; known are {', '.join(BLOCKS)}"
        )
    return blocks


def plain_block(block: Any, name: str) -> dict[str, Any]:
    """Returns a block as JSON-able keys and values in snake_case.

    Args:
        block: A mapping, a model of this package, or None.
        name: How the block is called in messages.

    Raises:
        InvalidConfigurationError: It is something else.
    """
    if block is None:
        return {}
    if not isinstance(block, Mapping | BaseModel):
        raise InvalidConfigurationError(
            f"{name}: expected keys and values, got {type(block).__name__}"
        )
    plain: dict[str, Any] = snake_keys(block)
    return plain


def _merged(name: str, below: Block, above: Block) -> dict[str, Any]:
    return _merge(plain_block(below, name), plain_block(above, name))


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        if value is None:
            continue
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def _merge_selection(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    # -1 is the original's "not set".
    given = {
        key: value
        for key, value in above.items()
        if value is not None and (key, value) != ("n_samples", -1)
    }
    if any(amount in given for amount in _AMOUNTS):
        below = {key: value for key, value in below.items() if key not in _AMOUNTS}
    return {**below, **given}


def _check_objects(config: RunConfig) -> None:
    """Checks that there is an encoder where objects are compared.

    Raises:
        InvalidConfigurationError: Embeddings of frames are read from a file instead.
    """
    kinds = [entry.input.kind for entry in config.selection.strategies]
    if config.worker.embeddings and "EMBEDDINGS with task" in kinds:
        raise InvalidConfigurationError(
            "EMBEDDINGS with task does not go with worker_config.embeddings: objects are embedded "
            "by an encoder, and that file holds vectors of whole frames; remove one of them"
        )
