"""A dataset: a name, its two datasources and its default configuration.

Declared in Python or in a YAML file. How datasources work is in `datasources`, what the
configuration blocks mean in `config`.
"""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Any

from lightly_pipeline.config import CheckLimits, DatasetDeclaration, DatasetType, Place, read_yaml
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
        videos_per_partition: Videos that share a partition in Dagster; one each by default. The
            same tables and the same choice: what differs is how much Dagster has to keep.
        owners: Of the assets: e-mail addresses, or `team:NAME`.
        freshness_hours: How often a listing is expected; the catalogue is overdue later. Never by
            default: where nothing changes, nothing is listed anew.
        selection_freshness_hours: As above of a selection with its images.
        checks: From when on its asset checks fail: fields of `CheckLimits`, or such a model.
        run_tags: Of the runs that its jobs and sensors start. Launchers read there what a run
            needs: `dagster-k8s/config`, `dagster-celery/queue`.
        dataset_id: 24 hexadecimal digits by which SIMILARITY names the dataset; by default the
            first of the SHA-256 of its name.
        thumbnail_suffix: Where thumbnails of the images go, below `.lightly/thumbnails/`, with
            `[filename]` and `[extension]` for those of the image; none without.

    Raises:
        InvalidConfigurationError: The name or the type is not supported, images are to be put into
            batches of videos, an owner is neither, a limit is none, or thumbnails would lie
            elsewhere.
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
    videos_per_partition: int | None = None
    owners: Sequence[str] = ()
    freshness_hours: float | None = None
    selection_freshness_hours: float | None = None
    checks: CheckLimits | Mapping[str, Any] = field(default_factory=CheckLimits)
    run_tags: Mapping[str, Any] = field(default_factory=dict)
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
        _ = self.limits
        self._check_partitions()
        if self.thumbnail_suffix is not None:
            check_thumbnail_suffix(self.thumbnail_suffix)
        for owner in self.owners:
            if not _OWNER.fullmatch(owner):
                raise InvalidConfigurationError(
                    f"dataset {self.name}: owner {owner!r} is neither an e-mail address nor "
                    "team:NAME"
                )

    def _check_partitions(self) -> None:
        if self.videos_per_partition is None:
            return
        if self.of_images:
            raise InvalidConfigurationError(
                f"dataset {self.name}: videos_per_partition is for videos; a partition of a "
                "dataset of images is a shard of up to 1000 of them already"
            )
        if self.videos_per_partition < 1:
            raise InvalidConfigurationError(
                f"dataset {self.name}: videos_per_partition {self.videos_per_partition} is not a "
                "whole number of at least 1"
            )

    @property
    def limits(self) -> CheckLimits:
        """From when on its asset checks fail."""
        return CheckLimits.from_block(self.checks, f"dataset {self.name}: checks")

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
        videos_per_partition=declaration.videos_per_partition,
        owners=tuple(declaration.owners),
        freshness_hours=declaration.freshness_hours,
        selection_freshness_hours=declaration.selection_freshness_hours,
        checks=declaration.checks,
        run_tags=declaration.run_tags,
        dataset_id=declaration.dataset_id,
        thumbnail_suffix=declaration.thumbnail_suffix,
    )


def _datasource(place: Place, where: str, base: Path) -> Datasource:
    try:
        return datasource_from_url(place.resource_path, base, place.options)
    except InvalidConfigurationError as error:
        raise InvalidConfigurationError(f"{where}: {error}") from None
