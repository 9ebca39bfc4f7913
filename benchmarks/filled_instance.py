"""A Dagster instance whose partitions are all there and done, filled past Dagster's slow way in.

Reporting one event takes 10 ms and more; a hundred thousand partitions have three each. Here the
events are made as ever and inserted in one go, as Dagster's own SQLite storage would.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from lightly_pipeline import Dataset
from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.defs.events import register, table_events
from lightly_pipeline.defs.partitions import done_partitions, stored_batches
from lightly_pipeline.tables.catalog import Catalog
from lightly_pipeline.tables.outcome import VideoOutcome

TABLES = ("video_frames", "frame_embeddings")
_FEW = 10


def videos(n_videos: int, version: int = 0) -> Catalog:
    """Returns a catalogue; with another version the first ten videos are replaced."""
    return Catalog(
        tuple(
            StoredObject(
                f"day {i // 1000:04}/front camera {i:07}.mp4",
                10**6 + i,
                f"{i:030x}-{version if i < _FEW else 0}",
                1.7e9 + i,
            )
            for i in range(n_videos)
        )
    )


def outcomes(catalog: Catalog) -> Iterator[VideoOutcome]:
    """Yields outcomes of videos of a minute."""
    for video in catalog.videos:
        yield VideoOutcome(video.path, f"f{video.etag}", n_frames=1800, n_rows=1800, seconds=12.0)


def fill(instance: dg.DagsterInstance, dataset: Dataset, catalog: Catalog) -> None:
    """Registers a catalogue and reports all its tables."""
    with inserting(instance):
        register(instance, instance.report_runless_asset_event, dataset, catalog)
        keys = [dg.AssetKey([dataset.name, name]) for name in TABLES]
        done = done_partitions(outcomes(catalog), stored_batches(dataset))
        for event in table_events(keys, done):
            instance.report_runless_asset_event(event)


@contextmanager
def inserting(instance: dg.DagsterInstance) -> Iterator[None]:
    """Collects events while the context lasts, then inserts them at once."""
    storage: Any = instance.event_log_storage
    events: list[Any] = []
    stored = storage.store_event
    storage.store_event = events.append
    try:
        yield
    finally:
        storage.store_event = stored
        if events:
            _insert(storage, events)


def _insert(storage: Any, events: Iterable[Any]) -> None:
    from dagster._core.storage.event_log.schema import (
        AssetEventTagsTable,
        SqlEventLogStorageTable,
    )
    from dagster._serdes import serialize_value

    events = list(events)
    blank = storage.prepare_insert_event(events[0]).compile().params
    rows, tags, last = [], [], {}
    with storage.index_transaction() as connection:
        query = "select coalesce(max(id), 0) from event_logs"
        first = connection.exec_driver_sql(query).scalar() + 1
        for number, event in enumerate(events, first):
            asset = event.dagster_event.asset_key
            when = datetime.fromtimestamp(event.timestamp, UTC).replace(tzinfo=None)
            what = {"asset_key": asset.to_string(), "partition": event.dagster_event.partition}
            rows.append({**blank, **what, "event": serialize_value(event), "timestamp": when})
            last[asset] = (event, number)
            for key, value in storage._tags_for_asset_event(event).items():
                tag = {"event_id": number, "asset_key": asset.to_string(), "key": key}
                tags.append({**tag, "value": value, "event_timestamp": when})
        connection.execute(SqlEventLogStorageTable.insert(), rows)
        connection.execute(AssetEventTagsTable.insert(), tags)
        for event, number in last.values():
            storage._store_asset_event(connection, event, number)
