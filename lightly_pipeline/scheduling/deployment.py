"""A deployment as one thing: its datasets, its queue, and its datasets ready to be run.

Turns what clients wrote down into `Dataset`s of the pipeline, with credentials read when needed.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from lightly_pipeline.config import DatasetType
from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources import datasource_from_url
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.scheduling.credentials import load_credentials
from lightly_pipeline.scheduling.database import Database, default_home
from lightly_pipeline.scheduling.datasets import Datasets
from lightly_pipeline.scheduling.models import THUMBNAIL_SUFFIX_OPTION, DatasourcePurpose
from lightly_pipeline.scheduling.names import identifier_of
from lightly_pipeline.scheduling.queue import RunQueue
from lightly_pipeline.scheduling.workers import Workers

if TYPE_CHECKING:
    from lightly_pipeline.datasources import Datasource


class Deployment:
    """The state of a deployment; it is made when there is none yet.

    Args:
        home: Its folder; by default the one of `default_home`.

    Attributes:
        home: Its folder.
        datasets: What clients created.
        queue: What clients scheduled.
    """

    def __init__(self, home: Path | None = None) -> None:
        self.home = home or default_home()
        database = Database(self.home)
        self.datasets = Datasets(database)
        self.queue = RunQueue(database)
        self.workers = Workers(database)

    @staticmethod
    def existing() -> "Deployment | None":
        """Returns the deployment of `default_home`, or None when no client was there yet."""
        return Deployment() if Database.exists(default_home()) else None

    def dataset(self, dataset_id: str) -> Dataset:
        """Returns a dataset as the pipeline takes it.

        Raises:
            ApiException: There is none with this id.
            InvalidConfigurationError: A datasource is missing or wrong.
        """
        data = self.datasets.get(dataset_id)
        return Dataset(
            identifier_of(data.name),
            dataset_type=DatasetType(data.type),
            input=self.datasource(dataset_id, DatasourcePurpose.INPUT),
            lightly=self.datasource(dataset_id, DatasourcePurpose.LIGHTLY),
            dataset_id=dataset_id,
            thumbnail_suffix=self._thumbnail_suffix(dataset_id),
        )

    def complete_datasets(self) -> list[Dataset]:
        """Returns the datasets that have both datasources; the others are not set up yet."""
        complete = []
        for data in self.datasets.all():
            try:
                complete.append(self.dataset(data.id))
            except LightlyPipelineError:
                # Its own runs will say what is missing.
                continue
        return complete

    def datasource(self, dataset_id: str, purpose: DatasourcePurpose) -> "Datasource":
        """Returns a dataset's datasource for a purpose.

        Raises:
            ApiException: There is no dataset with this id.
            InvalidConfigurationError: The datasource is missing or wrong.
        """
        data = self.datasets.datasource(dataset_id, purpose)
        secrets = load_credentials(self.home, data.id)
        options = {k: v for k, v in data.options.items() if k != THUMBNAIL_SUFFIX_OPTION}
        return datasource_from_url(data.full_path, options={**options, **secrets})

    def _thumbnail_suffix(self, dataset_id: str) -> str | None:
        lightly = self.datasets.datasource(dataset_id, DatasourcePurpose.LIGHTLY)
        return lightly.options.get(THUMBNAIL_SUFFIX_OPTION)
