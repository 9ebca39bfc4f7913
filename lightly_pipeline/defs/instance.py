"""Tells the Dagster instance of runs that workers and scripts execute, where there is one.

An entry point of `lightly_pipeline.run_listeners`. Nothing of Dagster is imported where no instance
is named: a worker without one pays nothing.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lightly_pipeline.runs.result import RunResult
from lightly_pipeline.steps.listener import RunListener
from lightly_pipeline.steps.processing import ProcessResult
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.tables.catalog import Catalog
from lightly_pipeline.training.models import TrainedModel

if TYPE_CHECKING:
    from lightly_pipeline.defs.reports import AssetReports


def instance_listener() -> RunListener | None:
    """Returns the listener, or None where DAGSTER_HOME names no instance."""
    return InstanceListener() if os.environ.get("DAGSTER_HOME") else None


class InstanceListener:
    """Reports to the instance of DAGSTER_HOME; it is opened for as long as that takes."""

    def listed(self, run: Run, catalog: Catalog) -> None:
        """Reports a listing."""
        with _reports() as reports:
            reports.listed(run, catalog)

    def trained(self, run: Run, model: TrainedModel) -> None:
        """Reports a model."""
        with _reports() as reports:
            reports.trained(run, model)

    def processed(self, run: Run, processed: ProcessResult) -> None:
        """Reports tables."""
        with _reports() as reports:
            reports.processed(run, processed)

    def finished(self, run: Run, result: RunResult) -> None:
        """Reports a selection and its images."""
        with _reports() as reports:
            reports.finished(run, result)


@contextmanager
def _reports() -> "Iterator[AssetReports]":
    import dagster as dg

    from lightly_pipeline.defs.reports import AssetReports

    with dg.DagsterInstance.get() as instance:
        yield AssetReports(instance, instance.report_runless_asset_event)
