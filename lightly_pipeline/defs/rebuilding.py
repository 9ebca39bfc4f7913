"""What a new instance is told of a dataset whose results are there: videos, tables, earlier runs.

Nothing is decoded or chosen. Which events there are is in `events.py` and `reports.py`; only what
the instance does not know yet is told to it.
"""

from collections.abc import Iterator

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.defs.events import Log
from lightly_pipeline.defs.metadata import record_metadata
from lightly_pipeline.defs.reports import AssetReports
from lightly_pipeline.errors import DatasourceError
from lightly_pipeline.layout import MANIFEST_FILE, REPORT_FILE, frames_folder, run_path
from lightly_pipeline.logs import logger_of
from lightly_pipeline.runs.records import SelectionRecord, read_selection
from lightly_pipeline.runs.tags import Tag, list_tags
from lightly_pipeline.steps.listing import stored_catalog
from lightly_pipeline.steps.processing import ProcessResult
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.tables.catalog import Catalog

_logger = logger_of(__name__)


def report_stored(instance: dg.DagsterInstance, log: Log, run: Run) -> dict[str, int]:
    """Reports the videos that were last listed, the tables of this configuration, and all runs.

    Args:
        instance: The instance.
        log: Takes the events.
        run: Names the dataset and the configuration that the tables are of.

    Returns:
        How many videos, tables and runs there are, by name.

    Raises:
        LightlyPipelineError: Nothing was listed yet.
        DatasourceError: The store failed.
    """
    reports = AssetReports(instance, log)
    catalog = stored_catalog(run.dataset)
    reports.listed(run, catalog)
    known = zip(catalog.videos, run.tables.existing_many(catalog.videos), strict=True)
    done = [(video, outcome) for video, outcome in known if outcome is not None]
    processed = ProcessResult(
        Catalog(tuple(video for video, _ in done)), tuple(outcome for _, outcome in done), 0
    )
    reports.processed(run, processed)
    selected = dg.AssetKey([run.dataset.name, "selected_frames"])
    n_runs = 0
    if instance.get_latest_materialization_event(selected) is None:
        for event in _run_events(run.dataset):
            log(event)
            n_runs += event.asset_key == selected
    return {"videos": len(catalog.videos), "tables": len(done), "runs": n_runs}


def _run_events(dataset: Dataset) -> Iterator[dg.AssetMaterialization]:
    """Yields the events of every run that has a tag, the oldest first."""
    for tag in reversed(list_tags(dataset.lightly)):
        try:
            record = read_selection(dataset.lightly, tag.run_id)
        except DatasourceError as error:
            _logger.warning("run %s is not shown: %s", tag.run_id, error)
            continue
        yield dg.AssetMaterialization(
            dg.AssetKey([dataset.name, "selected_frames"]),
            metadata={**record_metadata(record), "run": tag.run_id, "chosen_at": record.created},
        )
        yield _images_event(dataset, record, tag)


def _images_event(dataset: Dataset, record: SelectionRecord, tag: Tag) -> dg.AssetMaterialization:
    store = dataset.lightly
    places = {"manifest": store.location(run_path(tag.run_id, MANIFEST_FILE))}
    places["folder"] = record.input or store.location(frames_folder(record.resize).rstrip("/"))
    report = run_path(tag.run_id, REPORT_FILE)
    if store.stat(report) is not None:
        places["report"] = store.location(report)
    return dg.AssetMaterialization(
        dg.AssetKey([dataset.name, "uploaded_frames"]),
        metadata={
            "images": len(tag.frames),
            "dagster/row_count": len(tag.frames),
            "tag": tag.name,
            "run": tag.run_id,
            **{name: dg.MetadataValue.path(place) for name, place in places.items()},
        },
    )
