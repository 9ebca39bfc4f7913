"""What the instance is told of videos: partitions, versions, and that tables are there.

Every way to process videos (assets, jobs, scheduled runs) reports through these functions.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.defs.metadata import outcome_metadata
from lightly_pipeline.layout import partition_key, shown_path
from lightly_pipeline.tables.catalog import Catalog
from lightly_pipeline.tables.outcome import VideoOutcome

_MAX_ADDED = 5000


def register(context: Any, dataset: Dataset, before: Catalog | None, catalog: Catalog) -> int:
    """Adds partitions for new videos and reports new versions of the INPUT videos.

    Returns:
        How many videos are new or changed.
    """
    known = set(context.instance.get_dynamic_partitions(f"{dataset.name}_videos"))
    keys = [partition_key(video.path) for video in catalog.videos]
    added = [key for key in keys if key not in known]
    for start in range(0, len(added), _MAX_ADDED):
        context.instance.add_dynamic_partitions(
            f"{dataset.name}_videos", added[start : start + _MAX_ADDED]
        )
    seen = {video.path: video.etag for video in before.videos} if before else {}
    fresh = set(added)
    changed = [
        (key, video)
        for key, video in zip(keys, catalog.videos, strict=True)
        if key in fresh or seen.get(video.path) != video.etag
    ]
    for key, video in changed:
        context.log_event(_version_event(dataset, key, video))
    return len(changed)


def _version_event(dataset: Dataset, key: str, video: StoredObject) -> dg.AssetMaterialization:
    version = hashlib.sha256(f"{video.etag} {video.size_bytes}".encode()).hexdigest()[:16]
    return dg.AssetMaterialization(
        asset_key=dg.AssetKey([dataset.name, "videos"]),
        partition=key,
        tags={"dagster/data_version": version},
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
                tags={"dagster/data_version": outcome.fingerprint},
                metadata=outcome_metadata(outcome),
            )
