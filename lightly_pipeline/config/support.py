"""Which options have an effect here: the one list that code and documentation agree on.

An option is executed, accepted and ignored (it has no meaning without the SaaS, or none yet for
the result), or refused, with a reason. Options at their neutral value are always fine.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any

from pydantic import BaseModel


class Support(Enum):
    """What happens to an option."""

    SUPPORTED = "supported"
    IGNORED = "accepted and ignored"
    REFUSED = "refused"


# Options that only say something where a model is trained -> what follows these words in the note.
_TRAINING = {
    "lightly_config.loader.shuffle": "",
    "lightly_config.loader.num_workers": ": processes that make the views of frames; -1 is none on "
    "the CPU, one per core with a GPU",
    "lightly_config.loader.drop_last": "; a batch that is the only one is kept",
    "lightly_config.model.out_dim": "",
    "lightly_config.model.num_ftrs": "",
    "lightly_config.model.width": "",
    "lightly_config.trainer.max_epochs": "",
    "lightly_config.criterion": "",
    "lightly_config.optimizer": "",
    "lightly_config.collate": "",
}
# Dotted path -> what a user should know beside it; a path speaks for all options below it.
_SUPPORTED = {
    "worker_config.use_datapool": "see Datapool",
    "worker_config.datasource.process_all": "with use_datapool; without it all videos take part",
    "worker_config.datasource.enable_datapool_update": "with use_datapool",
    "worker_config.relevant_filenames_file": "see Relevant filenames",
    "worker_config.embeddings": "see Own embeddings",
    "worker_config.selected_sequence_length": "see Sequences",
    "worker_config.normalize_embeddings": "",
    "worker_config.enable_training": "see the page on training",
    "worker_config.checkpoint": "weights of the network named, or a checkpoint of a run, which "
    "says itself what it is",
    "worker_config.checkpoint_run_id": "a run of this dataset that trained, or used, a model",
    "worker_config.crops": "see Objects",
    "worker_config.datasource.bypass_verify": "",
    "worker_config.datasource.input_expiration": "see Inputs that expire",
    "worker_config.num_threads": "",
    "worker_config.output_image_format": "see Images",
    "worker_config.resize": "see Images",
    "worker_config.upload_report": "see the report's page; manifest and log are always written",
    "worker_config.shutdown_when_job_finished": "`lightly-pipeline worker` ends; elsewhere there "
    "is nothing to end",
    "lightly_config.seed": "",
    "lightly_config.loader.batch_size": "of the training, too: 128 when not given",
    **{path: f"training only{more}" for path, more in _TRAINING.items()},
    "lightly_config.model.name": "",
    "lightly_config.trainer.gpus": "",
    "lightly_config.trainer.precision": "",
    "selection_config.lightly_path_regex": "see Metadata from paths",
    "selection_config.n_samples": "see Amounts",
    "selection_config.proportion_samples": "see Amounts",
    "selection_config.auto_tasks": "see Objects",
    "selection_config.strategies.input": "",
    "selection_config.strategies.input.task": "with EMBEDDINGS its objects are compared",
    "selection_config.strategies.input.score": "see Predictions and scores",
    "selection_config.strategies.input.key": "see Metadata",
    "selection_config.strategies.input.dataset_id": "see Similarity",
    "selection_config.strategies.input.tag_name": "see Similarity",
    "selection_config.strategies.strategy": "",
    "selection_config.strategies.strategy.strength": "0 leaves the strategy out",
    "selection_config.strategies.strategy.num_nearest_neighbors": "20 when not given",
    "selection_config.strategies.strategy.stopping_condition_minimum_typicality": "stops when the "
    "best frame's typicality is strictly below",
    "selection_config.strategies.strategy.stopping_condition_max_sum": "counts the frames this "
    "run adds; the one that reaches the sum is kept",
    "selection_config.strategies.strategy.target_range.min_sum": "the selection ends once the sum "
    "of the frames it adds reaches this",
    "selection_config.strategies.strategy.target_range.max_sum": "frames that would lift the sum "
    "above are left out",
    "pipeline_config.allow_incomplete": "",
    "pipeline_config.approximate_diversity": "see Approximate diversity",
    "pipeline_config.damaged_frames": "see Damaged frames",
    "pipeline_config.embed_changed": "see Only what changed",
    "pipeline_config.frame_sampling": "see Frame sampling",
    "pipeline_config.input_lifetime_days": "see Inputs that expire",
    "pipeline_config.remove_exact_duplicates": "see Exact copies",
    "pipeline_config.report_map": "see the report's page",
    "pipeline_config.report_previews": "see the report's page",
    "pipeline_config.selection_memory": "see Half the memory",
    "pipeline_config.similarity_folders": "see Similarity",
    "pipeline_config.similarity_texts": "see Similarity",
    "pipeline_config.store_patience_s": "",
    "pipeline_config.untagged_matrix": "",
    "pipeline_config.video_stream": "",
}
_IGNORED = {
    "worker_config.corruptness_check.corruption_threshold": "no current worker computes that "
    "score; frames that decode are kept",
    "worker_config.num_processes": "threads do the work, see num_threads",
    "worker_config.cache_size": "nothing is cached on disk",
    "worker_config.pretagging_upload": "goes with pretagging",
    "lightly_config.checkpoint_callback": "what is kept is the last epoch's model",
    "lightly_config.collate.kernel_size": "of old workers; the blur goes by sigmas",
}
REFUSED = {
    "worker_config.training": "a model is trained on whole frames here, not on the crops of a "
    "task: leave it out",
    "worker_config.pretagging": "no detector comes with this package: put the predictions of one "
    "of yours into `.lightly/predictions/`, where strategies read them",
    "DatasetType.CROPS": "crops are no dataset here: name a task of predictions instead",
}
"""Why by what is refused: an option (and all below it), or a dataset type.

Who makes one of them work removes its line, and lists an option above.
"""


def support_of(path: str) -> Support:
    """Returns what happens to the option at a dotted path such as `worker_config.resize`.

    >>> support_of("worker_config.resize")
    <Support.SUPPORTED: 'supported'>
    >>> support_of("lightly_config.collate.kernel_size")
    <Support.IGNORED: 'accepted and ignored'>
    """
    # An option may be ignored within a block that is executed.
    for listed, support in ((_IGNORED, Support.IGNORED), (_SUPPORTED, Support.SUPPORTED)):
        if _owners(path, listed):
            return support
    return Support.REFUSED


def note_on(path: str) -> str:
    """Returns what a user should know about the option at a dotted path, "" where nothing."""
    notes = {**REFUSED, **_SUPPORTED, **_IGNORED}
    owners = _owners(path, notes)
    return notes[max(owners, key=len)] if owners else ""


def _owners(path: str, listed: Iterable[str]) -> list[str]:
    """Returns which of the listed paths speak for an option."""
    return [item for item in listed if path == item or path.startswith(item + ".")]


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
    return _changed(model, path, lambda option: support_of(option) is Support.REFUSED)


def ignored_options(model: BaseModel, path: str) -> list[str]:
    """Returns the options of a block that were given and have no effect."""
    return _changed(model, path, lambda option: support_of(option) is Support.IGNORED)


def training_options(model: BaseModel, path: str) -> list[str]:
    """Returns the options of a block that were given and only matter where a model is trained."""
    return _changed(
        model,
        path,
        lambda option: support_of(option) is Support.SUPPORTED and bool(_owners(option, _TRAINING)),
    )


def _changed(model: BaseModel, path: str, is_meant: Callable[[str], bool]) -> list[str]:
    return [
        option
        for option, value, default in given_options(model, path)
        if value != default and is_meant(option)
    ]
