"""Reports a run of the whole chain as events of its dataset's assets, one step after the other.

For runs that no asset's own step executes: `run_job`, scheduled runs, workers and scripts. Which
events there are is in `events.py` and `checks.py`.
"""

from typing import Any

import dagster as dg

from lightly_pipeline.defs.checks import (
    catalog_checks,
    copies_check,
    evaluation,
    selection_checks,
)
from lightly_pipeline.defs.events import (
    Log,
    last_figures,
    model_events,
    new_table_events,
    register,
)
from lightly_pipeline.defs.metadata import catalog_metadata, record_metadata, run_metadata
from lightly_pipeline.defs.partitions import done_partitions, stored_batches
from lightly_pipeline.runs.records import read_selection
from lightly_pipeline.runs.result import RunResult
from lightly_pipeline.steps.processing import ProcessResult
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.tables.catalog import Catalog
from lightly_pipeline.training.models import TrainedModel


class AssetReports:
    """A listener that tells an instance what becomes of the assets of a run's dataset.

    Args:
        instance: The instance.
        log: Takes the events.
    """

    def __init__(self, instance: dg.DagsterInstance, log: Log) -> None:
        self._instance, self._log = instance, log

    def listed(self, run: Run, catalog: Catalog) -> None:
        """Reports new and changed videos, and `video_catalog`."""
        key = dg.AssetKey([run.dataset.name, "video_catalog"])
        registered = register(self._instance, self._log, run.dataset, catalog)
        metadata = catalog_metadata(catalog, registered.n_changed, registered.n_partitions)
        self._report(key, metadata, catalog_checks(key, catalog))

    def trained(self, run: Run, model: TrainedModel) -> None:
        """Reports `trained_model`, unless the instance knows that model."""
        key = dg.AssetKey([run.dataset.name, "trained_model"])
        for event in model_events(self._instance, key, model):
            self._log(event)

    def processed(self, run: Run, processed: ProcessResult) -> None:
        """Reports the tables that the instance does not know yet."""
        names = ("video_frames", "frame_embeddings")
        keys = [dg.AssetKey([run.dataset.name, name]) for name in names]
        done = done_partitions(processed.outcomes, stored_batches(run.dataset))
        for event in new_table_events(self._instance, keys, done):
            self._log(event)

    def finished(self, run: Run, result: RunResult) -> None:
        """Reports `selected_frames` and `uploaded_frames`."""
        selected, uploaded = (
            dg.AssetKey([run.dataset.name, name]) for name in ("selected_frames", "uploaded_frames")
        )
        record = read_selection(run.dataset.lightly, run.run_id)
        before = last_figures(self._instance, selected)
        checks = selection_checks(run.dataset, selected, record, before)
        self._report(selected, record_metadata(record), checks)
        copies = copies_check(uploaded, run.dataset, run.run_id)
        self._report(uploaded, run_metadata(run.dataset, result), [copies])

    def _report(
        self, key: dg.AssetKey, metadata: dict[str, Any], checks: list[dg.AssetCheckResult]
    ) -> None:
        self._log(dg.AssetMaterialization(key, metadata=metadata))
        for check in checks:
            self._log(evaluation(key, check))
