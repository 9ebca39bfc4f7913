"""Which metadata the strategies of a configuration ask for, checked before any work.

Keys are columns of the frame tables (`lightly.`), entries of a user's schema, or groups of paths.
"""

from collections.abc import Sequence

from lightly_pipeline.config import StrategyEntry
from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import InvalidConfigurationError, ObjectNotFoundError
from lightly_pipeline.inputs.files import read_json, read_required
from lightly_pipeline.inputs.metadata import SCHEMA_PATH, MetadataKey, find_key, parse_schema
from lightly_pipeline.inputs.metadata_files import plan_bulk_metadata
from lightly_pipeline.inputs.path_groups import OPTION as PATH_REGEX
from lightly_pipeline.inputs.path_groups import PathGroups
from lightly_pipeline.inputs.quality import column_of


def plan_columns(entries: Sequence[StrategyEntry]) -> dict[str, str]:
    """Returns the frame table's column by key, for keys such as `lightly.width`.

    Raises:
        InvalidConfigurationError: It is not computed, or its strategy takes no numbers.
    """
    columns = {}
    for entry in entries:
        key = str(entry.input.key)
        if entry.strategy.type == "BALANCE":
            raise InvalidConfigurationError(
                f"metadata key {key} is a number and does not go with BALANCE, but with WEIGHTS "
                "and THRESHOLD"
            )
        columns[key] = column_of(key)
    return columns


def plan_metadata(
    store: Datasource, entries: Sequence[StrategyEntry], groups: PathGroups
) -> dict[str, MetadataKey]:
    """Returns the schema's entries for the keys that are not taken from paths.

    Args:
        store: The LIGHTLY datasource.
        entries: Strategies with keys of a user's own.
        groups: Keys that are taken from paths.

    Raises:
        InvalidConfigurationError: A key is nowhere, or in both places, or of another kind than its
            strategy takes.
        LightlyPipelineError: The schema is missing or wrong, or the file for many frames is.
    """
    if not entries:
        return {}
    location = store.location(SCHEMA_PATH)
    schema = _read_schema(store, groups)
    found: dict[str, MetadataKey] = {}
    for entry in entries:
        wanted = str(entry.input.key)
        if wanted in groups.names:
            if wanted in schema:
                raise InvalidConfigurationError(
                    f"metadata key {wanted} is a group of {PATH_REGEX} and a path in {location}: "
                    "give the group another name"
                )
            continue
        key = find_key(schema, wanted, location, groups.names)
        wants_numbers = entry.strategy.type != "BALANCE"
        if key.is_numeric != wants_numbers or key.data_type == "OTHER_STRING":
            goes_with = "WEIGHTS and THRESHOLD" if key.is_numeric else "BALANCE"
            raise InvalidConfigurationError(
                f"metadata key {key.path} is {key.data_type} in {location} and does not go with "
                f"{entry.strategy.type}"
                + ("" if key.data_type == "OTHER_STRING" else f", but with {goes_with}")
            )
        found[key.path] = key
    if found:
        plan_bulk_metadata(store, found)
    return found


def _read_schema(store: Datasource, groups: PathGroups) -> dict[str, MetadataKey]:
    """Returns the schema; an empty one where there is none and paths give values.

    Raises:
        LightlyPipelineError: It is wrong, or is missing and no expression is given.
    """
    if not groups.names:
        document = read_required(store, SCHEMA_PATH, "a METADATA input")
    else:
        try:
            document = read_json(store, SCHEMA_PATH)
        except ObjectNotFoundError:
            return {}
    return parse_schema(document, store.location(SCHEMA_PATH))
