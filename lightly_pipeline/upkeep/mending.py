"""Makes documents again that were lost or damaged, from those that are there.

Tags and datapool entries come from the manifests, the shards of an image dataset from its tables.
A damaged table is declared not to be there, so that the next run makes it again. Nothing that can
be read is changed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources import Datasource, concurrently, read_document
from lightly_pipeline.datasources.documents import FEW
from lightly_pipeline.errors import (
    DamagedDocumentError,
    DatasourceError,
    ObjectNotFoundError,
    TagNotFoundError,
)
from lightly_pipeline.layout import MANIFEST_FILE, TABLES_FOLDER, run_path
from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.runs.chosen import ChosenSet, SourceVideo, StoredFrame
from lightly_pipeline.runs.datapool import POOL_FOLDER, add_entry
from lightly_pipeline.runs.finding import run_files
from lightly_pipeline.runs.marks import alone
from lightly_pipeline.runs.records import read_selection
from lightly_pipeline.runs.tags import (
    INITIAL_TAG,
    Tag,
    add_tag,
    number_of,
    read_tag,
    store_tag,
    tag_names,
    tag_path,
)
from lightly_pipeline.tables.catalog import CATALOG_PATH, Catalog, read_catalog, write_catalog
from lightly_pipeline.tables.shards import SHARDS_FOLDER, ImageShard, read_shard
from lightly_pipeline.upkeep.checking import check_tables
from lightly_pipeline.upkeep.owned import OUTCOME, shard_digest, table_file


@dataclass(frozen=True, slots=True)
class RebuildResult:
    """What was made again.

    Attributes:
        place: The LIGHTLY datasource, for people.
        made: Paths of documents that were made again.
        voided: Folders of damaged tables, which the next run makes again.
        notes: What could not be made again, in a line each.
    """

    place: str
    made: tuple[str, ...]
    voided: tuple[str, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Returns JSON-able values."""
        return asdict(self)


class _Complete(NamedTuple):
    """A run that has a manifest."""

    created: str
    chosen: ChosenSet
    is_trial: bool
    pool_number: int | None

    @property
    def created_s(self) -> float:
        return datetime.fromisoformat(self.created).timestamp()


def rebuild(dataset: Dataset, *, progress: Progress = silent) -> RebuildResult:
    """Makes documents of a dataset again that were lost or damaged; see `rebuild_store`."""
    return rebuild_store(dataset.lightly, progress=progress)


def rebuild_store(store: Datasource, *, progress: Progress = silent) -> RebuildResult:
    """Makes tags, datapool entries and the shards of images again; voids damaged tables.

    Args:
        store: The LIGHTLY datasource.
        progress: Told how many tables were looked at.

    Raises:
        RunInProgressError: Runs are on, so nothing was done.
        DatasourceError: The store failed.
    """
    notes: list[str] = []
    with alone(store):
        complete, unreadable = _complete_runs(store)
        notes += [f"{problem}: what it says is lost" for problem in unreadable]
        made = [*_tags(store, complete), *_entries(store, complete, notes), *_shards(store)]
        voided = check_tables(store, progress=progress).folders
        for folder in voided:
            # Empty is damaged, and a damaged outcome is none; no permission to delete is needed.
            store.write(f"{folder}/{OUTCOME}", b"")
        if made:
            from lightly_pipeline.report.history import write_history

            write_history(store)
    return RebuildResult(store.describe(), tuple(made), tuple(voided), tuple(notes))


def _complete_runs(store: Datasource) -> tuple[list[_Complete], list[str]]:
    """Returns the runs that chose something, oldest first, and problems with manifests."""
    paths = [
        run_path(run_id, name) for run_id, name, _ in run_files(store) if name == MANIFEST_FILE
    ]

    def read(path: str) -> _Complete | DamagedDocumentError:
        try:
            return read_document(store, path, _parsed, "a manifest")
        except DamagedDocumentError as error:
            return error

    found = list(concurrently(read, paths, at_once=FEW))
    runs = [run for run in found if isinstance(run, _Complete) and run.chosen.frames]
    runs.sort(key=lambda run: (run.created_s, run.chosen.run_id))
    return runs, [str(error) for error in found if isinstance(error, DamagedDocumentError)]


def _parsed(document: Mapping[str, Any]) -> _Complete:
    chosen = ChosenSet(
        run_id=document["run_id"],
        embedding_id=document["embedding_id"],
        sequence_length=document["sequence_length"],
        videos={
            path: SourceVideo(video["size_bytes"], video["etag"], video["n_frames"])
            for path, video in document["videos"].items()
        },
        frames=tuple(
            StoredFrame(image["video"], image["frame_index"], image["image"], image["rank"])
            for image in document["images"]
        ),
    )
    number = document["datapool"]
    is_trial = bool(document["config"]["worker_config"]["use_datapool"]) and number is None
    return _Complete(document["created"], chosen, is_trial, number)


def _tags(store: Datasource, complete: list[_Complete]) -> Iterator[str]:
    """Makes tags of runs that have none: under a number that is missing where one fits."""
    tags: dict[int, Tag] = {}
    for name in tag_names(store):
        try:
            tags[number_of(name)] = read_tag(store, name)
        except (DamagedDocumentError, TagNotFoundError):
            continue
    largest = max(map(number_of, tag_names(store)), default=0)
    tagged = {tag.run_id for tag in tags.values()}
    waiting = [run for run in complete if run.chosen.run_id not in tagged]
    for number in range(1, largest + 1):
        if number in tags:
            continue
        before = _created_s(tags, range(number - 1, 0, -1), 0.0)
        after = _created_s(tags, range(number + 1, largest + 1), float("inf"))
        run = next((run for run in waiting if before <= run.created_s <= after), None)
        if run is not None:
            waiting.remove(run)
            tags[number] = _tag(run, number)
            _make_way(store, tag_path(tags[number].name))
            if store_tag(store, tags[number]):
                yield tag_path(tags[number].name)
    for run in waiting:
        added = add_tag(store, run.created, run.chosen, is_trial=run.is_trial)
        if added is not None:
            yield tag_path(added.name)


def _created_s(tags: Mapping[int, Tag], numbers: range, default: float) -> float:
    """Returns when the first tag that there is of some numbers was chosen."""
    found = (tags[number] for number in numbers if number in tags)
    tag = next(found, None)
    return default if tag is None else datetime.fromisoformat(tag.created).timestamp()


def _tag(run: _Complete, number: int) -> Tag:
    def name_of(number: int) -> str:
        return INITIAL_TAG if number == 1 else f"tag-{number:04d}"

    parent = name_of(number - 1) if number > 1 else None
    return Tag(
        name_of(number), number, parent, run.created, (run.chosen,), run.is_trial, run.created
    )


def _entries(store: Datasource, complete: list[_Complete], notes: list[str]) -> Iterator[str]:
    """Makes entries of the datapool again, of which the selection says which videos they saw."""
    for run in complete:
        if run.pool_number is None:
            continue
        path = f"{POOL_FOLDER}{run.pool_number:08d}.json"
        winner = _entered(store, path)
        if winner is not None:
            if winner != run.chosen.run_id:
                notes.append(f"{store.location(path)} is of run {winner}, not {run.chosen.run_id}")
            continue
        try:
            claim = read_selection(store, run.chosen.run_id).datapool
        except DatasourceError as error:
            notes.append(f"{store.location(path)} cannot be made again: {error}")
            continue
        if claim is not None:
            _make_way(store, path)
            add_entry(store, claim, run.created, run.chosen)
            yield path


def _entered(store: Datasource, path: str) -> str | None:
    """Returns the run that made a datapool entry; None where it is missing or damaged."""
    try:
        return read_document(store, path, ChosenSet.from_dict, "a datapool entry").run_id
    except (DamagedDocumentError, ObjectNotFoundError):
        return None


def _make_way(store: Datasource, path: str) -> None:
    """Removes a damaged document that is to be made again."""
    if store.stat(path) is not None:
        store.delete(path)


def _shards(store: Datasource) -> Iterator[str]:
    """Makes the catalogue of an image dataset again, so that its tables are found.

    An image that two shards hold was dealt anew: the newer one keeps it.
    """
    if read_catalog(store) is not None:
        return
    digests = [d for item in store.list(SHARDS_FOLDER) if (d := shard_digest(item.path))]
    if not digests:
        return
    paths = _shard_paths(store)
    known = [(paths[digest[:8]], digest) for digest in digests if digest[:8] in paths]
    seen: set[str] = set()
    shards: list[ImageShard] = []
    for path, digest in sorted(known, reverse=True):
        try:
            shard = read_shard(store, path, 0, digest, ())
        except DatasourceError:
            continue
        left_out = frozenset(i for i, image in enumerate(shard.images) if image.path in seen)
        seen |= {image.path for image in shard.images}
        if len(left_out) < len(shard.images):
            size_bytes = sum(image.size_bytes for image in shard.images)
            shards.append(
                ImageShard(path, size_bytes, digest, images=shard.images, left_out=left_out)
            )
    if shards:
        write_catalog(store, Catalog(tuple(reversed(shards))))
        yield CATALOG_PATH


def _shard_paths(store: Datasource) -> dict[str, str]:
    """Returns the names of shards that have tables, by the beginning of their hash."""

    def video(path: str) -> str:
        try:
            return read_document(store, path, lambda document: str(document["video"]), "an outcome")
        except (DamagedDocumentError, ObjectNotFoundError):
            return ""

    outcomes = [
        item.path
        for item in store.list(TABLES_FOLDER)
        if (file := table_file(item.path)) is not None and file.name == OUTCOME
    ]
    return {name.rpartition("-")[2]: name for name in concurrently(video, outcomes) if name}
