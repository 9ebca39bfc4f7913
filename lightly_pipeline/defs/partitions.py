"""What a partition of a dataset is: a video (or shard of images), or a batch of videos.

The only place that tells the two apart: which partitions a listing gives, which videos the
partitions of a run hold, and which of them an outcome of every video makes whole. What the instance
is told of them is in `events.py`.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.defs.metadata import batch_metadata, outcome_metadata
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.layout import partition_key, shown_path, video_path
from lightly_pipeline.steps.listing import deal_batches, stored_catalog
from lightly_pipeline.tables.batches import VideoBatch, batch_path, read_batch, read_batches
from lightly_pipeline.tables.catalog import Catalog
from lightly_pipeline.tables.outcome import VideoOutcome

MOST_PARTITIONS = 100_000
"""Of an asset, by Dagster's own documentation."""
ADVISED_SIZE = 500
"""Videos in a batch where a message has to name a number."""


class PartitionState(NamedTuple):
    """A partition, in which version, and what there is to say of it."""

    key: str
    version: str
    metadata: Mapping[str, Any]


class Listed(NamedTuple):
    """The partitions of a listing, and how many of their videos the batches did not know.

    `n_changed` is None where the partitions are videos themselves.
    """

    partitions: Sequence[PartitionState]
    n_changed: int | None


def partitions_name(dataset: Dataset) -> str:
    """Returns the name of a dataset's dynamic partitions: another one for batches."""
    return f"{dataset.name}_{'batches' if dataset.videos_per_partition else 'videos'}"


def listed_partitions(dataset: Dataset, catalog: Catalog) -> Listed:
    """Returns the partitions of a listing; new videos are put into batches first.

    Raises:
        LightlyPipelineError: There are more than Dagster takes.
    """
    if dataset.videos_per_partition is None:
        _refuse_too_many(dataset, len(catalog.videos))
        return Listed([_listed_video(video) for video in catalog.videos], None)
    batches, n_changed = deal_batches(dataset, catalog, dataset.videos_per_partition)
    _refuse_too_many(dataset, len(batches))
    return Listed([_listed_batch(dataset, batch) for batch in batches], n_changed)


def _refuse_too_many(dataset: Dataset, n_partitions: int) -> None:
    if n_partitions <= MOST_PARTITIONS:
        return
    size = dataset.videos_per_partition
    now = "a video each" if size is None else f"up to {size} videos each"
    way_out = f"declare videos_per_partition: {ADVISED_SIZE if size is None else 10 * size} for it"
    if dataset.of_images:
        now, way_out = "shards of images", "make several datasets of it"
    raise LightlyPipelineError(
        f"dataset {dataset.name}: {n_partitions} partitions, {now}, are more than the "
        f"{MOST_PARTITIONS} that Dagster takes: {way_out}; what is decoded stays"
    )


def _listed_video(video: StoredObject) -> PartitionState:
    version = hashlib.sha256(f"{video.etag} {video.size_bytes}".encode()).hexdigest()[:16]
    said = {
        "path": shown_path(video.path),
        "size_bytes": video.size_bytes,
        "etag": video.etag,
    }
    return PartitionState(partition_key(video.path), version, said)


def _listed_batch(dataset: Dataset, batch: VideoBatch) -> PartitionState:
    said: dict[str, Any] = {
        "videos": len(batch.videos),
        "size_bytes": sum(video.size_bytes for video in batch.videos),
        "list": dg.MetadataValue.path(dataset.lightly.location(batch_path(batch.name))),
    }
    if batch.videos:
        said |= {
            "first": shown_path(batch.videos[0].path),
            "last": shown_path(batch.videos[-1].path),
        }
    return PartitionState(batch.name, batch.version, said)


@dataclass(frozen=True)
class VideosOfRun:
    """The videos of a run's partitions.

    Attributes:
        catalog: They, in the version that was last listed.
        batches: The batches that hold them; None where partitions are videos.
        gone: Partitions without a video any more.
    """

    catalog: Catalog
    batches: Sequence[VideoBatch] | None
    gone: Sequence[str]

    def done(
        self, outcomes: Iterable[VideoOutcome], *, all_done: bool = False
    ) -> Iterator[PartitionState]:
        """Returns the partitions that outcomes make whole, one after the other.

        Args:
            outcomes: Of some of the videos.
            all_done: Whether there will be no more: videos without one have been removed.
        """
        return done_partitions(outcomes, self.batches, all_done=all_done)


def videos_of_run(dataset: Dataset, keys: Sequence[str]) -> VideosOfRun:
    """Returns the videos of partitions.

    Raises:
        LightlyPipelineError: Nothing was listed yet.
    """
    if dataset.videos_per_partition is not None:
        batches = [read_batch(dataset.lightly, key) for key in keys]
        videos = tuple(video for batch in batches for video in batch.videos)
        gone = [batch.name for batch in batches if not batch.videos]
        return VideosOfRun(Catalog(videos), batches, gone)
    listed = {video.path: video for video in stored_catalog(dataset).videos}
    wanted = [video_path(key) for key in keys]
    catalog = Catalog(tuple(listed[path] for path in wanted if path in listed))
    return VideosOfRun(catalog, None, [path for path in wanted if path not in listed])


def stored_batches(dataset: Dataset) -> Sequence[VideoBatch] | None:
    """Returns the batches of the last listing; None where partitions are videos."""
    return None if dataset.videos_per_partition is None else read_batches(dataset.lightly)


def done_partitions(
    outcomes: Iterable[VideoOutcome],
    batches: Iterable[VideoBatch] | None,
    *,
    all_done: bool = False,
) -> Iterator[PartitionState]:
    """Yields the partitions that outcomes make whole, in which version, with their numbers.

    Args:
        outcomes: Of videos.
        batches: Those that may be whole; None where each video is a partition.
        all_done: Whether batches are whole whatever they lack.
    """
    if batches is None:
        for outcome in outcomes:
            key = partition_key(outcome.video)
            yield PartitionState(key, outcome.fingerprint, outcome_metadata(outcome))
        return
    by_path = {outcome.video: outcome for outcome in outcomes}
    for batch in batches:
        found = [by_path[video.path] for video in batch.videos if video.path in by_path]
        if all_done or len(found) == len(batch.videos):
            made = "\n".join(sorted(outcome.fingerprint for outcome in found))
            version = hashlib.sha256(made.encode()).hexdigest()[:16]
            yield PartitionState(batch.name, version, batch_metadata(found))
