"""Puts the definitions of all datasets together: the one factory that product and tests use."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from lightly_pipeline.datasets import DATASETS_VARIABLE, Dataset, declared_datasets
from lightly_pipeline.defs.assets import dataset_assets
from lightly_pipeline.defs.jobs import dataset_jobs
from lightly_pipeline.defs.launch import launch_resources
from lightly_pipeline.defs.scheduled import client_datasets, scheduled_runs
from lightly_pipeline.defs.sensors import dataset_schedule, dataset_sensors
from lightly_pipeline.errors import InvalidConfigurationError

_logger = logging.getLogger(__name__)


def build_definitions(
    *datasets: Dataset, resource_overrides: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """Returns Dagster definitions for datasets.

    Args:
        datasets: Declared in Python; without any, those in the YAML file that the environment
            variable LIGHTLY_PIPELINE_DATASETS names, those that clients of `lightly_pipeline.api`
            created, and the job and sensor for the runs that clients schedule.
        resource_overrides: Resources that take the place of ours, by key.

    Raises:
        InvalidConfigurationError: A declaration is wrong, or two datasets share a name.
    """
    if datasets:
        return _definitions(datasets, resource_overrides)
    job, sensor = scheduled_runs()
    extra = dg.Definitions(jobs=[job], sensors=[sensor])
    return dg.Definitions.merge(_definitions(_from_environment(), resource_overrides), extra)


def _definitions(
    datasets: Sequence[Dataset], resource_overrides: Mapping[str, Any] | None
) -> dg.Definitions:
    names = [dataset.name for dataset in datasets]
    if len(set(names)) < len(names):
        raise InvalidConfigurationError(f"two datasets share a name: {', '.join(sorted(names))}")
    owners = [
        dataset_assets(dataset, [other for other in datasets if other is not dataset])
        for dataset in datasets
    ]
    return dg.Definitions(
        assets=[asset for owner in owners for asset in owner.assets],
        jobs=[job for owner in owners for job in dataset_jobs(owner)],
        sensors=[sensor for owner in owners for sensor in dataset_sensors(owner)],
        schedules=[dataset_schedule(owner) for owner in owners],
        resources={**launch_resources(), **(resource_overrides or {})} if owners else {},
        executor=dg.in_process_executor,
    )


def _from_environment() -> Sequence[Dataset]:
    """Returns the datasets of the declared file and, where their names are free, of clients."""
    declared = declared_datasets()
    names = {dataset.name for dataset in declared}
    created = client_datasets()
    for dataset in created:
        if dataset.name in names:
            _logger.warning(
                "a client's dataset is called as a declared one, %s: only the declared one has "
                "assets here",
                dataset.name,
            )
    if not declared and not created:
        _logger.warning(
            "no dataset declared: write `datasets: {name: {input: ..., lightly: ...}}` into a YAML "
            "file and name it in %s, or create one with lightly_pipeline.api",
            DATASETS_VARIABLE,
        )
    return [*declared, *(dataset for dataset in created if dataset.name not in names)]
