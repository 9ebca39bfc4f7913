"""Which tables and documents are damaged, and what the next run does about each.

Reads only. Of a table its outcome is read, the heads of its two files, and their sizes as they are
listed; images are `lightly_pipeline.runs.verification`'s.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from lightly_pipeline.datasources import Datasource, StoredObject, concurrently, read_document
from lightly_pipeline.datasources.documents import FEW
from lightly_pipeline.errors import DamagedDocumentError, DatasourceError, ObjectNotFoundError
from lightly_pipeline.layout import RUNS_FOLDER, TABLES_FOLDER, run_path, shown_path, table_folder
from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.runs.datapool import POOL_FOLDER, read_datapool
from lightly_pipeline.runs.tags import TAGS_FOLDER, read_tag
from lightly_pipeline.tables.catalog import CATALOG_PATH, read_catalog
from lightly_pipeline.tables.fingerprint import video_fingerprint
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline.upkeep.owned import EMBEDDINGS, OUTCOME, ROWS, run_file, table_file

_AGAIN = "the next run decodes the video again"
_REBUILD = "runs stop at it: `lightly-pipeline rebuild` has the next one decode the video again"
_HEADER_BYTES = 128


class Fault(NamedTuple):
    """Something that is not as it was written.

    Attributes:
        path: The object, in LIGHTLY.
        problem: What is wrong.
        next: What a run does about it, or what to do.
    """

    path: str
    problem: str
    next: str


@dataclass
class TablesCheck:
    """What became of the tables.

    Attributes:
        n_tables: Tables that are complete.
        n_begun: Tables without an outcome: of videos that are being processed, or were.
        n_outdated: Complete tables of another version of a video than the one last listed.
        faults: What is damaged.
        folders: The tables that runs stop at, for `mending`.
    """

    n_tables: int = 0
    n_begun: int = 0
    n_outdated: int = 0
    faults: list[Fault] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)


class _Table(NamedTuple):
    table_id: str
    folder: str
    files: Mapping[str, StoredObject]


class _Verdict(NamedTuple):
    table: _Table
    outcome: VideoOutcome | None
    fault: Fault | None
    stops_runs: bool


def check_tables(store: Datasource, *, progress: Progress = silent) -> TablesCheck:
    """Reads the outcome of every table, and looks whether its files are as that says.

    Args:
        store: The LIGHTLY datasource.
        progress: Told how many tables were looked at.

    Raises:
        DatasourceError: The store failed.
    """
    found = TablesCheck()
    catalog = read_catalog(store)
    listed = {video.path: video for video in (catalog.videos if catalog else ())}
    verdicts = concurrently(lambda table: _checked(store, table), _tables(store), at_once=FEW)
    for n_seen, (table, outcome, fault, stops_runs) in enumerate(verdicts, start=1):
        progress("verify", n_seen, None, "tables")
        if fault is not None:
            found.faults.append(fault)
            found.folders += [table.folder] * stops_runs
        elif outcome is None:
            found.n_begun += 1
        else:
            found.n_tables += 1
            now = listed.get(outcome.video)
            if now is not None:
                fingerprint = video_fingerprint(now, table.table_id)
                found.n_outdated += fingerprint != outcome.fingerprint
    return found


def _tables(store: Datasource) -> Iterator[_Table]:
    def files() -> Iterator[tuple[str, str, str, StoredObject]]:
        for item in store.list(TABLES_FOLDER):
            file = table_file(item.path)
            if file is not None:
                yield file.table_id, item.path.removesuffix(f"/{file.name}"), file.name, item

    for (table_id, folder), group in groupby(files(), key=lambda file: file[:2]):
        yield _Table(table_id, folder, {name: item for _, _, name, item in group})


def _checked(store: Datasource, table: _Table) -> _Verdict:
    if OUTCOME not in table.files:
        return _Verdict(table, None, None, False)
    path = f"{table.folder}/{OUTCOME}"

    def parsed(document: dict[str, Any]) -> VideoOutcome:
        return VideoOutcome(**{**document, "warnings": tuple(document["warnings"])})

    try:
        outcome = read_document(store, path, parsed, "an outcome")
    except ObjectNotFoundError:
        return _Verdict(table, None, None, False)
    except DamagedDocumentError:
        return _Verdict(table, None, Fault(path, "is empty, cut or no outcome", _AGAIN), False)
    if table_folder(table.table_id, outcome.video) != table.folder:
        problem = f"is of {shown_path(outcome.video)}, which belongs elsewhere"
        return _Verdict(table, outcome, Fault(path, problem, _AGAIN), False)
    if outcome.is_corrupt:
        return _Verdict(table, outcome, None, False)
    fault = next(_faults(store, table, outcome), None)
    return _Verdict(table, outcome, fault, fault is not None)


def _faults(store: Datasource, table: _Table, outcome: VideoOutcome) -> Iterator[Fault]:
    """Yields what is wrong with the files of a complete table."""
    n_bytes = _HEADER_BYTES + 4 * outcome.n_rows * outcome.dim
    embeddings, rows = table.files.get(EMBEDDINGS), table.files.get(ROWS)
    of = f"{outcome.n_rows} frames of {shown_path(outcome.video)}"
    for name, file in ((EMBEDDINGS, embeddings), (ROWS, rows)):
        if file is None:
            yield Fault(f"{table.folder}/{name}", f"is missing: {of}", _REBUILD)
    if embeddings is not None and embeddings.size_bytes != n_bytes:
        yield Fault(embeddings.path, f"has {embeddings.size_bytes} of {n_bytes} bytes", _REBUILD)
    elif embeddings is not None and not _is_array(store, embeddings.path, outcome):
        yield Fault(embeddings.path, f"is not the array of {of}", _REBUILD)
    if rows is not None and (n_rows := _n_rows(store, rows.path)) != outcome.n_rows:
        problem = "is no Parquet file" if n_rows is None else f"has {n_rows} rows, not those of"
        yield Fault(rows.path, f"{problem} {of}".replace("file ", "file: "), _REBUILD)


def _is_array(store: Datasource, path: str, outcome: VideoOutcome) -> bool:
    """Returns whether a file begins as the array of a table does."""
    with store.open(path) as file:
        head = file.read(_HEADER_BYTES)
    return head.startswith(b"\x93NUMPY") and f"({outcome.n_rows}, {outcome.dim})".encode() in head


def _n_rows(store: Datasource, path: str) -> int | None:
    """Returns how many rows a Parquet file says it has; None where it is none."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        with store.open(path) as file:
            return int(ParquetFile(file).metadata.num_rows)
    except (pa.ArrowException, OSError, EOFError):
        return None


def check_documents(store: Datasource) -> list[Fault]:
    """Reads what is kept once for the whole dataset: catalogue, tags, datapool; and selections.

    Raises:
        DatasourceError: The store failed.
    """
    faults = [*_catalog_faults(store), *_tag_faults(store), *_pool_faults(store)]
    runs = [item for item in store.list(RUNS_FOLDER) if run_file(item.path)]
    selections = [item.path for item in runs if item.path.endswith("/selection.json")]
    wrong = "is empty, cut or no selection"
    faults += [
        Fault(path, wrong, "the run cannot be gone on with: start a new one")
        for path in _unreadable(store, selections)
    ]
    names = {item.path: item for item in runs}
    for item in runs:
        run_id, name = run_file(item.path) or ("", "")
        vectors = names.get(run_path(run_id, EMBEDDINGS))
        if name == "manifest.json" and (vectors is None or not vectors.size_bytes):
            faults.append(
                Fault(
                    run_path(run_id, EMBEDDINGS),
                    "is missing or empty",
                    "runs that build on its frames stop: it cannot be made again",
                )
            )
    return faults


def _unreadable(store: Datasource, paths: Iterable[str]) -> list[str]:
    def is_unreadable(path: str) -> bool:
        try:
            return not isinstance(json.loads(store.read(path)), dict)
        except ObjectNotFoundError:
            return False
        except ValueError:
            return True

    paths = list(paths)
    found = zip(paths, concurrently(is_unreadable, paths, at_once=FEW), strict=True)
    return [path for path, is_wrong in found if is_wrong]


def _catalog_faults(store: Datasource) -> Iterator[Fault]:
    again = "the next listing makes it again; of images, `lightly-pipeline rebuild` does first"
    if store.stat(CATALOG_PATH) is None:
        if next(store.list(TABLES_FOLDER), None) is not None:
            yield Fault(CATALOG_PATH, "is missing", again)
    elif read_catalog(store) is None:
        yield Fault(CATALOG_PATH, "or a list of images that it names is missing or damaged", again)


def _tag_faults(store: Datasource) -> Iterator[Fault]:
    for item in store.list(TAGS_FOLDER):
        name = item.path.removeprefix(TAGS_FOLDER).removesuffix(".json")
        if not item.path.endswith(".json") or "/" in name:
            continue
        try:
            read_tag(store, name)
        except DamagedDocumentError:
            yield Fault(
                item.path,
                "is empty, cut or no tag",
                "runs stop at it: `lightly-pipeline rebuild` makes that of a run again",
            )


def _pool_faults(store: Datasource) -> Iterator[Fault]:
    again = "datapool runs stop at it: `lightly-pipeline rebuild` makes it again"
    names = [item.path for item in store.list(POOL_FOLDER) if item.path.endswith(".json")]
    expected = [f"{POOL_FOLDER}{number:08d}.json" for number in range(1, len(names) + 1)]
    for path in sorted(set(expected) - set(names)):
        yield Fault(path, "is missing", again)
    try:
        read_datapool(store)
    except DamagedDocumentError as error:
        damaged = [path for path in names if store.location(path) in str(error)]
        for path in damaged:
            yield Fault(path, "is empty, cut or no datapool entry", again)
    except DatasourceError:
        # It was removed while it was read.
        return
