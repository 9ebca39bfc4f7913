"""What the instance is told: partitions, versions of the videos, and that tables are there.

Every way to process videos (assets, jobs, scheduled runs, workers) reports through these functions.
Only what the instance does not know yet is told to it: a run over 20,000 videos of which one is new
reports one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.defs.metadata import model_metadata
from lightly_pipeline.defs.partitions import PartitionState, listed_partitions, partitions_name
from lightly_pipeline.tables.catalog import Catalog
from lightly_pipeline.training.models import TrainedModel

Log = Callable[[dg.AssetMaterialization | dg.AssetCheckEvaluation], None]
"""Takes an event: of a step by `context.log_event`, of no run by `report_runless_asset_event`."""

_MAX_ADDED = 5000
_VERSION_TAG = "dagster/data_version"


class Registered(NamedTuple):
    """What a listing was for the instance: its partitions, and new or changed videos."""

    n_partitions: int
    n_changed: int


def register(
    instance: dg.DagsterInstance, log: Log, dataset: Dataset, catalog: Catalog
) -> Registered:
    """Adds the partitions of a listing and reports new versions of the INPUT videos.

    Raises:
        LightlyPipelineError: There are more partitions than Dagster takes; none was added.
    """
    partitions, n_changed = listed_partitions(dataset, catalog)
    name = partitions_name(dataset)
    known = set(instance.get_dynamic_partitions(name))
    added = [partition.key for partition in partitions if partition.key not in known]
    for start in range(0, len(added), _MAX_ADDED):
        instance.add_dynamic_partitions(name, added[start : start + _MAX_ADDED])
    asset_key, fresh = dg.AssetKey([dataset.name, "videos"]), set(added)
    versions = known_versions(instance, asset_key)
    stale = [p for p in partitions if p.key in fresh or versions.get(p.key) != p.version]
    for partition in stale:
        log(_event(asset_key, partition))
    return Registered(len(partitions), len(stale) if n_changed is None else n_changed)


def _event(asset_key: dg.AssetKey, partition: PartitionState) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        asset_key=asset_key,
        partition=partition.key,
        tags={_VERSION_TAG: partition.version},
        metadata=partition.metadata,
    )


def table_events(
    keys: Iterable[dg.AssetKey], done: Iterable[PartitionState]
) -> Iterator[dg.AssetMaterialization]:
    """Yields the events that say tables are there, in which version, with their numbers.

    Args:
        keys: The assets to report; each gets an event of every partition.
        done: The partitions whose tables are there.
    """
    parts = sorted(keys)
    for partition in done:
        for key in parts:
            yield _event(key, partition)


def new_table_events(
    instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey], done: Iterable[PartitionState]
) -> Iterator[dg.AssetMaterialization]:
    """Yields those of `table_events` that the instance does not know yet."""
    known = {key: known_versions(instance, key) for key in keys}
    for event in table_events(known, done):
        if known[event.asset_key].get(str(event.partition)) != (event.tags or {})[_VERSION_TAG]:
            yield event


def model_events(
    instance: dg.DagsterInstance, key: dg.AssetKey, model: TrainedModel
) -> Iterator[dg.AssetMaterialization]:
    """Yields the event that says which model counts, unless the instance knows it."""
    latest = instance.get_latest_materialization_event(key)
    known = latest.asset_materialization if latest else None
    if known is None or (known.tags or {}).get(_VERSION_TAG) != model.sha256:
        yield dg.AssetMaterialization(
            key, metadata=model_metadata(model), tags={_VERSION_TAG: model.sha256}
        )


def known_versions(instance: dg.DagsterInstance, key: dg.AssetKey) -> Mapping[str, str]:
    """Returns the version of each partition that was last reported, by one query of the storage."""
    tags = instance.event_log_storage.get_latest_tags_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, [_VERSION_TAG]
    )
    return {partition: values[_VERSION_TAG] for partition, values in tags.items()}


def last_figures(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, Any]:
    """Returns the numbers of an asset's last materialization, by name; none before the first."""
    event = instance.get_latest_materialization_event(key)
    materialization = event.asset_materialization if event else None
    if materialization is None:
        return {}
    figures = {name: getattr(v, "value", None) for name, v in materialization.metadata.items()}
    return {name: value for name, value in figures.items() if isinstance(value, int | float)}
