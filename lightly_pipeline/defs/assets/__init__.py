"""The assets of one dataset, a module each; every one calls its step and reports what came out.

When they run by themselves is in `automation.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.defs.assets.selected_frames import selection_and_images
from lightly_pipeline.defs.assets.trained_model import trained_model, trains
from lightly_pipeline.defs.assets.video_catalog import video_catalog
from lightly_pipeline.defs.assets.video_frames import frames_and_embeddings
from lightly_pipeline.defs.assets.videos import videos
from lightly_pipeline.defs.partitions import partitions_name


@dataclass(frozen=True)
class DatasetAssets:
    """The assets of a dataset, and what they share.

    Attributes:
        dataset: The dataset.
        others: Datasets whose tags may be queries of its selections.
        partitions: Its videos, or batches of them.
        assets: All asset definitions.
    """

    dataset: Dataset
    others: Sequence[Dataset]
    partitions: dg.DynamicPartitionsDefinition
    assets: Sequence[dg.AssetsDefinition | dg.AssetSpec]

    def key(self, name: str) -> dg.AssetKey:
        """Returns the key of one of the dataset's assets."""
        return dg.AssetKey([self.dataset.name, name])


def dataset_assets(dataset: Dataset, others: Sequence[Dataset] = ()) -> DatasetAssets:
    """Returns the assets of a dataset, whose selections may ask for tags of the others."""
    partitions = dg.DynamicPartitionsDefinition(name=partitions_name(dataset))
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = [
        videos(dataset, partitions),
        video_catalog(dataset, others),
        *([trained_model(dataset, others)] if trains(dataset) else []),
        frames_and_embeddings(dataset, others, partitions),
        selection_and_images(dataset, others),
    ]
    return DatasetAssets(dataset, others, partitions, assets)
