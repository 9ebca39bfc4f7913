"""The asset `videos`: the INPUT videos, which are not ours to make."""

import dagster as dg

from lightly_pipeline.datasets import Dataset


def videos(dataset: Dataset, partitions: dg.DynamicPartitionsDefinition) -> dg.AssetSpec:
    """Returns the external asset of a dataset's videos, one partition each."""
    return dg.AssetSpec(
        key=[dataset.name, "videos"],
        description=f"The videos in {dataset.input.describe()}, as they were last listed.",
        partitions_def=partitions,
        group_name=dataset.name,
        kinds={"video"},
    )
