"""Documents in a datasource: reading those that may be empty, cut or of another shape.

What is made of a damaged one is the caller's business: made again, or an error.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, TypeVar

from lightly_pipeline.datasources.protocol import Datasource
from lightly_pipeline.datasources.second_look import READINGS, confirmed, sure
from lightly_pipeline.errors import DamagedDocumentError, DatasourceError
from lightly_pipeline.threads import ContextThreadPool

_Document = TypeVar("_Document")
_Item = TypeVar("_Item")
# As many as the client has connections: what is waited for is the store, not the processor.
_AT_ONCE = 32
FEW = 8
"""At once, where each may hold as much in memory as a reader does."""
_READINGS = 2


def read_document(
    store: Datasource, path: str, parse: Callable[[Any], _Document], what: str
) -> _Document:
    """Returns what `parse` makes of a JSON document.

    Args:
        store: The datasource.
        path: The document.
        parse: Makes something of the JSON value; raises ValueError, KeyError, TypeError,
            IndexError or AttributeError for one of another shape.
        what: What it should be, such as "a tag".

    Raises:
        ObjectNotFoundError: There is none.
        DamagedDocumentError: It is empty, cut or something else, also when read again.
    """
    for attempt in range(_READINGS):
        try:
            return parse(json.loads(store.read(path)))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            if attempt == _READINGS - 1:
                raise DamagedDocumentError(
                    f"{store.location(path)} is not {what} ({type(error).__name__}: {error}); it "
                    "was cut off or changed by something else"
                ) from None
    raise AssertionError("unreachable")


def read_file(store: Datasource, path: str, use: Callable[[BinaryIO], _Document]) -> _Document:
    """Returns what `use` makes of an object's content, opened for reading.

    Content that is known not to be the store's is read again, and before an error of `use` counts,
    what it saw is confirmed.

    Args:
        store: The datasource.
        path: The object.
        use: Makes something of the open file; called again for another reading.

    Raises:
        ObjectNotFoundError: There is none.
        DatasourceError: It cannot be read, or differs each time it is read.
        Exception: What `use` raises of the content as the store has it.
    """
    for _ in range(READINGS):
        with store.open(path) as file:
            try:
                value = use(file)
            except Exception as error:
                is_of_store = isinstance(error, DatasourceError) and not isinstance(
                    error, DamagedDocumentError
                )
                if is_of_store or confirmed(file):
                    raise
                continue
            if sure(file, is_doubtful=False):
                return value
    raise DatasourceError(
        f"cannot read {store.location(path)}: it differs each time it is read: look at the "
        "network, the proxy and the store's disks, then run again"
    )


def concurrently(
    function: Callable[[_Item], _Document], items: Iterable[_Item], *, at_once: int = _AT_ONCE
) -> Iterator[_Document]:
    """Yields `function` of every item in order, where each waits for a store.

    On an error the rest is not begun.
    """
    with ContextThreadPool(at_once) as pool:
        yield from pool.map(function, items)
