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


def find_key(
    keys: Mapping[str, MetadataKey], wanted: str, location: str, groups: Sequence[str] = ()
) -> MetadataKey:
    """Returns the schema's entry for a key of the configuration.

    Args:
        keys: The schema's entries.
        wanted: The key.
        location: The schema, for messages.
        groups: Keys that are taken from paths, for the hint.

    Raises:
        InvalidConfigurationError: There is none; names the nearest.
    """
    if wanted in keys:
        return keys[wanted]
    nor = "is neither a group of selection_config.lightly_path_regex nor" if groups else "is not"
    raise InvalidConfigurationError(
        f"metadata key {wanted!r} {nor} a path in {location}{_hint(wanted, [*keys, *groups])}"
    )


def value_of(key: MetadataKey, document: Any) -> Value:
    """Returns the value of a key in a metadata file, or in a line that says the same.

    None where it holds none.

    Raises:
        ValueError: Names the key and the value that does not fit; the caller knows the place.
    """
    found = document.get("metadata") if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise ValueError("expected an object with the key metadata")
    for part in key.path.split("."):
        if not isinstance(found, dict) or part not in found:
            return None
        found = found[part]
    try:
        return _typed(found, key.data_type)
    except ValueError as error:
        raise ValueError(f"{key.path}: {error}") from None


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
    try:
        return MetadataKey(path, data_type, _typed(entry.get("defaultValue"), data_type))
    except ValueError as error:
        raise LightlyPipelineError(f"{where}: {path}: defaultValue: {error}") from None


def _typed(value: Any, data_type: str) -> Value:
    """Returns a number, or a category as it is written in a target; null is no value."""
    if value is None:
        return None
    if data_type in _NUMERIC:
        return _number(value, data_type)
    if isinstance(value, bool):
        return str(value).lower()
    if data_type == "CATEGORICAL_INT" and isinstance(value, float) and value.is_integer():
        # Tables with gaps hold whole numbers as floats.
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"{value!r} is not one value, as {data_type} says")


def _number(value: Any, data_type: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        number = float(value) if is_number else math.nan
    except OverflowError:  # a whole number beyond all floats
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a number, as {data_type} says")
    return number


def _hint(word: str, known: Sequence[str]) -> str:
    return f"; {did_you_mean(word, known)}" if known else "; it has no entries"
