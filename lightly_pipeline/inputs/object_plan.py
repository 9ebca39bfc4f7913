"""Which tasks' objects a run compares, and where their boxes come from.

Looks at schemas alone, so that a mistake ends a run before its videos are decoded.
"""

from lightly_pipeline.config import RunConfig
from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import (
    InvalidConfigurationError,
)
from lightly_pipeline.hints import did_you_mean
from lightly_pipeline.inputs import predictions
from lightly_pipeline.inputs.auto_tasks import RuleBoxes
from lightly_pipeline.inputs.box_files import PredictedBoxes
from lightly_pipeline.inputs.boxes import check_has_boxes
from lightly_pipeline.inputs.prediction_files import (
    plan_bulk_predictions,
    read_task_names,
    read_task_schema,
)
from lightly_pipeline.tables.boxes import BoxSource


def plan_boxes(store: Datasource, config: RunConfig) -> dict[str, BoxSource]:
    """Returns where the boxes come from of every task whose objects are compared.

    Args:
        store: The LIGHTLY datasource.
        config: The effective configuration.

    Raises:
        InvalidConfigurationError: A task is not there, has no boxes or shares its name.
        LightlyPipelineError: A schema is missing or wrong.
    """
    compared = object_tasks(config)
    named = config.worker.crops.enable_upload_for_tasks or []
    rules = {rule.name: rule for rule in config.selection.auto_tasks}
    if not (compared or rules or named):
        return {}
    listed = read_task_names(store)
    for name in rules:
        if name in listed:
            raise InvalidConfigurationError(
                f"selection_config.auto_tasks: {name!r} is the name of a prediction task in "
                f"{store.location(predictions.TASKS_PATH)}, too: give the auto task another name"
            )
    for name in named:
        _check_known(name, [*listed, *rules], "worker_config.crops.enable_upload_for_tasks")
    sources: dict[str, BoxSource] = {}
    for name in compared:
        if name in rules:
            sources[name] = RuleBoxes(rules[name])
            continue
        _check_known(name, [*listed, *rules], "selection_config.strategies.input.task")
        task = read_task_schema(store, name)
        check_has_boxes(task)
        plan_bulk_predictions(store, task)
        sources[name] = PredictedBoxes(store, task)
    return sources


def object_tasks(config: RunConfig) -> list[str]:
    """Returns the tasks whose objects the strategies of a configuration compare, each once."""
    inputs = [entry.input for entry in config.selection.strategies]
    tasks = [str(source.task) for source in inputs if source.type == "EMBEDDINGS" and source.task]
    return list(dict.fromkeys(tasks))


def crop_tasks(config: RunConfig) -> list[str]:
    """Returns the tasks of whose objects crops are stored."""
    crops = config.worker.crops
    if not crops.enable_upload:
        return []
    named = crops.enable_upload_for_tasks
    return [task for task in object_tasks(config) if named is None or task in named]


def _check_known(name: str, known: list[str], option: str) -> None:
    if name not in known:
        hint = did_you_mean(name, known) if known else "none is known"
        raise InvalidConfigurationError(
            f"{option}: {name!r} is neither a prediction task of the dataset nor one of "
            f"selection_config.auto_tasks; {hint}"
        )
