"""Which options have an effect here: the one list that code and documentation agree on.

An option is executed, accepted and ignored (it has no meaning without the SaaS, or none yet for
the result), or refused until it is executed. Options at their neutral value are always fine.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Any

from pydantic import BaseModel

from lightly_pipeline.config.selection import COMBINATIONS, SelectionConfig


class Support(Enum):
    """What happens to an option."""

    SUPPORTED = "supported"
    IGNORED = "accepted and ignored"
    REFUSED = "refused"


_SUPPORTED = (
    "worker_config.use_datapool",
    "worker_config.datasource.process_all",
    "worker_config.datasource.enable_datapool_update",
    "worker_config.selected_sequence_length",
    "worker_config.normalize_embeddings",
    "worker_config.checkpoint",
    "worker_config.datasource.bypass_verify",
    "worker_config.num_threads",
    "worker_config.output_image_format",
    "worker_config.resize",
    "worker_config.shutdown_when_job_finished",
    "lightly_config.seed",
    "lightly_config.loader.batch_size",
    "lightly_config.model.name",
    "lightly_config.trainer.gpus",
    "lightly_config.trainer.precision",
    "selection_config.n_samples",
    "selection_config.proportion_samples",
    "selection_config.strategies.input",
    "selection_config.strategies.strategy",
    "pipeline_config.allow_incomplete",
    "pipeline_config.approximate_diversity",
    "pipeline_config.frame_sampling",
    "pipeline_config.remove_exact_duplicates",
    "pipeline_config.selection_memory",
    "pipeline_config.similarity_folders",
    "pipeline_config.untagged_matrix",
    "pipeline_config.video_stream",
)
_IGNORED = (
    "worker_config.corruptness_check.corruption_threshold",
    "worker_config.num_processes",
    "worker_config.upload_report",
    "worker_config.cache_size",
    "worker_config.pretagging_upload",
    "worker_config.crops.enable_upload",
    "worker_config.crops.enable_upload_for_tasks",
    "lightly_config.checkpoint_callback",
    "lightly_config.loader.shuffle",
    "lightly_config.loader.num_workers",
    "lightly_config.loader.drop_last",
    "lightly_config.model.out_dim",
    "lightly_config.model.num_ftrs",
    "lightly_config.model.width",
    "lightly_config.trainer.max_epochs",
    "lightly_config.criterion",
    "lightly_config.optimizer",
    "lightly_config.collate",
)
EXECUTED_COMBINATIONS = tuple(
    (kind, strategy)
    for kind, strategies in COMBINATIONS.items()
    if kind != "EMBEDDINGS with task"
    for strategy in strategies
)
"""Pairs of input and strategy that the selection executes."""


def support_of(path: str) -> Support:
    """Returns what happens to the option at a dotted path such as `worker_config.resize`."""
    for listed, support in ((_SUPPORTED, Support.SUPPORTED), (_IGNORED, Support.IGNORED)):
        if any(path == item or path.startswith(item + ".") for item in listed):
            return support
    return Support.REFUSED


def given_options(model: BaseModel, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yields (dotted path, value, default) of every option that was written down."""
    for name in type(model).model_fields:
        if name not in model.model_fields_set:
            continue
        value = getattr(model, name)
        items = value if isinstance(value, list) else [value]
        if items and isinstance(items[0], BaseModel):
            for item in items:
                yield from given_options(item, f"{path}.{name}")
        else:
            default = type(model).model_fields[name].get_default(call_default_factory=True)
            yield f"{path}.{name}", value, default


def refused_options(model: BaseModel, path: str) -> list[str]:
    """Returns the options of a block that would change the result and are not executed."""
    return [
        option
        for option, value, default in given_options(model, path)
        if support_of(option) is Support.REFUSED and value != default
    ]


def ignored_options(model: BaseModel, path: str) -> list[str]:
    """Returns the options of a block that were given and have no effect."""
    return [
        option
        for option, value, default in given_options(model, path)
        if support_of(option) is Support.IGNORED and value != default
    ]


def refused_combinations(selection: SelectionConfig) -> list[str]:
    """Returns what of the strategies is not executed."""
    return [
        f"{entry.input.kind} with {entry.strategy.type}"
        for entry in selection.strategies
        if (entry.input.kind, entry.strategy.type) not in EXECUTED_COMBINATIONS
    ]
