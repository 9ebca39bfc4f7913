"""A deployment as one thing: its datasets, its queue, and its datasets ready to be run.

Turns what clients wrote down into `Dataset`s of the pipeline, with credentials read when needed.
"""

from typing import TYPE_CHECKING

from lightly_pipeline.config import DatasetType
from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources import datasource_from_url
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.scheduling.address import StateAddress, StateFolder, state_address
from lightly_pipeline.scheduling.credentials import CredentialFiles, Credentials
from lightly_pipeline.scheduling.errors import StateUnavailableError
from lightly_pipeline.scheduling.models import THUMBNAIL_SUFFIX_OPTION, DatasourcePurpose
from lightly_pipeline.scheduling.names import identifier_of

if TYPE_CHECKING:
    from lightly_pipeline.datasources import Datasource
    from lightly_pipeline.scheduling.database import Database


class Deployment:
    """The state of a deployment; it is made when there is none yet.

    Args:
        address: Where it is; by default what `state_address` says.

    Attributes:
        address: Where it is.
        datasets: What clients created.
        queue: What clients scheduled.
        workers: Who was registered, and who runs.

    Raises:
        LightlyPipelineError: It cannot be used.
        StateUnavailableError: It cannot be reached now.
    """

    def __init__(self, address: StateAddress | None = None) -> None:
        # A quarter of a second of imports, which a code location without clients does not pay.
        from lightly_pipeline.scheduling.database import Database
        from lightly_pipeline.scheduling.datasets import Datasets
        from lightly_pipeline.scheduling.queue import RunQueue
        from lightly_pipeline.scheduling.workers import Workers

        self.address = address or state_address()
        self._database = Database(self.address)
        self._credentials = _credentials(self.address, self._database)
        self.datasets = Datasets(self._database, self._credentials)
        self.queue = RunQueue(self._database)
        self.workers = Workers(self._database)

    @staticmethod
    def existing() -> "Deployment | None":
        """Returns the deployment of `state_address`, or None when no client was there yet."""
        address = state_address()
        if isinstance(address, StateFolder) and not address.file.exists():
            return None
        return Deployment(address)

    def now_ms(self) -> int:
        """Returns the Unix time in milliseconds, by the clock that all its users go by."""
        return self._database.now_ms()

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
            except StateUnavailableError:
                raise
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
        secrets = self._credentials.load(data.id)
        options = {k: v for k, v in data.options.items() if k != THUMBNAIL_SUFFIX_OPTION}
        return datasource_from_url(data.full_path, options={**options, **secrets})

    def _thumbnail_suffix(self, dataset_id: str) -> str | None:
        lightly = self.datasets.datasource(dataset_id, DatasourcePurpose.LIGHTLY)
        return lightly.options.get(THUMBNAIL_SUFFIX_OPTION)


def _credentials(address: StateAddress, database: "Database") -> Credentials:
    if isinstance(address, StateFolder):
        return CredentialFiles(address.path)
    from lightly_pipeline.scheduling.sealing import SealedCredentials

    return SealedCredentials(database)
