"""Puts the definitions of all datasets together: the one factory that product and tests use."""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from lightly_pipeline.datasets import Dataset, load_datasets
from lightly_pipeline.defs.assets import dataset_assets
from lightly_pipeline.defs.jobs import dataset_jobs
from lightly_pipeline.defs.launch import launch_resources
from lightly_pipeline.defs.sensors import dataset_schedule, dataset_sensors
from lightly_pipeline.errors import InvalidConfigurationError

DATASETS_VARIABLE = "LIGHTLY_PIPELINE_DATASETS"
_logger = logging.getLogger(__name__)


def build_definitions(
    *datasets: Dataset, resource_overrides: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """Returns Dagster definitions for datasets.

    Args:
        datasets: Declared in Python; without any, those in the YAML file that the environment
            variable LIGHTLY_PIPELINE_DATASETS names.
        resource_overrides: Resources that take the place of ours, by key.

    Raises:
        InvalidConfigurationError: A declaration is wrong, or two datasets share a name.
    """
    declared: Sequence[Dataset] = datasets or _from_environment()
    names = [dataset.name for dataset in declared]
    if len(set(names)) < len(names):
        raise InvalidConfigurationError(f"two datasets share a name: {', '.join(sorted(names))}")
    owners = [dataset_assets(dataset) for dataset in declared]
    return dg.Definitions(
        assets=[asset for owner in owners for asset in owner.assets],
        jobs=[job for owner in owners for job in dataset_jobs(owner)],
        sensors=[sensor for owner in owners for sensor in dataset_sensors(owner)],
        schedules=[dataset_schedule(owner) for owner in owners],
        resources={**launch_resources(), **(resource_overrides or {})} if owners else {},
        executor=dg.in_process_executor,
    )


def _from_environment() -> Sequence[Dataset]:
    path = os.environ.get(DATASETS_VARIABLE)
    if path:
        return load_datasets(path)
    _logger.warning(
        "no dataset declared: write `datasets: {name: {input: ..., lightly: ...}}` into a YAML "
        "file and name it in %s",
        DATASETS_VARIABLE,
    )
    return ()
