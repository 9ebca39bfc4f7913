"""Keeps what was found of a choice with its run, so that an upload can go on elsewhere.

Dataclasses and arrays to JSON and back, by their type hints. An array is the list of its values.
"""

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from lightly_pipeline.datasources import Datasource, read_document
from lightly_pipeline.errors import ObjectNotFoundError
from lightly_pipeline.layout import run_path
from lightly_pipeline.report.gather.material import ChoiceNumbers

_FILE = "report_numbers.json"


def write_choice(store: Datasource, run_id: str, numbers: ChoiceNumbers) -> None:
    """Stores the numbers of a run's choice."""
    store.write(run_path(run_id, _FILE), json.dumps(_to_json(numbers)).encode())


def read_choice(store: Datasource, run_id: str) -> ChoiceNumbers | None:
    """Returns the numbers of a run's choice; None where none were stored.

    Raises:
        DamagedDocumentError: They cannot be read.
    """

    def parsed(document: Any) -> ChoiceNumbers:
        found: ChoiceNumbers = _from_json(ChoiceNumbers, document)
        return found

    try:
        return read_document(store, run_path(run_id, _FILE), parsed, "the numbers of a choice")
    except ObjectNotFoundError:
        return None


def _to_json(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _to_json(item) for key, item in value.items()}
    return [_to_json(item) for item in value] if isinstance(value, tuple) else value


def _from_json(hint: Any, value: Any) -> Any:
    """Returns the value that a type hint asks for; plain values are as they are."""
    if isinstance(hint, type) and is_dataclass(hint):
        hints = get_type_hints(hint)
        return hint(**{name: _from_json(hints[name], item) for name, item in value.items()})
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if value is None else _from_json(arguments[0], value)
    if origin is np.ndarray:
        (scalar,) = get_args(arguments[1])
        return np.array(value, dtype=scalar)
    if origin is tuple and arguments[-1] is ...:
        return tuple(_from_json(arguments[0], item) for item in value)
    if origin is tuple:
        return tuple(_from_json(h, item) for h, item in zip(arguments, value, strict=True))
    if origin is Mapping:
        return {key: _from_json(arguments[1], item) for key, item in value.items()}
    return value
