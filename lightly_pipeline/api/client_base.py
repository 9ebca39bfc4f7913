"""What all parts of the client share: the deployment it speaks to and the dataset it is about."""

import warnings

from lightly_pipeline.config import DatasetType
from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.scheduling.deployment import Deployment
from lightly_pipeline.scheduling.models import DatasetData, DatasourcePurpose


class ClientBase:
    """The deployment and the current dataset."""

    _deployment: Deployment
    _dataset_id: str | None

    @property
    def dataset_id(self) -> str:
        """Id of the current dataset: the one set or created last, else the last changed one.

        Raises:
            InvalidConfigurationError: When set, that there is no such dataset; when read, that
                there is none at all.
        """
        if self._dataset_id is None:
            latest = self._last_changed()
            warnings.warn(
                f"no dataset was specified; taking the last changed one, {latest.name!r}",
                stacklevel=2,
            )
            self._dataset_id = latest.id
        return self._dataset_id

    @dataset_id.setter
    def dataset_id(self, dataset_id: str) -> None:
        if all(dataset.id != dataset_id for dataset in self._deployment.datasets.all()):
            raise InvalidConfigurationError(f"there is no dataset with the id {dataset_id}")
        self._dataset_id = dataset_id

    def _last_changed(self) -> DatasetData:
        datasets = self._deployment.datasets.all()
        if not datasets:
            raise InvalidConfigurationError("there is no dataset yet: call create_dataset() first")
        return max(datasets, key=lambda dataset: dataset.last_modified_at)

    def _lightly(self, dataset_id: str) -> Datasource:
        return self._deployment.datasource(dataset_id, DatasourcePurpose.LIGHTLY)

    def _images_in(self, dataset_id: str) -> Datasource:
        """Returns where the images of a dataset's choices are; chosen images stay in INPUT."""
        is_input = self._is_of_images(dataset_id)
        purpose = DatasourcePurpose.INPUT if is_input else DatasourcePurpose.LIGHTLY
        return self._deployment.datasource(dataset_id, purpose)

    def _is_of_images(self, dataset_id: str) -> bool:
        return self._deployment.datasets.get(dataset_id).type == DatasetType.IMAGES
