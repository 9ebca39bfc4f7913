"""A dataset: a name, its two datasources and its default configuration.

Declared in Python or in a YAML file. How datasources work is in `datasources`, what the
configuration blocks mean in `config`.
"""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Any

from lightly_pipeline.config import DatasetDeclaration, DatasetType, Place, read_yaml
from lightly_pipeline.datasources import Datasource, datasource_from_url
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.layout import check_thumbnail_suffix

DATASETS_VARIABLE = "LIGHTLY_PIPELINE_DATASETS"
"""Environment variable with the path of a YAML file that declares datasets."""

_ID_DIGITS = 24
_ID = re.compile(rf"[a-f0-9]{{{_ID_DIGITS}}}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_OWNER = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|team:\S+")


@dataclass(frozen=True, slots=True)
class Dataset:
    """Videos or images in one place, what is found of them in another.

    Attributes:
        name: `[a-z][a-z0-9_]*`; part of asset keys and file names.
        input: Where the videos or images are; only listed and read.
        lightly: Where images of chosen frames, tables and manifests go.
        dataset_type: VIDEOS, whose chosen frames become images, or IMAGES, which stay where they
            are.
        worker_config: Default block in Lightly's shape.
        lightly_config: Default block in Lightly's shape.
        selection_config: Default block in Lightly's shape.
        pipeline_config: Default block of our own options.
        automation: Whether new videos are processed without being asked for.
        owners: Of the assets: e-mail addresses, or `team:NAME`.
        freshness_hours: How often a listing is expected; the catalogue is overdue later. Never by
            default: where nothing changes, nothing is listed anew.
        dataset_id: 24 hexadecimal digits by which SIMILARITY names the dataset; by default the
            first of the SHA-256 of its name.
        thumbnail_suffix: Where thumbnails of the images go, below `.lightly/thumbnails/`, with
            `[filename]` and `[extension]` for those of the image; none without.

    Raises:
        InvalidConfigurationError: The name or the type is not supported, an owner is neither, or
            thumbnails would lie elsewhere.
    """

    name: str
    dataset_type: DatasetType = DatasetType.VIDEOS
    _: KW_ONLY
    input: Datasource
    lightly: Datasource
    worker_config: Mapping[str, Any] | None = None
    lightly_config: Mapping[str, Any] | None = None
    selection_config: Mapping[str, Any] | None = None
    pipeline_config: Mapping[str, Any] | None = None
    automation: bool = False
    owners: Sequence[str] = ()
    freshness_hours: float | None = None
    dataset_id: str = ""
    thumbnail_suffix: str | None = None

    def __post_init__(self) -> None:
        if not self.dataset_id:
            digest = hashlib.sha256(self.name.encode()).hexdigest()
            object.__setattr__(self, "dataset_id", digest[:_ID_DIGITS])
        if not _ID.fullmatch(self.dataset_id):
            raise InvalidConfigurationError(
                f"dataset {self.name}: dataset_id {self.dataset_id!r} is not {_ID_DIGITS} "
                "hexadecimal digits"
            )
        if not _NAME.fullmatch(self.name):
            raise InvalidConfigurationError(
                f"dataset name {self.name!r}: use lower-case letters, digits and _, a letter first"
            )
        if self.dataset_type is DatasetType.CROPS:
            raise InvalidConfigurationError(
                f"dataset {self.name}: type CROPS is not supported; this package selects frames of "
                "videos (DatasetType.VIDEOS), or images (DatasetType.IMAGES)"
            )
        if self.thumbnail_suffix is not None:
            check_thumbnail_suffix(self.thumbnail_suffix)
        for owner in self.owners:
            if not _OWNER.fullmatch(owner):
                raise InvalidConfigurationError(
                    f"dataset {self.name}: owner {owner!r} is neither an e-mail address nor "
                    "team:NAME"
                )

    @property
    def of_images(self) -> bool:
        """Whether INPUT holds images."""
        return self.dataset_type is DatasetType.IMAGES

    def patient(self, seconds: float) -> "Dataset":
        """Returns the same dataset, whose stores are waited for as long as this."""
        return replace(
            self, input=self.input.patient(seconds), lightly=self.lightly.patient(seconds)
        )


def declared_datasets() -> list[Dataset]:
    """Returns the datasets of the file that the environment names; none when it names none."""
    path = os.environ.get(DATASETS_VARIABLE)
    return load_datasets(path) if path else []


def load_datasets(path: str | Path) -> list[Dataset]:
    """Returns the datasets that a YAML file declares.

    The file holds `datasets:`, a mapping from name to a `DatasetDeclaration`. Relative folders
    start from the file's own.

    Raises:
        InvalidConfigurationError: Says what is wrong, and in which dataset.
    """
    file = Path(path)
    document = read_yaml(file)
    declared = document.get("datasets") if isinstance(document, dict) else None
    if not isinstance(declared, dict):
        raise InvalidConfigurationError(f"{file}: expected `datasets:` with a name per dataset")
    return [
        declared_dataset(str(name), fields, where=f"{file}: dataset {name}", base=file.parent)
        for name, fields in declared.items()
    ]


def declared_dataset(
    name: str, fields: Mapping[str, Any] | DatasetDeclaration, *, where: str, base: Path
) -> Dataset:
    """Returns the dataset of one declaration.

    Args:
        name: Of the dataset.
        fields: Those of `DatasetDeclaration`.
        where: How the declaration is called in messages.
        base: Folder that relative paths start from.

    Raises:
        InvalidConfigurationError: Says what is wrong.
    """
    declaration = DatasetDeclaration.from_block(fields, where)
    return Dataset(
        name,
        dataset_type=declaration.dataset_type,
        input=_datasource(declaration.input, f"{where}.input", base),
        lightly=_datasource(declaration.lightly, f"{where}.lightly", base),
        worker_config=declaration.worker_config,
        lightly_config=declaration.lightly_config,
        selection_config=declaration.selection_config,
        pipeline_config=declaration.pipeline_config,
        automation=declaration.automation,
        owners=tuple(declaration.owners),
        freshness_hours=declaration.freshness_hours,
        dataset_id=declaration.dataset_id,
        thumbnail_suffix=declaration.thumbnail_suffix,
    )


def _datasource(place: Place, where: str, base: Path) -> Datasource:
    try:
        return datasource_from_url(place.resource_path, base, place.options)
    except InvalidConfigurationError as error:
        raise InvalidConfigurationError(f"{where}: {error}") from None
