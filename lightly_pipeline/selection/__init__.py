"""Which frames are worth labelling: strategies over embeddings, exact and the same everywhere.

Works on plain arrays; where they come from and what happens to the chosen frames is not known
here. FAISS is loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightly_pipeline.selection.columns import Categories
    from lightly_pipeline.selection.objects import Objects
    from lightly_pipeline.selection.result import SelectionResult
    from lightly_pipeline.selection.selector import n_to_select, select
    from lightly_pipeline.selection.vectors.duplicates import exact_duplicates
    from lightly_pipeline.selection.vectors.grid import GridEmbeddings, prepare_embeddings

__all__ = [
    "Categories",
    "GridEmbeddings",
    "Objects",
    "SelectionResult",
    "exact_duplicates",
    "n_to_select",
    "prepare_embeddings",
    "select",
]

_HOMES = {
    "Categories": "columns",
    "GridEmbeddings": "vectors.grid",
    "Objects": "objects",
    "SelectionResult": "result",
    "exact_duplicates": "vectors.duplicates",
    "n_to_select": "selector",
    "prepare_embeddings": "vectors.grid",
    "select": "selector",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
