"""Which run of a dataset a person means: the latest, a whole id, or how one begins.

And where the images are that it chose.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from lightly_pipeline.datasources import Datasource, StoredObject, datasource_from_url
from lightly_pipeline.errors import RunNotFoundError
from lightly_pipeline.hints import did_you_mean
from lightly_pipeline.layout import RUNS_FOLDER
from lightly_pipeline.runs.tags import read_tag, tag_names

LATEST = "latest"
_SHOWN = 10


def find_run(store: Datasource, wanted: str = LATEST) -> str:
    """Returns the id of the run that is meant.

    Args:
        store: The LIGHTLY datasource.
        wanted: "latest" (the one that made the newest tag), an id, or the beginning of one.

    Raises:
        RunNotFoundError: There is no such run, or several begin like this; names them.
    """
    if wanted == LATEST:
        names = tag_names(store)
        if not names:
            raise RunNotFoundError(
                f"no run has completed in {store.describe()}: `lightly-pipeline run` makes one"
            )
        return read_tag(store, names[0]).run_id
    ids = run_ids(store)
    if wanted in ids:
        return wanted
    found = [run_id for run_id in ids if run_id.startswith(wanted)] if wanted else []
    if len(found) == 1:
        return found[0]
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise RunNotFoundError(
            f"{len(found)} runs in {store.describe()} begin with {wanted!r}: "
            f"{', '.join(found[:_SHOWN])}{more}; give more of the id"
        )
    hint = did_you_mean(wanted, ids[-_SHOWN:]) if ids else "there is none yet"
    raise RunNotFoundError(f"no run {wanted!r} in {store.describe()}; {hint}")


def run_ids(store: Datasource) -> list[str]:
    """Returns the ids of all runs that have left a file, in the order of the ids."""
    return list(dict.fromkeys(run_id for run_id, _, _ in run_files(store)))


def image_store(
    store: Datasource, manifest: Mapping[str, Any], source: Datasource | None = None
) -> Datasource:
    """Returns where the images are that a manifest names: LIGHTLY, or INPUT for chosen images.

    Args:
        store: The LIGHTLY datasource.
        manifest: Of the run.
        source: The INPUT datasource, where it is at hand; else that which the manifest names is
            reached with what the environment says of stores.
    """
    place = manifest.get("input")
    if place is None:
        return store
    return source if source is not None else datasource_from_url(place)


def run_files(store: Datasource) -> Iterator[tuple[str, str, StoredObject]]:
    """Yields the run, the name and the record of every file that runs have left."""
    for item in store.list(RUNS_FOLDER):
        run_id, slash, name = item.path.removeprefix(RUNS_FOLDER).partition("/")
        if slash:
            yield run_id, name, item
