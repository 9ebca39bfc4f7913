"""How assets are described: owners, tags, kinds, places, freshness, columns of a frame table.

What an asset is made of is in `assets`; what a materialization of it says in `metadata.py`.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources import Datasource
from lightly_pipeline.tables.columns import OWN_COLUMNS, QUALITY_COLUMNS

DATASET_TAG = "lightly_pipeline/dataset"
"""Tag of every asset of a dataset, with its name; runs of clients have it, too."""


def described(
    dataset: Dataset,
    *kinds: str,
    store: Datasource,
    path: str = "",
    metadata: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Returns what all assets of a dataset say of themselves, as arguments of `AssetSpec`.

    Args:
        dataset: The dataset.
        kinds: What the asset is made with, and of.
        store: Where it lies.
        path: Where in the store.
        metadata: What else there is to say.
    """
    place = store.location(path)
    is_bucket = "://" in place
    return {
        "group_name": dataset.name,
        "owners": list(dataset.owners) or None,
        "tags": {DATASET_TAG: dataset.name},
        "kinds": {*kinds, "s3" if is_bucket else "file"},
        "metadata": {
            "dagster/uri": place if is_bucket else Path(place).as_uri(),
            **(metadata or {}),
        },
    }


def freshness_policy(hours: float | None) -> dg.FreshnessPolicy | None:
    """Returns that an asset is overdue if it is older; None without hours."""
    return None if hours is None else dg.FreshnessPolicy.time_window(timedelta(hours=hours))


def frame_schema() -> dg.TableSchema:
    """Returns the columns of a frame table."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                column.type,
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in (*OWN_COLUMNS, *QUALITY_COLUMNS)
        ]
    )


def needs_a_listing(dataset: Dataset) -> str:
    """Returns what to do where an asset offers no partition."""
    part = "a shard of at most 1000 images" if dataset.of_images else "a video"
    if dataset.videos_per_partition:
        part = (
            f"a batch of at most {dataset.videos_per_partition} videos, all in one run; "
            "`lightly-pipeline partition` names the one of a video"
        )
    what = "images" if dataset.of_images else "videos"
    return (
        f"\n\nA partition is {part}. **No partitions yet?** Launch "
        f"`{dataset.name}_run_job`, which does everything, or materialize `video_catalog` "
        f"first: listing the {what} adds them."
    )
