"""What the documents of a dataset name: images, runs, and the tables they were chosen from.

Manifests, selections of runs that have no manifest yet, tags and datapool entries are read, one
object each; what cannot be read is named, so that nothing is removed for want of it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from lightly_pipeline.datasources import Datasource, concurrently, read_document
from lightly_pipeline.datasources.documents import FEW
from lightly_pipeline.errors import DamagedDocumentError, ObjectNotFoundError
from lightly_pipeline.layout import (
    MANIFEST_FILE,
    MODEL_FILE,
    TRAINING_FOLDER,
    path_digest,
    run_path,
)
from lightly_pipeline.runs.datapool import POOL_FOLDER
from lightly_pipeline.runs.finding import run_files
from lightly_pipeline.runs.tags import TAGS_FOLDER
from lightly_pipeline.upkeep.owned import FrameImage, training_file

SELECTION_FILE = "selection.json"
_Parsed = TypeVar("_Parsed")


@dataclass
class References:
    """What is named.

    Attributes:
        images: Paths of images and crops, by manifests, tags and the datapool.
        planned: Frames whose images a selection without a manifest is about to store.
        run_ids: Runs that tags and the datapool name.
        complete: When each run chose that has a manifest, Unix time, by its id.
        used_s: When a run last chose from tables, Unix time, by their id.
        models: Paths of the models that count, each for a set of training options.
        models_of_runs: Path of the model that each run trained or used, by its id.
        unreadable: What is wrong, in a line each, with documents that cannot be read.
    """

    images: set[str] = field(default_factory=set)
    planned: set[FrameImage] = field(default_factory=set)
    run_ids: set[str] = field(default_factory=set)
    complete: dict[str, float] = field(default_factory=dict)
    used_s: dict[str, float] = field(default_factory=dict)
    models: set[str] = field(default_factory=set)
    models_of_runs: dict[str, str] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    @property
    def latest_id(self) -> str | None:
        """Id of the tables that the newest run chose from; None where there is none."""
        return max(self.used_s, key=self.used_s.__getitem__, default=None)


class _RunNames(NamedTuple):
    created_s: float
    table_id: str
    images: tuple[str, ...]
    planned: tuple[FrameImage, ...]


def read_references(store: Datasource) -> References:
    """Returns what the documents of a dataset name.

    Raises:
        DatasourceError: The store failed.
    """
    found = References()
    files = {(run_id, name) for run_id, name, _ in run_files(store)}
    complete = sorted(run_id for run_id, name in files if name == MANIFEST_FILE)
    chosen = sorted(
        run_id
        for run_id, name in files
        if name == SELECTION_FILE and (run_id, MANIFEST_FILE) not in files
    )
    paths = [run_path(run_id, MANIFEST_FILE) for run_id in complete]
    for run_id, names in zip(complete, _read(store, paths, _of_manifest, found), strict=True):
        if names is not None:
            found.complete[run_id] = names.created_s
            _add(found, names)
    paths = [run_path(run_id, SELECTION_FILE) for run_id in chosen]
    for names in _read(store, paths, _of_selection, found):
        if names is not None:
            _add(found, names)
    _add_models(store, sorted(run_id for run_id, name in files if name == MODEL_FILE), found)
    for folder in (TAGS_FOLDER, POOL_FOLDER):
        paths = [item.path for item in store.list(folder) if item.path.endswith(".json")]
        for chosen_sets in _read(store, paths, _of_sets, found):
            for run_id, images in chosen_sets or ():
                found.run_ids.add(run_id)
                found.images.update(images)
    return found


def _add(found: References, names: _RunNames) -> None:
    found.images.update(names.images)
    found.planned.update(names.planned)
    earlier = found.used_s.get(names.table_id, names.created_s)
    found.used_s[names.table_id] = max(earlier, names.created_s)


def _add_models(store: Datasource, run_ids: Sequence[str], found: References) -> None:
    paths = [run_path(run_id, MODEL_FILE) for run_id in run_ids]
    for run_id, path in zip(run_ids, _read(store, paths, _of_model, found), strict=True):
        if path is not None:
            found.models_of_runs[run_id] = path
    paths = [i.path for i in store.list(TRAINING_FOLDER) if training_file(i.path) == MODEL_FILE]
    found.models.update(path for path in _read(store, paths, _of_model, found) if path is not None)


def _of_model(document: Any) -> str:
    return str(document["checkpoint"])


def _read(
    store: Datasource, paths: Iterable[str], parse: Callable[[Any], _Parsed], found: References
) -> Iterator[_Parsed | None]:
    """Yields what is parsed of documents; None, and a note, for one that cannot be read."""

    def read(path: str) -> _Parsed | DamagedDocumentError | None:
        try:
            return read_document(store, path, parse, "what a run wrote")
        except ObjectNotFoundError:
            return None
        except DamagedDocumentError as error:
            return error

    for document in concurrently(read, paths, at_once=FEW):
        if isinstance(document, DamagedDocumentError):
            found.unreadable.append(str(document))
            yield None
        else:
            yield document


def _of_manifest(document: Any) -> _RunNames:
    stored = [s for image in document["images"] for s in (image, *image.get("crops", ()))]
    return _RunNames(*_of_run(document), tuple(image["image"] for image in stored), ())


def _of_selection(document: Any) -> _RunNames:
    planned = (
        FrameImage(path_digest(frame["video"]), frame["frame_index"])
        for frame in document["frames"]
    )
    return _RunNames(*_of_run(document), (), tuple(planned))


def _of_run(document: Any) -> tuple[float, str]:
    created_s = datetime.fromisoformat(document["created"]).timestamp()
    # Runs of the first release knew embeddings in tables only.
    return created_s, document.get("table_id", document["embedding_id"])


def _of_sets(document: Any) -> list[tuple[str, list[str]]]:
    """Returns the run and the images of each set of frames in a tag or a datapool entry."""
    parts = document.get("parts", [document])
    return [(part["run_id"], [frame["image"] for frame in part["frames"]]) for part in parts]
