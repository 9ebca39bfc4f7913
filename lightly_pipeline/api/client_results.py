"""The client's methods about what runs have left: artifacts, tags, exports."""

from datetime import datetime
from pathlib import Path

from lightly_pipeline.api.artifacts import artifact_of_type, artifacts_of, save
from lightly_pipeline.api.client_base import ClientBase
from lightly_pipeline.api.models import DockerRunData, TagData
from lightly_pipeline.errors import TagNotFoundError
from lightly_pipeline.runs.own_tags import all_tags, create_tag, delete_tag
from lightly_pipeline.runs.tags import INITIAL_TAG, Tag, read_tag
from lightly_pipeline.scheduling.errors import TagDoesNotExistError
from lightly_pipeline.scheduling.names import tag_id

URL_VALID_S = 7 * 24 * 3600
"""How long read URLs are valid: S3's maximum. Those signed with a role end with its session."""


class ResultMethods(ClientBase):
    """Results, read from the LIGHTLY datasource. `timeout` is the datasource's own business."""

    def download_compute_worker_run_artifacts(
        self,
        run: DockerRunData,
        output_dir: str,
        timeout: int = 60,  # noqa: ARG002
    ) -> None:
        """Saves all files that a run left in a folder."""
        store = self._lightly(run.dataset_id)
        for artifact in artifacts_of(store, run.id):
            save(store, artifact, Path(output_dir) / artifact.file_name)

    def download_compute_worker_run_log(
        self,
        run: DockerRunData,
        output_path: str,
        timeout: int = 60,  # noqa: ARG002
    ) -> None:
        """Saves a run's log.

        Raises:
            ArtifactNotExist: The run has none yet; as from the methods that follow.
        """
        self._download(run, "LOG", output_path)

    def download_compute_worker_run_memory_log(
        self,
        run: DockerRunData,
        output_path: str,
        timeout: int = 60,  # noqa: ARG002
    ) -> None:
        """Saves a run's memory log."""
        self._download(run, "MEMLOG", output_path)

    def download_compute_worker_run_checkpoint(
        self,
        run: DockerRunData,
        output_path: str,
        timeout: int = 60,  # noqa: ARG002
    ) -> None:
        """Saves the model that a run trained, or used where it was trained by another one.

        Raises:
            ArtifactNotExist: The run embedded without such a model.
        """
        self._download(run, "CHECKPOINT", output_path)

    def get_compute_worker_run_checkpoint_url(self, run: DockerRunData) -> str:
        """Returns where the model can be read that `download_compute_worker_run_checkpoint` saves.

        Signed on S3 and valid for 7 days at most, a `file:` URL for folders.

        Raises:
            ArtifactNotExist: The run embedded without such a model.
        """
        store = self._lightly(run.dataset_id)
        model = artifact_of_type(store, run.id, "CHECKPOINT")
        return store.read_url(model.id, valid_s=URL_VALID_S)

    def download_compute_worker_run_report_pdf(
        self,
        run: DockerRunData,
        output_path: str,
        timeout: int = 60,  # noqa: ARG002
    ) -> None:
        """Saves a run's report as PDF."""
        self._download(run, "REPORT_PDF", output_path)

    def download_compute_worker_run_report_json(
        self,
        run: DockerRunData,
        output_path: str,
        timeout: int = 60,  # noqa: ARG002
    ) -> None:
        """Saves a run's report in the original's first JSON form."""
        self._download(run, "REPORT_JSON", output_path)

    def download_compute_worker_run_report_v2_json(
        self,
        run: DockerRunData,
        output_path: str,
        timeout: int = 60,  # noqa: ARG002
    ) -> None:
        """Saves a run's report as JSON."""
        self._download(run, "REPORT_V2_JSON", output_path)

    def download_compute_worker_run_corruptness_check_information(
        self,
        run: DockerRunData,
        output_path: str,
        timeout: int = 60,  # noqa: ARG002
    ) -> None:
        """Saves which videos and frames could not be decoded, and why."""
        self._download(run, "CORRUPTNESS_CHECK_INFORMATION", output_path)

    def download_compute_worker_run_sequence_information(
        self,
        run: DockerRunData,
        output_path: str,
        timeout: int = 60,  # noqa: ARG002
    ) -> None:
        """Saves which sequences of frames a run chose."""
        self._download(run, "SEQUENCE_INFORMATION", output_path)

    def get_all_tags(self) -> list[TagData]:
        """Returns the current dataset's tags, newest first."""
        tags = all_tags(self._lightly(self.dataset_id))
        return [self._tag_data(tag) for tag in tags]

    def get_tag_by_id(self, tag_id: str) -> TagData:
        """Returns a tag.

        Raises:
            TagDoesNotExistError: There is none with this id.
        """
        return self._tag_data(self._tag_of_id(tag_id))

    def get_tag_by_name(self, tag_name: str) -> TagData:
        """Returns a tag.

        Raises:
            TagDoesNotExistError: There is none with this name.
        """
        return self._tag_data(self._tag_of_name(tag_name))

    def get_compute_worker_run_tags(self, run_id: str) -> list[TagData]:
        """Returns the current dataset's tags that a run made."""
        return [tag for tag in self.get_all_tags() if tag.run_id == run_id]

    def create_tag_from_filenames(
        self, fnames_new_tag: list[str], new_tag_name: str, parent_tag_id: str | None = None
    ) -> TagData:
        """Makes a tag of some of the frames that runs chose; SIMILARITY and exports take it, too.

        Args:
            fnames_new_tag: Names of the frames, as `get_filenames` gives them.
            new_tag_name: Its name.
            parent_tag_id: Tag that is named as the one before it; `initial-tag` by default.

        Raises:
            InvalidConfigurationError: A RuntimeError, as there: the name is taken or none, no run
                has completed, or some names are of no chosen frame.
            TagDoesNotExistError: There is no such parent.
        """
        parent = INITIAL_TAG if parent_tag_id is None else self._tag_of_id(parent_tag_id).name
        store = self._lightly(self.dataset_id)
        return self._tag_data(create_tag(store, new_tag_name, fnames_new_tag, parent=parent))

    def delete_tag_by_id(self, tag_id: str) -> None:
        """Removes a tag of file names.

        Raises:
            TagDoesNotExistError: There is none with this id.
            InvalidConfigurationError: A run made it: such tags are kept.
        """
        delete_tag(self._lightly(self.dataset_id), self._tag_of_id(tag_id))

    def delete_tag_by_name(self, tag_name: str) -> None:
        """Removes a tag of file names; raises what `delete_tag_by_id` does."""
        delete_tag(self._lightly(self.dataset_id), self._tag_of_name(tag_name))

    def get_filenames_in_tag(
        self,
        tag_data: TagData,
        filenames_on_server: list[str] | None = None,  # noqa: ARG002
        exclude_parent_tag: bool = False,
    ) -> list[str]:
        """Returns the names of a tag's frames.

        Args:
            tag_data: The tag.
            filenames_on_server: Not used.
            exclude_parent_tag: Leaves out the frames of the tag before it.
        """
        tag = self._tag_of_id(tag_data.id)
        names = list(tag.filenames)
        if exclude_parent_tag and tag.parent:
            before = set(self._tag_of_name(tag.parent).filenames)
            return [name for name in names if name not in before]
        return names

    def export_filenames_by_tag_id(self, tag_id: str) -> str:
        """Returns the names of a tag's frames, one a line."""
        return "\n".join(self._tag_of_id(tag_id).filenames)

    def export_filenames_by_tag_name(self, tag_name: str) -> str:
        """Returns the names of a tag's frames, one a line."""
        return "\n".join(self._tag_of_name(tag_name).filenames)

    def export_filenames_and_read_urls_by_tag_id(self, tag_id: str) -> list[dict[str, str]]:
        """Returns `fileName`, `readUrl` and `datasourceUrl` of a tag's frames.

        Read URLs are signed on S3 and valid for 7 days at most, `file:` URLs for folders.
        """
        return self._urls(self._tag_of_id(tag_id))

    def export_filenames_and_read_urls_by_tag_name(self, tag_name: str) -> list[dict[str, str]]:
        """Returns what `export_filenames_and_read_urls_by_tag_id` does, for a tag by name."""
        return self._urls(self._tag_of_name(tag_name))

    def _download(self, run: DockerRunData, kind: str, path: str) -> None:
        store = self._lightly(run.dataset_id)
        save(store, artifact_of_type(store, run.id, kind), Path(path))

    def _tag_of_id(self, wanted: str) -> Tag:
        for tag in all_tags(self._lightly(self.dataset_id)):
            if tag_id(self.dataset_id, tag.name) == wanted:
                return tag
        raise TagDoesNotExistError(f"the dataset has no tag with the id {wanted}")

    def _tag_of_name(self, name: str) -> Tag:
        try:
            return read_tag(self._lightly(self.dataset_id), name)
        except TagNotFoundError as error:
            raise TagDoesNotExistError(str(error)) from None

    def _tag_data(self, tag: Tag) -> TagData:
        created_ms = self._created_ms(tag)
        return TagData(
            id=tag_id(self.dataset_id, tag.name),
            dataset_id=self.dataset_id,
            prev_tag_id=tag_id(self.dataset_id, tag.parent) if tag.parent else None,
            name=tag.name,
            tot_size=len(tag.frames),
            created_at=created_ms,
            run_id=tag.run_id if tag.is_of_run else None,
            last_modified_at=created_ms,
        )

    @staticmethod
    def _created_ms(tag: Tag) -> int:
        return int(datetime.fromisoformat(tag.created).timestamp() * 1000)

    def _urls(self, tag: Tag) -> list[dict[str, str]]:
        store = self._images_in(self.dataset_id)
        return [
            {
                "fileName": name,
                "readUrl": store.read_url(frame.image, valid_s=URL_VALID_S),
                "datasourceUrl": store.location(frame.image),
            }
            for name, frame in zip(tag.filenames, tag.frames, strict=True)
        ]
