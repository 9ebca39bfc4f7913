"""The client's methods that hand chosen frames over: to labelling tools, as files, as embeddings.

What tags are is `client_results.py`'s; exports of whole runs are `lightly_pipeline.export_run`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lightly_pipeline.api.client_results import ResultMethods
from lightly_pipeline.api.models import DatasetEmbeddingData
from lightly_pipeline.datasources import LocalDatasource, concurrently
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.hints import did_you_mean
from lightly_pipeline.runs.tags import INITIAL_TAG, Tag, list_tags


class ExportMethods(ResultMethods):
    """Chosen frames for other tools. Read URLs are those of `export_filenames_and_read_urls`."""

    def export_label_studio_tasks_by_tag_id(self, tag_id: str) -> list[dict[str, Any]]:
        """Returns a Label Studio task for each of a tag's frames, by read URL."""
        return self._label_studio_tasks(self._tag_of_id(tag_id))

    def export_label_studio_tasks_by_tag_name(self, tag_name: str) -> list[dict[str, Any]]:
        """Returns what `export_label_studio_tasks_by_tag_id` does, for a tag by name."""
        return self._label_studio_tasks(self._tag_of_name(tag_name))

    def export_label_box_data_rows_by_tag_id(self, tag_id: str) -> list[dict[str, str]]:
        """Returns a Labelbox data row (v3) for each of a tag's frames, by read URL."""
        return self._label_box_rows(self._tag_of_id(tag_id))

    def export_label_box_data_rows_by_tag_name(self, tag_name: str) -> list[dict[str, str]]:
        """Returns what `export_label_box_data_rows_by_tag_id` does, for a tag by name."""
        return self._label_box_rows(self._tag_of_name(tag_name))

    def export_label_box_v4_data_rows_by_tag_id(self, tag_id: str) -> list[dict[str, str]]:
        """Returns a Labelbox data row (v4) for each of a tag's frames, by read URL."""
        return self._label_box_v4_rows(self._tag_of_id(tag_id))

    def export_label_box_v4_data_rows_by_tag_name(self, tag_name: str) -> list[dict[str, str]]:
        """Returns what `export_label_box_v4_data_rows_by_tag_id` does, for a tag by name."""
        return self._label_box_v4_rows(self._tag_of_name(tag_name))

    def get_filenames(self) -> list[str]:
        """Returns the names of all frames that runs of the current dataset chose, oldest first."""
        tags = reversed(list_tags(self._lightly(self.dataset_id)))
        return list(dict.fromkeys(name for tag in tags for name in tag.filenames))

    def download_dataset(
        self,
        output_dir: str,
        tag_name: str = INITIAL_TAG,
        max_workers: int = 8,
        verbose: bool = True,
    ) -> None:
        """Saves the images of a tag in a folder, under their names.

        Args:
            output_dir: The folder; it is made.
            tag_name: The tag.
            max_workers: How many are read at once.
            verbose: Shows how far it is.

        Raises:
            TagDoesNotExistError: There is no such tag.
        """
        from rich.progress import track

        tag = self._tag_of_name(tag_name)
        store, folder = self._images_in(self.dataset_id), LocalDatasource(output_dir)
        images = [frame.image for frame in tag.frames]
        contents = concurrently(store.read, images, at_once=max(1, max_workers))
        shown = track(contents, "Copying images", len(images), disable=not verbose)
        for name, content in zip(tag.filenames, shown, strict=True):
            folder.write(name, content)

    def get_all_embedding_data(self) -> list[DatasetEmbeddingData]:
        """Returns the embeddings that runs of the current dataset used, newest first."""
        return list(self._embeddings().values())

    def get_embedding_data_by_name(self, name: str) -> DatasetEmbeddingData:
        """Returns the embeddings of a name.

        Raises:
            InvalidConfigurationError: There are none of this name.
        """
        found = self._embeddings()
        if name not in found:
            hint = did_you_mean(name, found) if found else "no run has completed"
            raise InvalidConfigurationError(f"there are no embeddings named {name!r}; {hint}")
        return found[name]

    def get_embedding_by_name(self, name: str, ignore_suffix: bool = True) -> DatasetEmbeddingData:
        """Returns the embeddings of a name.

        Args:
            name: The name.
            ignore_suffix: Whether the beginning of the name is enough; the newest is taken.

        Raises:
            InvalidConfigurationError: There are none of this name.
        """
        found = self._embeddings()
        begun = [entry for key, entry in found.items() if ignore_suffix and key.startswith(name)]
        return begun[0] if begun else self.get_embedding_data_by_name(name)

    def download_embeddings_csv(self, output_path: str) -> None:
        """Saves the embeddings of all frames that the newest run chose from, as CSV.

        Raises:
            InvalidConfigurationError: No run has completed.
        """
        if not self._embeddings():
            raise InvalidConfigurationError("there are no embeddings: no run has completed")
        self._download_embeddings(next(iter(self._embeddings())), output_path)

    def download_embeddings_csv_by_id(self, embedding_id: str, output_path: str) -> None:
        """Saves the embeddings of all frames that the newest run with them chose from, as CSV.

        Raises:
            InvalidConfigurationError: There are no embeddings with this id.
        """
        self._download_embeddings(self.get_embedding_data_by_name(embedding_id).id, output_path)

    def _embeddings(self) -> dict[str, DatasetEmbeddingData]:
        """Returns the embeddings by name, newest first."""
        found: dict[str, DatasetEmbeddingData] = {}
        for tag in list_tags(self._lightly(self.dataset_id)):
            name = tag.chosen.embedding_id
            found.setdefault(name, DatasetEmbeddingData(name, name, True, self._created_ms(tag)))
        return found

    def _download_embeddings(self, embedding_id: str, output_path: str) -> None:
        from lightly_pipeline.handover.embeddings import write_embeddings_csv

        store = self._lightly(self.dataset_id)
        run_id = next(t.run_id for t in list_tags(store) if t.chosen.embedding_id == embedding_id)
        path = Path(output_path)
        write_embeddings_csv(store, run_id, LocalDatasource(path.parent), path=path.name)

    def _label_studio_tasks(self, tag: Tag) -> list[dict[str, Any]]:
        return [
            {
                "id": number,
                "data": {"image": url, "lightlyFileName": name, "lightlyMetaInfo": source},
            }
            for number, (name, url, source) in enumerate(self._frames_of(tag))
        ]

    def _label_box_rows(self, tag: Tag) -> list[dict[str, str]]:
        return [{"externalId": name, "imageUrl": url} for name, url, _ in self._frames_of(tag)]

    def _label_box_v4_rows(self, tag: Tag) -> list[dict[str, str]]:
        return [
            {"row_data": url, "global_key": name, "media_type": "IMAGE"}
            for name, url, _ in self._frames_of(tag)
        ]

    def _frames_of(self, tag: Tag) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yields the name, the read URL and the source of each frame."""
        for entry, frame in zip(self._urls(tag), tag.frames, strict=True):
            source = {"sourceVideo": frame.video, "sourceVideoFrameIndex": frame.frame_index}
            of_video = {} if frame.is_image else {"videoFrameData": source}
            yield entry["fileName"], entry["readUrl"], of_video
