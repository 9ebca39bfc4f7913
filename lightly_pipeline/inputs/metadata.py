"""Users' metadata: the schema, and the value of a key in a metadata file.

Pure functions of documents; files are read in `metadata_files.py`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.hints import did_you_mean

SCHEMA_PATH = ".lightly/metadata/schema.json"
METADATA_FOLDER = ".lightly/metadata/"
RESERVED_KEY = "lightly"
_NUMERIC = ("NUMERIC_INT", "NUMERIC_FLOAT", "NUMERICAL_INT", "NUMERICAL_FLOAT")
_CATEGORICAL = (
    "CATEGORICAL_STRING",
    "CATEGORICAL_INT",
    "CATEGORICAL_BOOLEAN",
    "CATEGORICAL_DATETIME",
    "CATEGORICAL_TIMESTAMP",
)
DATA_TYPES = (*_NUMERIC, *_CATEGORICAL, "OTHER_STRING")

Value = float | str | None


@dataclass(frozen=True, slots=True)
class MetadataKey:
    """One entry of the schema.

    Attributes:
        path: Dots lead into the `metadata` object.
        data_type: One of `DATA_TYPES`.
        default: Of frames without a value; None when the schema gives none.
    """

    path: str
    data_type: str
    default: Value

    @property
    def is_numeric(self) -> bool:
        """Whether values are numbers."""
        return self.data_type in _NUMERIC


def parse_schema(document: Any, location: str) -> dict[str, MetadataKey]:
    """Returns the entries of a schema file by their path.

    Args:
        document: What the file holds.
        location: The file, for messages.

    Raises:
        LightlyPipelineError: Names the file, the entry and what is wrong with it.
    """
    if not isinstance(document, list):
        raise LightlyPipelineError(
            f"{location}: expected a list of entries with name, path, defaultValue and "
            "valueDataType"
        )
    keys: dict[str, MetadataKey] = {}
    for number, entry in enumerate(document):
        key = _parse_entry(entry, f"{location}: entry {number}")
        if key.path in keys:
            raise LightlyPipelineError(f"{location}: path {key.path} is there twice")
        keys[key.path] = key
    return keys


def find_key(keys: Mapping[str, MetadataKey], wanted: str, location: str) -> MetadataKey:
    """Returns the schema's entry for a key of the configuration.

    Raises:
        InvalidConfigurationError: There is none; names the nearest.
    """
    if wanted in keys:
        return keys[wanted]
    raise InvalidConfigurationError(
        f"metadata key {wanted!r} is not a path in {location}{_hint(wanted, list(keys))}"
    )


def value_of(key: MetadataKey, document: Any, location: str) -> Value:
    """Returns the value of a key in a metadata file; None when it holds none.

    Raises:
        LightlyPipelineError: Names the file, the key, and the value that does not fit.
    """
    metadata = document.get("metadata") if isinstance(document, Mapping) else None
    if not isinstance(metadata, Mapping):
        raise LightlyPipelineError(f"{location}: expected an object with the key metadata")
    found: Any = metadata
    for part in key.path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return _typed(found, key.data_type, f"{location}: {key.path}")


def is_about(document: Any, names: Sequence[str]) -> bool:
    """Returns whether a file speaks of something called one of `names`.

    `file_name` is optional; of one that is given only the last part counts.
    """
    name = document.get("file_name") if isinstance(document, Mapping) else None
    return not isinstance(name, str) or name.rpartition("/")[2] in names


def _parse_entry(entry: Any, where: str) -> MetadataKey:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("path"), str):
        raise LightlyPipelineError(f"{where}: expected an object with a path")
    path, data_type = entry["path"], entry.get("valueDataType")
    if not all(path.split(".")):
        raise LightlyPipelineError(f"{where}: path {path!r} has an empty part")
    if path.split(".")[0] == RESERVED_KEY:
        raise LightlyPipelineError(
            f"{where}: path {path}: {RESERVED_KEY} is reserved for the numbers that are computed"
        )
    if data_type not in DATA_TYPES:
        raise LightlyPipelineError(
            f"{where}: {path}: valueDataType {data_type!r} is not known"
            f"{_hint(str(data_type), DATA_TYPES)}"
        )
    default = _typed(entry.get("defaultValue"), data_type, f"{where}: {path}: defaultValue")
    return MetadataKey(path, data_type, default)


def _typed(value: Any, data_type: str, where: str) -> Value:
    """Returns a number, or a category as it is written in a target; null is no value."""
    if value is None:
        return None
    if data_type in _NUMERIC:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value):
            raise LightlyPipelineError(f"{where}: {value!r} is not a number, as {data_type} says")
        return float(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise LightlyPipelineError(f"{where}: {value!r} is not one value, as {data_type} says")


def _hint(word: str, known: Sequence[str]) -> str:
    return f"; {did_you_mean(word, known)}" if known else "; it has no entries"
