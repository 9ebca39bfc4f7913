"""Lists of names that a run leaves beside its manifest, one a line, and reads back.

The forms of Lightly's worker: the videos that took part, frames left out as copies.
"""

from collections.abc import Iterable

from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import ObjectNotFoundError
from lightly_pipeline.layout import run_path

RELEVANT_FILENAMES_FILE = "relevant_filenames.txt"
DUPLICATE_FILENAMES_FILE = "duplicate_filenames.txt"


def write_relevant_filenames(store: Datasource, run_id: str, paths: Iterable[str]) -> None:
    """Stores the paths of the videos that took part in a run, relative to the INPUT root.

    A path with a line break cannot stand in such a list and is left out.
    """
    _write(store, run_id, RELEVANT_FILENAMES_FILE, paths)


def read_relevant_filenames(store: Datasource, run_id: str) -> set[str] | None:
    """Returns the paths of the videos that took part in a run; None where it kept no list."""
    try:
        return set(_read(store, run_id, RELEVANT_FILENAMES_FILE))
    except ObjectNotFoundError:
        return None


def write_duplicate_filenames(store: Datasource, run_id: str, names: Iterable[str]) -> None:
    """Stores the names of the frames that were left out as exact copies."""
    _write(store, run_id, DUPLICATE_FILENAMES_FILE, names)


def read_duplicate_filenames(store: Datasource, run_id: str) -> list[str]:
    """Returns the names of the frames that a run left out as exact copies."""
    try:
        return _read(store, run_id, DUPLICATE_FILENAMES_FILE)
    except ObjectNotFoundError:
        return []


def lines(names: Iterable[str]) -> bytes:
    """Returns names one a line, as bytes of file names that are no text stay what they are."""
    text = "".join(f"{name}\n" for name in names if "\n" not in name and "\r" not in name)
    return text.encode(errors="surrogateescape")


def _write(store: Datasource, run_id: str, name: str, names: Iterable[str]) -> None:
    store.write(run_path(run_id, name), lines(names))


def _read(store: Datasource, run_id: str, name: str) -> list[str]:
    text = store.read(run_path(run_id, name)).decode(errors="surrogateescape")
    return text.split("\n")[:-1]
