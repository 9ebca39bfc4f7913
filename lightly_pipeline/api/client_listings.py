"""The client's methods that list what is in the datasources, with URLs to read it.

Runs need none of them: they list and read themselves. Times are those of the last change, as the
store lists them; names of files about frames are compared with videos in `_AboutVideos`.
"""

import re
import time
import warnings
from collections.abc import Iterable, Iterator

from lightly_pipeline.api.client_base import ClientBase
from lightly_pipeline.api.client_embeddings import EMBEDDINGS_FOLDER
from lightly_pipeline.api.client_results import URL_VALID_S
from lightly_pipeline.datasources import Datasource, StoredObject, list_images, list_videos
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.inputs.metadata import METADATA_FOLDER
from lightly_pipeline.inputs.predictions import task_folder
from lightly_pipeline.runs.name_lists import read_relevant_filenames
from lightly_pipeline.scheduling.errors import ArtifactNotExist
from lightly_pipeline.scheduling.models import DatasourcePurpose
from lightly_pipeline.tables.catalog import Catalog

_PREDICTIONS = ".lightly/predictions/"
_ABOUT_A_FRAME = re.compile(r"(.+)-\d+-([^/.-]+)")
Listed = tuple[str, str]
"""A path, and a URL to read it."""


class ListingMethods(ClientBase):
    """What is in the current dataset's datasources.

    `use_redirected_read_url`, `divide_and_conquer_shards` and `progress_bar` are not used: URLs are
    signed here, without asking a server. `from_` and `to` are Unix times in seconds, both included,
    that are compared with the last change of a file. `relevant_filenames_file_name` is a path in
    the LIGHTLY datasource; `run_id` with `relevant_filenames_artifact_id` means the videos that
    took part in a run.
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

        What of a file of relevant filenames cannot be used is told in warnings.

        Raises:
            LightlyPipelineError: That file is missing, or no text; as from the methods below.
        """
        store = self._deployment.datasource(self.dataset_id, DatasourcePurpose.INPUT)
        files: Iterable[StoredObject] = _between(self._listed(store), from_, to)
        if relevant_filenames_file_name is not None:
            files = self._relevant(relevant_filenames_file_name, files)
        return [_with_url(store, file.path, file.path) for file in files]

    def download_new_raw_samples(
        self,
        divide_and_conquer_shards: int | None = None,  # noqa: ARG002
        use_redirected_read_url: bool = False,  # noqa: ARG002
    ) -> list[Listed]:
        """Returns the videos, or images, that came since the last call, each with a read URL.

        Moves the time that `get_processed_until_timestamp` returns. Runs do not go by it: with
        `use_datapool` they know which they have seen.
        """
        until = self.get_processed_until_timestamp()
        now = int(time.time())
        samples = self.download_raw_samples(from_=until + 1 if until else 0, to=now)
        self.update_processed_until_timestamp(now)
        return samples

    def get_processed_until_timestamp(self) -> int:
        """Returns the time up to which `download_new_raw_samples` has listed, 0 before."""
        return self._deployment.datasets.processed_until(self.dataset_id)

    def update_processed_until_timestamp(self, timestamp: int) -> None:
        """Sets the time from which `download_new_raw_samples` lists next, Unix time in seconds."""
        self._deployment.datasets.set_processed_until(self.dataset_id, timestamp)

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
        run_id: str | None = None,
        relevant_filenames_artifact_id: str | None = None,
        divide_and_conquer_shards: int | None = None,  # noqa: ARG002
        use_redirected_read_url: bool = False,  # noqa: ARG002
        progress_bar: object = None,  # noqa: ARG002
    ) -> Iterator[Listed]:
        """Returns an iterator over what `download_raw_predictions` gives."""
        about = self._about(relevant_filenames_file_name, run_id, relevant_filenames_artifact_id)
        return self._json_files(task_folder(task_name), from_, to, about)

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
        run_id: str | None = None,
        relevant_filenames_artifact_id: str | None = None,
        relevant_filenames_file_name: str | None = None,
        divide_and_conquer_shards: int | None = None,  # noqa: ARG002
        use_redirected_read_url: bool = False,  # noqa: ARG002
        progress_bar: object = None,  # noqa: ARG002
    ) -> Iterator[Listed]:
        """Returns an iterator over what `download_raw_metadata` gives."""
        about = self._about(relevant_filenames_file_name, run_id, relevant_filenames_artifact_id)
        return self._json_files(METADATA_FOLDER, from_, to, about)

    def get_prediction_read_url(self, filename: str) -> str:
        """Returns a URL to read `.lightly/predictions/<filename>`, whether it is there or not."""
        return self._lightly_url(_PREDICTIONS + filename)

    def get_metadata_read_url(self, filename: str) -> str:
        """Returns a URL to read `.lightly/metadata/<filename>`, whether it is there or not."""
        return self._lightly_url(METADATA_FOLDER + filename)

    def get_custom_embedding_read_url(self, filename: str) -> str:
        """Returns a URL to read `.lightly/embeddings/<filename>`, whether it is there or not."""
        return self._lightly_url(EMBEDDINGS_FOLDER + filename)

    def _lightly_url(self, path: str) -> str:
        return self._lightly(self.dataset_id).read_url(path, valid_s=URL_VALID_S)

    def _json_files(
        self, folder: str, from_: int, to: int | None, about: "_AboutVideos | None"
    ) -> Iterator[Listed]:
        store = self._lightly(self.dataset_id)
        for item in _between(store.list(folder), from_, to):
            name = item.path.removeprefix(folder)
            is_meant = name.endswith(".json") and name != "schema.json"
            if is_meant and (about is None or about.has(name.removesuffix(".json"))):
                yield _with_url(store, name, item.path)

    def _about(
        self, file_name: str | None, run_id: str | None, artifact_id: str | None
    ) -> "_AboutVideos | None":
        """Returns which videos files have to be about; None for any.

        Raises:
            InvalidConfigurationError: A run or an artifact is given without the other.
            ArtifactNotExist: The run has no list of videos.
        """
        if (run_id is None) != (artifact_id is None):
            raise InvalidConfigurationError(
                "run_id and relevant_filenames_artifact_id belong together: give both or none"
            )
        if file_name is not None:
            store = self._deployment.datasource(self.dataset_id, DatasourcePurpose.INPUT)
            return _AboutVideos(f.path for f in self._relevant(file_name, self._listed(store)))
        if run_id is None:
            return None
        paths = read_relevant_filenames(self._lightly(self.dataset_id), run_id)
        if paths is None:
            raise ArtifactNotExist(f"run {run_id} has no list of the videos that took part in it")
        return _AboutVideos(paths)

    def _listed(self, store: Datasource) -> Iterable[StoredObject]:
        return (list_images if self._is_of_images(self.dataset_id) else list_videos)(store)

    def _relevant(self, file_name: str, videos: Iterable[StoredObject]) -> list[StoredObject]:
        from lightly_pipeline.inputs.relevant import read_relevant

        listed = Catalog(tuple(videos))
        relevant = read_relevant(self._lightly(self.dataset_id), file_name).among(listed)
        for warning in relevant.warnings:
            warnings.warn(f"{file_name}: {warning}", stacklevel=3)
        return list(relevant.videos)


class _AboutVideos:
    """Tells whether files are about some videos, or their frames, by the names of the files."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        self._stems = frozenset(path.rpartition(".")[0] for path in self._paths)

    def has(self, name: str) -> bool:
        """Returns whether a file is; its name is given without ending."""
        frame = _ABOUT_A_FRAME.fullmatch(name)
        return name in self._stems or (
            frame is not None and f"{frame[1]}.{frame[2]}" in self._paths
        )


def _between(items: Iterable[StoredObject], from_: int, to: int | None) -> Iterator[StoredObject]:
    for item in items:
        changed = int(item.modified_s or 0)
        if from_ <= changed and (to is None or changed <= to):
            yield item


def _with_url(store: Datasource, name: str, path: str) -> Listed:
    return name, store.read_url(path, valid_s=URL_VALID_S)
