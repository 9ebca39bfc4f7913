"""The asset `videos`: the INPUT videos, which are not ours to make."""

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.defs.describing import described, needs_a_listing


def videos(dataset: Dataset, partitions: dg.DynamicPartitionsDefinition) -> dg.AssetSpec:
    """Returns the external asset of a dataset's videos, one partition each; or of its images."""
    what = "images" if dataset.of_images else "videos"
    return dg.AssetSpec(
        key=[dataset.name, "videos"],
        description=f"The {what} in {dataset.input.describe()}, as they were last listed."
        + needs_a_listing(dataset),
        partitions_def=partitions,
        **described(dataset, "image" if dataset.of_images else "video", store=dataset.input),
    )
