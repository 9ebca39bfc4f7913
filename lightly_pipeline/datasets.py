"""A dataset: a name, its two datasources and its default configuration.

Declared in Python or in a YAML file. How datasources work is in `datasources`, what the
configuration blocks mean in `config`.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from lightly_pipeline.datasources import Datasource, datasource_from_url
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.hints import did_you_mean

DATASETS_VARIABLE = "LIGHTLY_PIPELINE_DATASETS"
"""Environment variable with the path of a YAML file that declares datasets."""

_ID_DIGITS = 24
_ID = re.compile(rf"[a-f0-9]{{{_ID_DIGITS}}}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_MAX_FILE_BYTES = 1024 * 1024


class DatasetType(StrEnum):
    """What the INPUT datasource holds, in Lightly's words."""

    VIDEOS = "Videos"
    IMAGES = "Images"
    CROPS = "Crops"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Videos in one place, chosen frames in another.

    Attributes:
        name: `[a-z][a-z0-9_]*`; part of asset keys and file names.
        input: Where the videos are; only listed and read.
        lightly: Where images, tables and manifests go.
        dataset_type: VIDEOS is what this package processes.
        worker_config: Default block in Lightly's shape.
        lightly_config: Default block in Lightly's shape.
        selection_config: Default block in Lightly's shape.
        automation: Whether new videos are processed without being asked for.
        dataset_id: 24 hexadecimal digits by which SIMILARITY names the dataset; by default the
            first of the SHA-256 of its name.

    Raises:
        InvalidConfigurationError: The name or the type is not supported.
    """

    name: str
    dataset_type: DatasetType = DatasetType.VIDEOS
    _: KW_ONLY
    input: Datasource
    lightly: Datasource
    worker_config: Mapping[str, Any] | None = None
    lightly_config: Mapping[str, Any] | None = None
    selection_config: Mapping[str, Any] | None = None
    automation: bool = False
    dataset_id: str = ""

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
        if self.dataset_type is not DatasetType.VIDEOS:
            raise InvalidConfigurationError(
                f"dataset {self.name}: type {self.dataset_type.name} is not supported; "
                "this package selects frames of videos (DatasetType.VIDEOS)"
            )


def declared_datasets() -> list[Dataset]:
    """Returns the datasets of the file that the environment names; none when it names none."""
    path = os.environ.get(DATASETS_VARIABLE)
    return load_datasets(path) if path else []


def load_datasets(path: str | Path) -> list[Dataset]:
    """Returns the datasets that a YAML file declares.

    The file holds `datasets:`, a mapping from name to `input`, `lightly` and, where wanted,
    `dataset_type`, the configuration blocks and `automation`. Relative folders start from the
    file's own.

    Raises:
        InvalidConfigurationError: Says what is wrong, and in which dataset.
    """
    file = Path(path)
    try:
        text = file.read_bytes()
    except OSError as error:
        raise InvalidConfigurationError(f"{file}: cannot be read: {error.strerror}") from None
    if len(text) > _MAX_FILE_BYTES:
        raise InvalidConfigurationError(f"{file}: larger than {_MAX_FILE_BYTES} bytes")
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidConfigurationError(f"{file}: not valid YAML: {error}") from None
    declared = document.get("datasets") if isinstance(document, dict) else None
    if not isinstance(declared, dict):
        raise InvalidConfigurationError(f"{file}: expected `datasets:` with a name per dataset")
    return [_dataset(str(name), fields, file) for name, fields in declared.items()]


_FIELDS = (
    "input",
    "lightly",
    "dataset_type",
    "worker_config",
    "lightly_config",
    "selection_config",
    "automation",
    "dataset_id",
)


def _dataset(name: str, fields: Any, file: Path) -> Dataset:
    where = f"{file}: dataset {name}"
    if not isinstance(fields, dict):
        raise InvalidConfigurationError(f"{where}: expected input, lightly, ...")
    for key in fields:
        if key not in _FIELDS:
            hint = did_you_mean(str(key), _FIELDS)
            raise InvalidConfigurationError(f"{where}: unknown key {key!r}; {hint}")
    return Dataset(
        name,
        dataset_type=_type(fields.get("dataset_type", "VIDEOS"), where),
        input=_datasource(fields.get("input"), f"{where}: input", file.parent),
        lightly=_datasource(fields.get("lightly"), f"{where}: lightly", file.parent),
        worker_config=fields.get("worker_config"),
        lightly_config=fields.get("lightly_config"),
        selection_config=fields.get("selection_config"),
        automation=fields.get("automation", False),
        dataset_id=fields.get("dataset_id", ""),
    )


def _type(value: Any, where: str) -> DatasetType:
    for kind in DatasetType:
        if str(value).lower() == kind.value.lower():
            return kind
    raise InvalidConfigurationError(f"{where}: dataset_type {value!r} is not known; use VIDEOS")


_S3_OPTIONS = (
    "resource_path",
    "region",
    "endpoint_url",
    "profile",
    "role_arn",
    "external_id",
    "addressing_style",
    "verify",
    "kms_key_id",
)
_SECRETS = ("access_key_id", "secret_access_key", "session_token")


def _datasource(value: Any, where: str, base: Path) -> Datasource:
    if isinstance(value, dict):
        return _s3_datasource(value, where)
    if not isinstance(value, str):
        raise InvalidConfigurationError(
            f"{where}: expected a folder, s3://bucket/prefix/, or resource_path with options"
        )
    try:
        return datasource_from_url(value, base)
    except InvalidConfigurationError as error:
        raise InvalidConfigurationError(f"{where}: {error}") from None


def _s3_datasource(options: dict[str, Any], where: str) -> Datasource:
    from lightly_pipeline.datasources import S3Datasource

    for key in options:
        if key in _SECRETS:
            raise InvalidConfigurationError(
                f"{where}: {key} does not belong into a file; set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY in the environment, or name a profile or role_arn"
            )
        if key not in _S3_OPTIONS:
            hint = did_you_mean(str(key), _S3_OPTIONS)
            raise InvalidConfigurationError(f"{where}: unknown option {key!r}; {hint}")
    try:
        return S3Datasource(**options)
    except (TypeError, InvalidConfigurationError) as error:
        raise InvalidConfigurationError(f"{where}: {error}") from None
