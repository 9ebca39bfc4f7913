"""The client's methods that bring what a script knows of frames into the LIGHTLY datasource.

Runs read it there, like files that were put there by hand. How it is written is
`inputs.writing`'s, what the models are `uploads.py`'s.
"""

import hashlib
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from lightly_pipeline.api.client_base import ClientBase
from lightly_pipeline.api.models import CreateEntityResponse
from lightly_pipeline.api.uploads import (
    ConfigurationEntry,
    PredictionSingleton,
    PredictionTaskSchema,
    read_model,
    task_type_of,
)
from lightly_pipeline.errors import InvalidConfigurationError

_IMAGES, _METADATA = "images", "metadata"


class InvalidCustomMetadataWarning(Warning):
    """An entry of custom metadata was left out."""


class UploadMethods(ClientBase):
    """Metadata and predictions of the current dataset.

    There are no ids of samples here: a frame is known by the name of its image. Versions of
    predictions are not told apart: what is written last counts.
    """

    def verify_custom_metadata_format(self, custom_metadata: Mapping[str, Any]) -> None:
        """Checks that custom metadata has the keys "images" and "metadata".

        Raises:
            KeyError: One is missing.
        """
        for key in (_IMAGES, _METADATA):
            if key not in custom_metadata:
                raise KeyError(
                    f"Key {key} not found in custom metadata.\nFound keys: {list(custom_metadata)}"
                )

    def index_custom_metadata_by_filename(
        self, custom_metadata: Mapping[str, Any]
    ) -> dict[str, dict[str, Any] | None]:
        """Returns the metadata by file name, None for files without any."""
        by_id = {entry["image_id"]: entry for entry in custom_metadata[_METADATA]}
        return {image["file_name"]: by_id.get(image["id"]) for image in custom_metadata[_IMAGES]}

    def upload_custom_metadata(
        self, custom_metadata: Mapping[str, Any], verbose: bool = False, max_workers: int = 8
    ) -> None:
        """Writes metadata of videos, frames or images into `.lightly/metadata/`, a file for each.

        A run reads the keys that `create_custom_metadata_config` has declared.

        Args:
            custom_metadata: Under "images" dictionaries with id and file_name (a video's path, or
                the name of a frame's image), under "metadata" ones with image_id and any values.
            verbose: Shows how far it is.
            max_workers: How many files are written at once.

        Raises:
            KeyError: "images" or "metadata" is missing.
            DatasourceError: The store failed.
        """
        from rich.progress import track

        from lightly_pipeline.datasources import concurrently
        from lightly_pipeline.inputs.writing import write_metadata

        self.verify_custom_metadata_format(custom_metadata)
        names = {image["id"]: image["file_name"] for image in custom_metadata[_IMAGES]}
        store = self._lightly(self.dataset_id)

        def write(entry: Mapping[str, Any]) -> str | None:
            name = names.get(entry["image_id"])
            if name is None:
                return f"no image has the id {entry['image_id']}"
            try:
                write_metadata(store, name, entry)
            except InvalidConfigurationError as error:
                return str(error)
            return None

        entries = custom_metadata[_METADATA]
        problems = concurrently(write, entries, at_once=max(1, max_workers))
        for problem in track(problems, "Writing metadata", len(entries), disable=not verbose):
            if problem is not None:
                warnings.warn(
                    f"custom metadata was left out: {problem}",
                    InvalidCustomMetadataWarning,
                    stacklevel=2,
                )

    def create_custom_metadata_config(
        self, name: str, configs: Sequence[ConfigurationEntry]
    ) -> CreateEntityResponse:
        """Declares keys of metadata in `.lightly/metadata/schema.json`.

        Keys that were declared before stay, those of the same path are replaced.

        Args:
            name: Not used: a dataset has one schema.
            configs: Entries, as models or dictionaries.

        Raises:
            InvalidConfigurationError: An entry is wrong.
            LightlyPipelineError: What is there is no schema.
        """
        from lightly_pipeline.inputs.writing import add_to_metadata_schema

        entries = [read_model(ConfigurationEntry, c, "configs") for c in configs]
        documents = [
            {
                "name": entry.name,
                "path": entry.path,
                "defaultValue": entry.default_value,
                "valueDataType": str(entry.value_data_type),
            }
            for entry in entries
        ]
        add_to_metadata_schema(self._lightly(self.dataset_id), documents)
        digest = hashlib.sha256(f"{self.dataset_id} metadata {name}".encode()).hexdigest()
        return CreateEntityResponse(digest[:24])

    def create_or_update_prediction_task_schema(
        self,
        schema: PredictionTaskSchema,
        prediction_version_id: int = -1,  # noqa: ARG002
    ) -> None:
        """Writes the schema of a task into `.lightly/predictions/`, and lists the task.

        Args:
            schema: Name, type and categories, as a model or a dictionary.
            prediction_version_id: Not used.

        Raises:
            InvalidConfigurationError: A value is wrong.
            LightlyPipelineError: The schema is.
        """
        from lightly_pipeline.inputs.writing import write_task

        wanted = read_model(PredictionTaskSchema, schema, "schema")
        document = {
            "task_type": task_type_of(wanted.type).name_in_files,
            "categories": [
                category.model_dump(exclude_none=True) for category in wanted.categories
            ],
        }
        write_task(self._lightly(self.dataset_id), wanted.name, document)

    def create_or_update_prediction(
        self,
        sample_id: str,
        prediction_singletons: Sequence[PredictionSingleton],
        prediction_version_id: int = -1,  # noqa: ARG002
    ) -> None:
        """Writes what tasks predict for a frame, in place of what they predicted before.

        Args:
            sample_id: Name of the frame's image, such as "video-012-mp4.png".
            prediction_singletons: Predictions of one or more tasks, as models or dictionaries;
                their tasks have a schema.
            prediction_version_id: Not used.

        Raises:
            InvalidConfigurationError: One is wrong; nothing was written of its task.
            LightlyPipelineError: A task has no schema.
        """
        from lightly_pipeline.inputs.prediction_files import read_task_schema
        from lightly_pipeline.inputs.writing import write_prediction

        of_task: dict[str, list[PredictionSingleton]] = defaultdict(list)
        for number, value in enumerate(prediction_singletons):
            where = f"prediction_singletons[{number}]"
            one = read_model(PredictionSingleton, value, where)
            of_task[one.task_name].append(one)
        store = self._lightly(self.dataset_id)
        for name, entries in of_task.items():
            task = read_task_schema(store, name)
            for one in entries:
                if task_type_of(one.type).name_in_files != task.task_type:
                    raise InvalidConfigurationError(
                        f"task {name} is {task.task_type}, but a prediction for {sample_id} is "
                        f"{one.type}"
                    )
            write_prediction(store, task, sample_id, [one.entry() for one in entries])
