"""Puts the definitions of all datasets together: the one factory that product and tests use."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from lightly_pipeline.datasets import DATASETS_VARIABLE, Dataset, declared_datasets
from lightly_pipeline.defs.assets import dataset_assets
from lightly_pipeline.defs.jobs import dataset_jobs
from lightly_pipeline.defs.launch import launch_resources
from lightly_pipeline.defs.overdue import overdue_checks
from lightly_pipeline.defs.scheduled import client_datasets, scheduled_runs
from lightly_pipeline.defs.sensors import dataset_schedule, dataset_sensors
from lightly_pipeline.defs.stores import S3_KEY, with_s3_resource
from lightly_pipeline.defs.upkeep import upkeep_jobs
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.telemetry.json_lines import log_as_configured

_logger = logger_of(__name__)


def build_definitions(
    *datasets: Dataset, resource_overrides: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """Returns Dagster definitions for datasets.

    Args:
        datasets: Declared in Python; without any, those in the YAML file that the environment
            variable LIGHTLY_PIPELINE_DATASETS names, those that clients of `lightly_pipeline.api`
            created, and the job and sensor for the runs that clients schedule.
        resource_overrides: Resources that take the place of ours, by key. "s3" takes that of the
            credentials of all S3 datasources declared: dagster-aws' `S3Resource`, or another with a
            method `get_client`.

    Raises:
        InvalidConfigurationError: A declaration is wrong, or two datasets share a name.
    """
    overrides = dict(resource_overrides or {})
    s3 = overrides.get(S3_KEY)
    if datasets:
        own = [with_s3_resource(dataset, s3) for dataset in datasets]
        return _definitions(own, overrides)
    job, sensor = scheduled_runs()
    extra = dg.Definitions(jobs=[job], sensors=[sensor])
    return dg.Definitions.merge(_definitions(_from_environment(s3), overrides), extra)


def component_definitions(dataset: Dataset, s3: Any) -> dg.Definitions:
    """Returns the definitions of one dataset among others' in a project of a user.

    They leave the project's executor as it is, and bring nothing that another such dataset has not
    got as well.

    Args:
        dataset: The dataset.
        s3: A resource in place of its S3 credentials, or None.
    """
    built = _definitions([with_s3_resource(dataset, s3)], {})
    return dg.Definitions(
        assets=built.assets,
        asset_checks=built.asset_checks,
        jobs=built.jobs,
        sensors=built.sensors,
        schedules=built.schedules,
        resources=built.resources,
    )


def _definitions(datasets: Sequence[Dataset], overrides: Mapping[str, Any]) -> dg.Definitions:
    log_as_configured()
    names = [dataset.name for dataset in datasets]
    if len(set(names)) < len(names):
        raise InvalidConfigurationError(f"two datasets share a name: {', '.join(sorted(names))}")
    owners = [
        dataset_assets(dataset, [other for other in datasets if other is not dataset])
        for dataset in datasets
    ]
    return dg.Definitions(
        assets=_with_code_references([asset for owner in owners for asset in owner.assets]),
        asset_checks=[check for owner in owners for check in overdue_checks(owner.dataset)],
        jobs=[job for o in owners for job in (*dataset_jobs(o), *upkeep_jobs(o))],
        sensors=[sensor for owner in owners for sensor in dataset_sensors(owner)],
        schedules=[dataset_schedule(owner) for owner in owners],
        resources={**launch_resources(), **overrides} if owners else {},
        executor=dg.in_process_executor,
    )


def _with_code_references(assets: Sequence[Any]) -> list[Any]:
    """Returns assets with the line of this package, where it is installed, that makes each."""
    with warnings.catch_warnings():
        # That Dagster calls it new is nothing that every load has to tell.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return list(dg.with_source_code_references(assets))


def _from_environment(s3: Any) -> Sequence[Dataset]:
    """Returns the datasets of the declared file and, where their names are free, of clients.

    Clients have said which credentials are theirs, so they keep them.
    """
    declared = [with_s3_resource(dataset, s3) for dataset in declared_datasets()]
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
