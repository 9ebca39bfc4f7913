"""The client's methods about datasets."""

from collections.abc import Iterator

from lightly_pipeline.api.client_base import ClientBase
from lightly_pipeline.config import DatasetType
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.scheduling.errors import ApiException
from lightly_pipeline.scheduling.models import DatasetData


class DatasetMethods(ClientBase):
    """Datasets: create, find, choose, delete.

    Everyone who uses a deployment sees all its datasets, so `shared` selects all of them (False
    or None) or none (True).
    """

    @property
    def dataset_type(self) -> str:
        """Type of the current dataset."""
        return self.get_dataset_by_id(self.dataset_id).type

    def create_dataset(self, dataset_name: str, dataset_type: str = DatasetType.IMAGES) -> None:
        """Creates a dataset and makes it the current one.

        Args:
            dataset_name: At least three letters, digits, spaces, _ and -.
            dataset_type: DatasetType.IMAGES or VIDEOS; CROPS is refused here.

        Raises:
            InvalidConfigurationError: The name exists, or the type is not supported.
        """
        _check_type(dataset_name, dataset_type)
        self._dataset_id = self._deployment.datasets.create(dataset_name, dataset_type)

    def create_new_dataset_with_unique_name(
        self, dataset_basename: str, dataset_type: str = DatasetType.IMAGES
    ) -> None:
        """Creates a dataset; if the name exists, "_1", "_2", ... is put behind it.

        Raises:
            InvalidConfigurationError: The type is not supported.
        """
        _check_type(dataset_basename, dataset_type)
        name, number = dataset_basename, 0
        while self.dataset_name_exists(name):
            number += 1
            name = f"{dataset_basename}_{number}"
        try:
            self._dataset_id = self._deployment.datasets.create(name, dataset_type)
        except InvalidConfigurationError:
            if not self.dataset_name_exists(name):
                raise
            # Another client was faster.
            self.create_new_dataset_with_unique_name(dataset_basename, dataset_type)

    def dataset_exists(self, dataset_id: str) -> bool:
        """Returns whether there is a dataset with this id."""
        try:
            self.get_dataset_by_id(dataset_id)
        except ApiException:
            return False
        return True

    def dataset_name_exists(self, dataset_name: str, shared: bool | None = False) -> bool:
        """Returns whether there is a dataset with this name."""
        return bool(self.get_datasets_by_name(dataset_name, shared))

    def get_dataset_by_id(self, dataset_id: str) -> DatasetData:
        """Returns a dataset.

        Raises:
            ApiException: There is none with this id.
        """
        return self._deployment.datasets.get(dataset_id)

    def get_datasets_by_name(
        self, dataset_name: str, shared: bool | None = False
    ) -> list[DatasetData]:
        """Returns the dataset with this name, in a list that may be empty."""
        return [dataset for dataset in self.get_datasets(shared) if dataset.name == dataset_name]

    def get_datasets_iter(self, shared: bool | None = False) -> Iterator[DatasetData]:
        """Yields the datasets, oldest first."""
        if not shared:
            yield from self._deployment.datasets.all()

    def get_datasets(self, shared: bool | None = False) -> list[DatasetData]:
        """Returns the datasets, oldest first."""
        return list(self.get_datasets_iter(shared))

    def get_all_datasets(self) -> list[DatasetData]:
        """Returns the datasets, oldest first."""
        return self.get_datasets(shared=None)

    def set_dataset_id_by_name(self, dataset_name: str, shared: bool | None = False) -> None:
        """Makes the dataset with this name the current one.

        Raises:
            InvalidConfigurationError: There is none; also a ValueError, as in the original.
        """
        found = self.get_datasets_by_name(dataset_name, shared)
        if not found:
            known = ", ".join(repr(dataset.name) for dataset in self.get_datasets(shared)) or "none"
            raise InvalidConfigurationError(
                f"a dataset with the name {dataset_name!r} does not exist; there are: {known}"
            )
        self._dataset_id = found[0].id

    def delete_dataset_by_id(self, dataset_id: str) -> None:
        """Removes a dataset, its credentials and its waiting runs.

        What runs have written stays in the LIGHTLY datasource; a run in progress ends as usual.

        Raises:
            ApiException: There is none with this id.
        """
        self._deployment.datasets.delete(dataset_id)
        if self._dataset_id == dataset_id:
            self._dataset_id = None


def _check_type(name: str, dataset_type: str) -> None:
    if dataset_type not in (DatasetType.IMAGES, DatasetType.VIDEOS):
        raise InvalidConfigurationError(
            f"dataset {name!r}: type {str(dataset_type)!r} is not supported; this package selects "
            "images, and frames of videos: pass DatasetType.IMAGES or DatasetType.VIDEOS"
        )
