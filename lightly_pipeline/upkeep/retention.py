"""Which of our files nothing needs any more, and why: the one place where that is decided.

Reads listings, and the documents that name files; removes nothing. Every kind has a line in
docs/how-to/clean-and-repair.md.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Literal, NamedTuple, get_args

from lightly_pipeline.datasources import Datasource, StoredObject, read_document
from lightly_pipeline.errors import DamagedDocumentError, ObjectNotFoundError
from lightly_pipeline.layout import (
    CROPS_FOLDER,
    FRAMES_FOLDER,
    MANIFEST_FILE,
    MODEL_FILE,
    RUNS_FOLDER,
    TABLES_FOLDER,
    THUMBNAILS_FOLDER,
    TRAINING_FOLDER,
)
from lightly_pipeline.runs.marks import MARKS_FOLDER, is_ended, is_mark
from lightly_pipeline.tables.shards import SHARDS_FOLDER
from lightly_pipeline.upkeep.owned import (
    ATTEMPT,
    EMBEDDINGS,
    MODEL,
    OBJECTS_OUTCOME,
    OUTCOME,
    ROWS,
    RUN_ARTEFACTS,
    STATE,
    TableFile,
    crop_frames,
    frame_image,
    run_file,
    shard_digest,
    table_file,
    thumbnail_image,
    training_file,
)
from lightly_pipeline.upkeep.survey import DAY_S, Survey

Kind = Literal[
    "gone_videos",
    "old_embeddings",
    "unnamed_images",
    "leftovers",
    "killed_runs",
    "old_runs",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
_Group = list[tuple[TableFile, StoredObject]]


class Removable(NamedTuple):
    """A file that nothing needs.

    Attributes:
        stored: The file as it was listed.
        kind: Why it is not needed.
        is_first: Whether it has to be gone before the others of its table are.
        group: What it is a part of, for counting: a table, a run, an image.
    """

    stored: StoredObject
    kind: Kind
    is_first: bool
    group: str


def removable(found: Survey) -> Iterator[Removable]:
    """Yields what nothing needs, images first; of a table, its outcome before its other files.

    Raises:
        DatasourceError: The store failed.
    """
    if not found.references.unreadable:
        yield from _images(found)
    yield from _tables(found)
    yield from _shard_lists(found)
    yield from _runs(found)
    yield from _trainings(found)
    for item in found.store.unfinished():
        if not found.is_young(item):
            yield Removable(item, "leftovers", False, item.path)
    for item in found.store.list(MARKS_FOLDER):
        days = None if is_ended(item) else found.retention.unused_days
        if is_mark(item.path) and not found.is_young(item, days):
            yield Removable(item, "leftovers", False, item.path)


def _images(found: Survey) -> Iterator[Removable]:
    """Yields images, crops and thumbnails of frames of known videos that nothing names."""
    named, planned = found.references.images, found.references.planned
    for item in _below(found.store, FRAMES_FOLDER):
        frame = frame_image(item.path)
        if frame is None or item.path in named or frame in planned:
            continue
        if bytes.fromhex(frame.digest) in found.known and not found.is_young(item):
            yield Removable(item, "unnamed_images", False, item.path)
    for item in _below(found.store, CROPS_FOLDER):
        frames = list(crop_frames(item.path))
        if item.path in named or any(frame in planned for frame in frames):
            continue
        is_ours = any(bytes.fromhex(frame.digest) in found.known for frame in frames)
        if is_ours and not found.is_young(item):
            yield Removable(item, "unnamed_images", False, item.path)
    for item in _below(found.store, THUMBNAILS_FOLDER):
        image = thumbnail_image(item.path, found.thumbnail_suffix)
        frame = frame_image(image) if image else None
        if image is None or frame is None or image in named or frame in planned:
            continue
        if bytes.fromhex(frame.digest) in found.known and not found.is_young(item):
            yield Removable(item, "unnamed_images", False, item.path)


def _below(store: Datasource, folder: str) -> Iterator[StoredObject]:
    """Yields what is in a folder and in its twins of other sizes, `folder.32/` and the like."""
    stem = folder.removesuffix("/")
    for item in store.list(stem):
        if item.path.removeprefix(stem)[:1] in ("/", "."):
            yield item


def _tables(found: Survey) -> Iterator[Removable]:
    old = _old_ids(found)

    def files() -> Iterator[tuple[TableFile, StoredObject]]:
        for item in found.store.list(TABLES_FOLDER):
            file = table_file(item.path)
            if file is not None:
                yield file, item

    for (table_id, digest), group in groupby(files(), key=lambda pair: pair[0][:2]):
        table = list(group)
        # Whoever is at work on it writes to it every few minutes.
        if any(found.is_young(item) for _, item in table):
            continue
        if table_id in old:
            yield from _whole(table, "old_embeddings")
        elif found.present is not None and bytes.fromhex(digest) not in found.present:
            yield from _whole(table, "gone_videos")
        else:
            yield from _left_in(found, table)


def _old_ids(found: Survey) -> set[str]:
    """Returns the ids of tables that no run has used, or added to, for long.

    Those of the newest run and those that were last written to are not old at any age.
    """
    used = found.references.used_s
    last = max(found.newest_s, key=found.newest_s.__getitem__, default=None)
    limit_s = found.now_s - found.retention.unused_days * DAY_S
    return {
        table_id
        for table_id, newest_s in found.newest_s.items()
        if table_id not in (last, found.references.latest_id)
        and max(newest_s, used.get(table_id, newest_s)) < limit_s
    }


def _whole(table: _Group, kind: Kind) -> Iterator[Removable]:
    """Yields all files of a table: without its outcome, which goes first, there is none."""
    firsts = (OUTCOME, OBJECTS_OUTCOME)
    ordered = sorted(table, key=lambda pair: pair[0].name.rpartition("/")[2] not in firsts)
    for file, item in ordered:
        is_first = file.name.rpartition("/")[2] in firsts
        yield Removable(item, kind, is_first, f"{file.table_id}/{file.digest}")


def _left_in(found: Survey, table: _Group) -> Iterator[Removable]:
    """Yields what a table that is needed holds besides."""
    outcome = next((item for file, item in table if file.name == OUTCOME), None)
    given_up = outcome is None and not any(
        found.is_young(item, found.retention.unused_days) for _, item in table
    )
    stale = _stale_objects(found.store, table)
    for file, item in table:
        folder = file.name.rpartition("/")[0]
        if folder == "segments" or file.name == ATTEMPT:
            # What came after the outcome is of an attempt at another version.
            is_left = outcome is not None and _written_s(item) <= _written_s(outcome)
            is_left |= file.name != ATTEMPT and (given_up or item.size_bytes == 0)
        else:
            is_left = folder in stale or (given_up and file.name in (ROWS, EMBEDDINGS))
        if is_left:
            yield Removable(item, "leftovers", False, item.path)


def _written_s(item: StoredObject) -> float:
    return item.modified_s or 0.0


def _stale_objects(store: Datasource, table: _Group) -> set[str]:
    """Returns the folders of objects whose boxes were replaced by others since."""
    by_task: dict[str, set[str]] = {}
    outcomes = {}
    for file, item in table:
        folder, _, name = file.name.rpartition("/")
        if name == OBJECTS_OUTCOME:
            outcomes[folder] = item.path
        elif folder.count("/") == 2:
            by_task.setdefault(folder.rpartition("/")[0], set()).add(folder)
    stale: set[str] = set()
    for task, folders in by_task.items():
        # With one folder there is, as a rule, nothing to ask for.
        if len(folders) > 1 and task in outcomes:
            current = _files_of(store, outcomes[task])
            stale |= {f for f in folders if current is not None and f != f"{task}/{current}"}
    return stale


def _files_of(store: Datasource, path: str) -> str | None:
    """Returns the folder that an outcome of objects names; None where it cannot be read."""

    def parsed(document: Any) -> str:
        return str(document["files"])

    try:
        return read_document(store, path, parsed, "an outcome of objects")
    except (ObjectNotFoundError, DamagedDocumentError):
        return None


def _shard_lists(found: Survey) -> Iterator[Removable]:
    """Yields lists of images that no shard of the catalogue has any more."""
    if found.shards is None:
        return
    for item in found.store.list(SHARDS_FOLDER):
        digest = shard_digest(item.path)
        if digest is not None and digest not in found.shards and not found.is_young(item):
            yield Removable(item, "leftovers", False, item.path)


def _runs(found: Survey) -> Iterator[Removable]:
    """Yields what runs left that never completed, and what nobody wants of old ones."""
    old = _old_runs(found)

    def files() -> Iterator[tuple[str, str, StoredObject]]:
        for item in found.store.list(RUNS_FOLDER):
            file = run_file(item.path)
            if file is not None:
                yield (*file, item)

    for run_id, group in groupby(files(), key=lambda file: file[0]):
        of_run = {name: item for _, name, item in group}
        if any(found.is_young(item) for item in of_run.values()):
            continue
        if run_id in old:
            yield from (
                Removable(item, "old_runs", False, run_id)
                for name, item in of_run.items()
                if name in RUN_ARTEFACTS or (name == MODEL and not _is_used(found, item, old))
            )
        elif _is_given_up(found, run_id, of_run):
            # One that only trained has no manifest either.
            is_kept = MODEL in of_run and _is_used(found, of_run[MODEL], {run_id})
            yield from (
                Removable(item, "killed_runs", False, run_id)
                for name, item in of_run.items()
                if not (is_kept and name in (MODEL, MODEL_FILE))
            )


def _is_used(found: Survey, model: StoredObject, old: set[str]) -> bool:
    """Returns whether a model counts, or a run other than old ones was made with it."""
    named = found.references
    users = {run for run, path in named.models_of_runs.items() if path == model.path}
    return bool(named.unreadable) or model.path in named.models or bool(users - old)


def _trainings(found: Survey) -> Iterator[Removable]:
    """Yields what trainings have kept that ended, or that nobody went on with for long."""
    for item in found.store.list(TRAINING_FOLDER):
        name = training_file(item.path)
        # The states of trainings that ended are empty.
        days = None if name == STATE and not item.size_bytes else found.retention.unused_days
        if name in (STATE, ATTEMPT) and not found.is_young(item, days):
            yield Removable(item, "leftovers", False, item.path)


def _is_given_up(found: Survey, run_id: str, of_run: dict[str, StoredObject]) -> bool:
    """Returns whether a run ended before its manifest, nothing names it, and nobody goes on."""
    if MANIFEST_FILE in of_run or run_id in found.references.run_ids or found.references.unreadable:
        return False
    return not any(found.is_young(i, found.retention.unused_days) for i in of_run.values())


def _old_runs(found: Survey) -> set[str]:
    """Returns the complete runs whose reports and logs were not asked to be kept."""
    n_kept, days = found.retention.keep_runs, found.retention.runs_older_than_days
    if n_kept is None and days is None:
        return set()
    complete = found.references.complete
    newest_first = sorted(complete, key=lambda run_id: (complete[run_id], run_id), reverse=True)
    limit_s = found.now_s if days is None else found.now_s - days * DAY_S
    return {run_id for run_id in newest_first[n_kept or 0 :] if complete[run_id] <= limit_s}
