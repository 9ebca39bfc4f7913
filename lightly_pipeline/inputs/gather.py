"""Reads what the strategies of a configuration ask for, and nothing else.

In two steps: `plan_inputs` looks at schemas, tags and listings, so that a mistake ends a run before
its videos are decoded; `read_inputs` reads values for all rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.earlier import EmbeddedVideo
from lightly_pipeline.candidates.rows import FrameRows
from lightly_pipeline.config import RunConfig, SelectionInput, StrategyEntry
from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources import Datasource, datasource_from_url
from lightly_pipeline.errors import InvalidConfigurationError, TagNotFoundError
from lightly_pipeline.inputs import predictions
from lightly_pipeline.inputs.files import read_required
from lightly_pipeline.inputs.metadata import MetadataKey
from lightly_pipeline.inputs.metadata_files import read_metadata
from lightly_pipeline.inputs.metadata_plan import plan_columns, plan_metadata
from lightly_pipeline.inputs.object_plan import plan_boxes
from lightly_pipeline.inputs.objects import ObjectTagQuery, read_objects
from lightly_pipeline.inputs.path_groups import PathGroups, plan_path_groups
from lightly_pipeline.inputs.prediction_files import (
    plan_bulk_predictions,
    read_task,
    read_task_schema,
)
from lightly_pipeline.inputs.predictions import Task
from lightly_pipeline.inputs.quality import KEY_PREFIX, read_column_values
from lightly_pipeline.inputs.queries import FolderQuery, TagQuery, TextQuery, folder_query
from lightly_pipeline.inputs.values import SelectionInputs
from lightly_pipeline.runs.tags import read_tag
from lightly_pipeline.selection import Categories
from lightly_pipeline.selection.columns import QueryKey
from lightly_pipeline.tables.boxes import BoxSource

if TYPE_CHECKING:
    from lightly_pipeline.embedding import CheckedEncoder


Query = TagQuery | ObjectTagQuery | FolderQuery | TextQuery


@dataclass(frozen=True, slots=True)
class InputPlan:
    """What has to be read, checked as far as schemas and listings go.

    Attributes:
        columns: Column of the frame table by metadata key, for keys such as `lightly.width`.
        keys: Entry of the metadata schema by key.
        path_groups: Keys that are taken from paths.
        tasks: Schema of each prediction task that occurs.
        scores: (task, score) pairs.
        distributions: Tasks whose class rows or counts are needed.
        queries: Where each query's embeddings come from.
        boxes: Where the boxes of each task come from whose objects are compared.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, MetadataKey] = field(default_factory=dict)
    path_groups: PathGroups = field(default_factory=PathGroups)
    tasks: Mapping[str, Task] = field(default_factory=dict)
    scores: tuple[tuple[str, str], ...] = ()
    distributions: frozenset[str] = frozenset()
    queries: Mapping[QueryKey, Query] = field(default_factory=dict)
    boxes: Mapping[str, BoxSource] = field(default_factory=dict)


def plan_inputs(dataset: Dataset, config: RunConfig, others: Sequence[Dataset] = ()) -> InputPlan:
    """Finds out what a configuration needs to be read.

    Args:
        dataset: The dataset that is selected from.
        config: The effective configuration.
        others: Datasets whose tags may be queries.

    Raises:
        InvalidConfigurationError: A key, task, score, category, dataset or folder is not there.
        LightlyPipelineError: A schema is missing or wrong, or a tag is not there.
    """
    entries = config.selection.strategies
    keys = [entry for entry in entries if entry.input.type == "METADATA"]
    own = [entry for entry in keys if not str(entry.input.key).startswith(KEY_PREFIX)]
    predicted = [entry for entry in entries if entry.input.type in ("SCORES", "PREDICTIONS")]
    tasks = _plan_tasks(dataset.lightly, predicted)
    groups = plan_path_groups(
        config.selection.lightly_path_regex,
        ((str(entry.input.key), entry.strategy.type != "BALANCE") for entry in own),
    )
    return InputPlan(
        columns=plan_columns([entry for entry in keys if entry not in own]),
        keys=plan_metadata(dataset.lightly, own, groups),
        path_groups=groups,
        tasks=tasks,
        scores=tuple(
            dict.fromkeys(
                (str(entry.input.task), str(entry.input.score))
                for entry in predicted
                if entry.input.type == "SCORES"
            )
        ),
        distributions=frozenset(
            str(entry.input.task) for entry in predicted if entry.input.type == "PREDICTIONS"
        ),
        queries={
            _query_key(entry.input): _plan_query(dataset, config, entry.input, others)
            for entry in entries
            if entry.input.tag_name is not None
        },
        boxes=plan_boxes(dataset.lightly, config),
    )


def read_inputs(
    plan: InputPlan,
    store: Datasource,
    rows: FrameRows,
    *,
    embedding_id: str,
    current: Mapping[str, EmbeddedVideo],
    load_encoder: Callable[[], "CheckedEncoder"],
    on_disk: bool = False,
) -> SelectionInputs:
    """Reads the values of all rows.

    Args:
        plan: What is needed.
        store: The LIGHTLY datasource.
        rows: The frames.
        embedding_id: Of the embeddings that queries are compared with.
        current: The embedded videos by path.
        load_encoder: Gives the encoder; called only for queries that are images.
        on_disk: Keep the embeddings of objects in a file.

    Raises:
        LightlyPipelineError: A metadata file is wrong, all predictions of a task are missing or
            wrong, or a query cannot be compared.
    """
    inputs = SelectionInputs()
    inputs.metadata.update(_read_columns(plan, rows))
    inputs.metadata.update(read_metadata(store, plan.keys, rows))
    inputs.metadata.update(plan.path_groups.read(rows))
    for task in plan.tasks.values():
        wanted = [score for name, score in plan.scores if name == task.name]
        table = read_task(store, task, rows, wanted, by_class=task.name in plan.distributions)
        inputs.skipped.update(table.skipped)
        inputs.n_without_prediction[task.name] = int((~table.known).sum())
        inputs.scores.update({(task.name, score): table.score(score) for score in wanted})
        if task.name in plan.distributions:
            inputs.categories[task.name] = Categories(
                task.categories, table.distribution, table.counts
            )
    for name in plan.boxes:
        dim = next(iter(current.values())).dim
        inputs.objects[name], skipped = read_objects(rows, name, dim, on_disk=on_disk)
        inputs.skipped.update(skipped)
    for key, query in plan.queries.items():
        inputs.queries[key] = _vectors_of(query, embedding_id, current, load_encoder)
    return inputs


def _vectors_of(
    query: Query,
    embedding_id: str,
    current: Mapping[str, EmbeddedVideo],
    load_encoder: Callable[[], "CheckedEncoder"],
) -> NDArray[np.float32]:
    if isinstance(query, TagQuery):
        return query.embeddings(embedding_id, current)
    if isinstance(query, ObjectTagQuery):
        return query.embeddings(embedding_id)
    return query.embeddings(load_encoder())


def _query_key(source: SelectionInput) -> QueryKey:
    name = str(source.tag_name)
    if source.task:
        return source.dataset_id, name, source.task
    return source.dataset_id, name


def _plan_tasks(store: Datasource, entries: Sequence[StrategyEntry]) -> dict[str, Task]:
    if not entries:
        return {}
    listed = read_required(store, predictions.TASKS_PATH, "a SCORES or PREDICTIONS input")
    tasks: dict[str, Task] = {}
    for entry in entries:
        name = str(entry.input.task)
        if name not in tasks:
            predictions.check_task(listed, name, store.location(predictions.TASKS_PATH))
            tasks[name] = read_task_schema(store, name)
            plan_bulk_predictions(store, tasks[name])
        if entry.input.score is not None:
            predictions.check_score(tasks[name], entry.input.score)
        wanted = [*(entry.input.categories or ()), *(entry.strategy.target or ())]
        predictions.check_categories(tasks[name], wanted)
    return tasks


def _plan_query(
    dataset: Dataset, config: RunConfig, source: SelectionInput, others: Sequence[Dataset]
) -> Query:
    name = str(source.tag_name)
    folders, texts = config.pipeline.similarity_folders, config.pipeline.similarity_texts
    if source.dataset_id is None and name in (*folders, *texts) and config.worker.embeddings:
        raise InvalidConfigurationError(
            f"SIMILARITY to {name}: images and words are embedded by an encoder, and cannot be "
            "compared with vectors of your own (worker_config.embeddings): use a tag whose frames "
            "have such a vector"
        )
    if source.dataset_id is None and name in texts:
        from lightly_pipeline.embedding import check_has_texts

        check_has_texts(config.lightly.model.name)
        return TextQuery(texts[name])
    if source.dataset_id is None and name in folders:
        return folder_query(name, datasource_from_url(folders[name]))
    owner = _owner(dataset, source.dataset_id, others)
    try:
        tag = read_tag(owner.lightly, name)
    except TagNotFoundError as error:
        known = {"similarity_folders": folders, "similarity_texts": texts}
        named = [f"pipeline_config.{key} names {', '.join(of)}" for key, of in known.items() if of]
        raise InvalidConfigurationError("; ".join([str(error), *named])) from None
    if source.task:
        return ObjectTagQuery(owner.lightly, tag, source.task)
    return TagQuery(owner.lightly, tag, owner is dataset)


def _owner(dataset: Dataset, dataset_id: str | None, others: Sequence[Dataset]) -> Dataset:
    if dataset_id is None or dataset_id == dataset.dataset_id:
        return dataset
    for other in others:
        if other.dataset_id == dataset_id:
            return other
    known = ", ".join(f"{d.dataset_id} ({d.name})" for d in (dataset, *others))
    raise InvalidConfigurationError(
        f"selection_config.strategies.input.dataset_id: {dataset_id} is not the id of a declared "
        f"dataset; known are {known}"
    )


def _read_columns(plan: InputPlan, rows: FrameRows) -> dict[str, NDArray[np.float64]]:
    if not plan.columns:
        return {}
    values, known = read_column_values(rows, sorted(set(plan.columns.values())))
    result = {}
    for key, column in plan.columns.items():
        numbers = values[column].astype(np.float64)
        # An earlier frame whose table is gone counts as an ordinary one.
        numbers[~known] = numbers[known].mean() if known.any() else 0.0
        result[key] = numbers
    return result
