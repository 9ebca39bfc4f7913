"""JSON documents in a datasource: reading those that may be empty, cut or of another shape.

What is made of a damaged one is the caller's business: made again, or an error.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from lightly_pipeline.datasources.protocol import Datasource
from lightly_pipeline.errors import DamagedDocumentError
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


def concurrently(
    function: Callable[[_Item], _Document], items: Iterable[_Item], *, at_once: int = _AT_ONCE
) -> Iterator[_Document]:
    """Yields `function` of every item in order, where each waits for a store.

    On an error the rest is not begun.
    """
    pool = ContextThreadPool(at_once)
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
