"""JSON files under `.lightly/` that users put there: listed once, read several at a time.

What is in them is parsed by `metadata.py` and `predictions.py`.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from lightly_pipeline.datasources import Datasource, concurrently
from lightly_pipeline.errors import DatasourceError, LightlyPipelineError, ObjectNotFoundError

_N_READERS = 16
_BATCH = 1024
MAX_FILE_BYTES = 64 * 1024 * 1024
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def list_names(store: Datasource, folder: str) -> set[str]:
    """Returns the names of the JSON files in a folder and below it, without folder and ending."""
    return {
        item.path.removeprefix(folder).removesuffix(".json")
        for item in store.list(folder)
        if item.path.endswith(".json")
    }


def read_json(store: Datasource, path: str) -> Any:
    """Returns the document of a JSON file.

    Raises:
        ObjectNotFoundError: There is no such file.
        LightlyPipelineError: It is not JSON, or larger than any sensible file; names it.
    """
    with store.open(path) as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise LightlyPipelineError(f"{store.location(path)}: larger than {MAX_FILE_BYTES} bytes")
    try:
        return parse_json(content)
    except ValueError as error:
        raise LightlyPipelineError(f"{store.location(path)}: {error}") from None


def parse_json(content: bytes) -> Any:
    """Returns the document that bytes hold, as `json.loads` does, but without NaN and infinity.

    Raises:
        ValueError: They are not JSON.
    """
    try:
        return _DECODER.decode(content.decode(json.detect_encoding(content), "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not valid JSON: {error}") from None


def read_required(store: Datasource, path: str, needed_for: str) -> Any:
    """Returns the document of a file that an option needs.

    Raises:
        LightlyPipelineError: It is missing, which is said together with what it is needed for.
    """
    try:
        return read_json(store, path)
    except ObjectNotFoundError:
        raise LightlyPipelineError(
            f"{needed_for} needs {store.location(path)}, which does not exist"
        ) from None


def or_problem(read: Callable[[], _Result]) -> _Result | str:
    """Returns what reading a file gives, or what is wrong with it.

    Raises:
        DatasourceError: The store failed: that says nothing of the file.
    """
    try:
        return read()
    except ObjectNotFoundError as error:
        return str(error)
    except DatasourceError:
        raise
    except (ValueError, LightlyPipelineError) as error:
        return str(error)


def in_threads(
    function: Callable[[_Item], _Result], items: Iterable[_Item]
) -> Iterator[tuple[_Item, _Result]]:
    """Yields every item with its result, in order; the work of reading waits for the store."""
    remaining = iter(items)
    while batch := list(islice(remaining, _BATCH)):
        results = concurrently(function, batch, at_once=_N_READERS)
        yield from zip(batch, results, strict=True)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
