"""The client's methods that list what is in the datasources, with URLs to read it.

Runs need none of them: they list and read themselves. Times of change are not kept here, so that
nothing can be listed by them.
"""

from collections.abc import Iterator

from lightly_pipeline.api.client_base import ClientBase
from lightly_pipeline.api.client_results import URL_VALID_S
from lightly_pipeline.datasources import Datasource, list_images, list_videos
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.inputs.metadata import METADATA_FOLDER
from lightly_pipeline.inputs.predictions import task_folder
from lightly_pipeline.scheduling.models import DatasourcePurpose

_PREDICTIONS = ".lightly/predictions/"
_EMBEDDINGS = ".lightly/embeddings/"
Listed = tuple[str, str]
"""A path, and a URL to read it."""


class ListingMethods(ClientBase):
    """What is in the current dataset's datasources.

    `use_redirected_read_url`, `divide_and_conquer_shards`, `run_id` and `progress_bar` are not
    used: URLs are signed here, without asking a server. `from_`, `to` and lists of relevant
    filenames are refused.
    """

    def download_raw_samples(
        self,
        from_: int = 0,
        to: int | None = None,
        relevant_filenames_file_name: str | None = None,
        divide_and_conquer_shards: int | None = None,  # noqa: ARG002
        use_redirected_read_url: bool = False,  # noqa: ARG002
        progress_bar: object = None,  # noqa: ARG002
    ) -> list[Listed]:
        """Returns the videos, or images, of the INPUT datasource, each with a read URL.

        Raises:
            InvalidConfigurationError: A part of them was asked for; as from the methods below.
        """
        _refuse_parts(from_, to, relevant_filenames_file_name)
        store = self._deployment.datasource(self.dataset_id, DatasourcePurpose.INPUT)
        listed = (list_images if self._is_of_images(self.dataset_id) else list_videos)(store)
        return [_with_url(store, file.path, file.path) for file in listed]

    def download_raw_predictions(
        self,
        task_name: str,
        from_: int = 0,
        to: int | None = None,
        relevant_filenames_file_name: str | None = None,
        run_id: str | None = None,
        relevant_filenames_artifact_id: str | None = None,
        divide_and_conquer_shards: int | None = None,
        use_redirected_read_url: bool = False,
        progress_bar: object = None,
    ) -> list[Listed]:
        """Returns the prediction files of a task, relative to its folder, each with a read URL."""
        return list(
            self.download_raw_predictions_iter(
                task_name,
                from_,
                to,
                relevant_filenames_file_name,
                run_id,
                relevant_filenames_artifact_id,
                divide_and_conquer_shards,
                use_redirected_read_url,
                progress_bar,
            )
        )

    def download_raw_predictions_iter(
        self,
        task_name: str,
        from_: int = 0,
        to: int | None = None,
        relevant_filenames_file_name: str | None = None,
        run_id: str | None = None,  # noqa: ARG002
        relevant_filenames_artifact_id: str | None = None,
        divide_and_conquer_shards: int | None = None,  # noqa: ARG002
        use_redirected_read_url: bool = False,  # noqa: ARG002
        progress_bar: object = None,  # noqa: ARG002
    ) -> Iterator[Listed]:
        """Returns an iterator over what `download_raw_predictions` gives."""
        _refuse_parts(from_, to, relevant_filenames_file_name, relevant_filenames_artifact_id)
        return self._json_files(task_folder(task_name))

    def download_raw_metadata(
        self,
        from_: int = 0,
        to: int | None = None,
        run_id: str | None = None,
        relevant_filenames_artifact_id: str | None = None,
        relevant_filenames_file_name: str | None = None,
        divide_and_conquer_shards: int | None = None,
        use_redirected_read_url: bool = False,
        progress_bar: object = None,
    ) -> list[Listed]:
        """Returns the metadata files, relative to their folder, each with a read URL."""
        return list(
            self.download_raw_metadata_iter(
                from_,
                to,
                run_id,
                relevant_filenames_artifact_id,
                relevant_filenames_file_name,
                divide_and_conquer_shards,
                use_redirected_read_url,
                progress_bar,
            )
        )

    def download_raw_metadata_iter(
        self,
        from_: int = 0,
        to: int | None = None,
        run_id: str | None = None,  # noqa: ARG002
        relevant_filenames_artifact_id: str | None = None,
        relevant_filenames_file_name: str | None = None,
        divide_and_conquer_shards: int | None = None,  # noqa: ARG002
        use_redirected_read_url: bool = False,  # noqa: ARG002
        progress_bar: object = None,  # noqa: ARG002
    ) -> Iterator[Listed]:
        """Returns an iterator over what `download_raw_metadata` gives."""
        _refuse_parts(from_, to, relevant_filenames_file_name, relevant_filenames_artifact_id)
        return self._json_files(METADATA_FOLDER)

    def get_prediction_read_url(self, filename: str) -> str:
        """Returns a URL to read `.lightly/predictions/<filename>`, whether it is there or not."""
        return self._lightly_url(_PREDICTIONS + filename)

    def get_metadata_read_url(self, filename: str) -> str:
        """Returns a URL to read `.lightly/metadata/<filename>`, whether it is there or not."""
        return self._lightly_url(METADATA_FOLDER + filename)

    def get_custom_embedding_read_url(self, filename: str) -> str:
        """Returns a URL to read `.lightly/embeddings/<filename>`, whether it is there or not."""
        return self._lightly_url(_EMBEDDINGS + filename)

    def _lightly_url(self, path: str) -> str:
        return self._lightly(self.dataset_id).read_url(path, valid_s=URL_VALID_S)

    def _json_files(self, folder: str) -> Iterator[Listed]:
        store = self._lightly(self.dataset_id)
        for item in store.list(folder):
            name = item.path.removeprefix(folder)
            if name.endswith(".json") and name != "schema.json":
                yield _with_url(store, name, item.path)


def _with_url(store: Datasource, name: str, path: str) -> Listed:
    return name, store.read_url(path, valid_s=URL_VALID_S)


def _refuse_parts(
    from_: int, to: int | None, file_name: str | None, artifact_id: str | None = None
) -> None:
    if from_ or to is not None:
        raise InvalidConfigurationError(
            "files cannot be listed by time here: leave from_ and to out"
        )
    if file_name or artifact_id:
        raise InvalidConfigurationError(
            "files cannot be listed by relevant filenames here: leave them out and take those of "
            "the result that you need"
        )
