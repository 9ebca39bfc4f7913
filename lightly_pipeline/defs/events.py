"""What the instance is told of videos: partitions, versions, and that tables are there.

Every way to process videos (assets, jobs, scheduled runs, workers) reports through these functions.
Only what the instance does not know yet is told to it: a run over 20,000 videos of which one is new
reports one.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.defs.metadata import outcome_metadata
from lightly_pipeline.layout import partition_key, shown_path
from lightly_pipeline.tables.catalog import Catalog
from lightly_pipeline.tables.outcome import VideoOutcome

Log = Callable[[dg.AssetMaterialization | dg.AssetCheckEvaluation], None]
"""Takes an event: of a step by `context.log_event`, of no run by `report_runless_asset_event`."""

_MAX_ADDED = 5000
_VERSION_TAG = "dagster/data_version"


def register(instance: dg.DagsterInstance, log: Log, dataset: Dataset, catalog: Catalog) -> int:
    """Adds partitions for new videos and reports new versions of the INPUT videos.

    Returns:
        How many videos are new or changed.
    """
    known = set(instance.get_dynamic_partitions(f"{dataset.name}_videos"))
    keys = [partition_key(video.path) for video in catalog.videos]
    added = [key for key in keys if key not in known]
    for start in range(0, len(added), _MAX_ADDED):
        instance.add_dynamic_partitions(f"{dataset.name}_videos", added[start : start + _MAX_ADDED])
    asset_key, fresh = dg.AssetKey([dataset.name, "videos"]), set(added)
    versions = known_versions(instance, asset_key)
    n_changed = 0
    for key, video in zip(keys, catalog.videos, strict=True):
        version = _version(video)
        if key in fresh or versions.get(key) != version:
            log(_version_event(asset_key, key, video, version))
            n_changed += 1
    return n_changed


def _version(video: StoredObject) -> str:
    return hashlib.sha256(f"{video.etag} {video.size_bytes}".encode()).hexdigest()[:16]


def _version_event(
    asset_key: dg.AssetKey, key: str, video: StoredObject, version: str
) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        asset_key=asset_key,
        partition=key,
        tags={_VERSION_TAG: version},
        metadata={
            "path": shown_path(video.path),
            "size_bytes": video.size_bytes,
            "etag": video.etag,
        },
    )


def outcome_events(
    keys: Iterable[dg.AssetKey], outcomes: Iterable[VideoOutcome]
) -> Iterator[dg.AssetMaterialization]:
    """Yields the events that say videos' tables are there, in which version, with their numbers.

    Args:
        keys: The assets to report; each gets an event of every video.
        outcomes: Of the videos.
    """
    parts = sorted(keys)
    for outcome in outcomes:
        for key in parts:
            yield dg.AssetMaterialization(
                asset_key=key,
                partition=partition_key(outcome.video),
                tags={_VERSION_TAG: outcome.fingerprint},
                metadata=outcome_metadata(outcome),
            )


def new_outcome_events(
    instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey], outcomes: Iterable[VideoOutcome]
) -> Iterator[dg.AssetMaterialization]:
    """Yields those of `outcome_events` that the instance does not know yet."""
    known = {key: known_versions(instance, key) for key in keys}
    for event in outcome_events(known, outcomes):
        if known[event.asset_key].get(str(event.partition)) != (event.tags or {})[_VERSION_TAG]:
            yield event


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
