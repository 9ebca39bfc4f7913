"""Reads the predictions of one task: a file per frame, or one for many; those that there are.

What a file or line says is in `predictions.py`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.rows import FrameNames, FrameRows, frame_stem, rows_by_name
from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import LightlyPipelineError, ObjectNotFoundError
from lightly_pipeline.inputs import scores
from lightly_pipeline.inputs.bulk_files import (
    BulkFile,
    BulkLine,
    find_bulk,
    stem_of,
    without_collector,
)
from lightly_pipeline.inputs.bulk_names import NameCheck
from lightly_pipeline.inputs.entries import Entries, Entry
from lightly_pipeline.inputs.files import (
    in_threads,
    list_names,
    or_problem,
    read_json,
    read_required,
)
from lightly_pipeline.inputs.predictions import (
    TASKS_PATH,
    Task,
    parse_prediction,
    parse_task,
    parse_task_names,
    schema_path,
)
from lightly_pipeline.logs import logger_of

_logger = logger_of(__name__)
_SHOWN = 5
_BATCH = 1024
_MAX_KEPT = 1000
COLUMN = "predictions"
_Frames = list[tuple[list[int], list[Entry]]]


class TaskTable:
    """The numbers of one task, a row per frame; a frame without prediction has zeros.

    Attributes:
        distribution: Shape (N, C): summed class probabilities; (0, C) where it is not wanted.
        counts: Shape (N, C): objects per category; as above.
        known: Shape (N,): frames with a usable file or line.
        skipped: Reason by location of the files and lines that could not be used.
    """

    def __init__(self, task: Task, n_rows: int, wanted: Sequence[str], *, by_class: bool) -> None:
        self._task, self._by_class = task, by_class
        self._scores = {score: np.zeros(n_rows) for score in wanted}
        self.distribution = np.zeros((n_rows * by_class, len(task.categories)))
        self.counts = np.zeros((n_rows * by_class, len(task.categories)))
        self.known = np.zeros(n_rows, dtype=bool)
        self.skipped: dict[str, str] = {}

    def set(self, frames: _Frames) -> None:
        """Sets the rows of some frames, each given with its entries."""
        if not frames:
            return
        entries = Entries.of([found for _, found in frames], len(self._task.categories))
        places = np.array([row for rows, _ in frames for row in rows])
        of_frame = np.repeat(np.arange(len(frames)), [len(rows) for rows, _ in frames])
        self.known[places] = True
        if self._by_class:
            self.distribution[places] = entries.distribution()[of_frame]
            self.counts[places] = entries.counts()[of_frame]
        for name, values in self._scores.items():
            values[places] = entries.score(name, self._task.task_type)[of_frame]

    def score(self, name: str) -> NDArray[np.float64]:
        """Returns a score of all frames, shape (N,)."""
        values = self._scores[name]
        return scores.object_frequencies(values) if name == scores.OBJECT_FREQUENCY else values


def read_task_names(store: Datasource) -> list[str]:
    """Returns the prediction tasks of a dataset; none where it has no list of them.

    Raises:
        LightlyPipelineError: The list is wrong.
        DatasourceError: The store failed.
    """
    try:
        document = read_json(store, TASKS_PATH)
    except ObjectNotFoundError:
        return []
    return parse_task_names(document, store.location(TASKS_PATH))


def read_task_schema(store: Datasource, name: str) -> Task:
    """Returns the schema of a task.

    Raises:
        LightlyPipelineError: There is none, or it is wrong.
        DatasourceError: The store failed.
    """
    path = schema_path(name)
    document = read_required(store, path, f"prediction task {name}")
    return parse_task(document, name, store.location(path))


def read_task(
    store: Datasource, task: Task, rows: FrameRows, wanted: Sequence[str], *, by_class: bool = True
) -> TaskTable:
    """Reads a task's files; a bad file or line is skipped and reported.

    A frame's own file goes over the line that speaks of it.

    Args:
        store: The LIGHTLY datasource.
        task: The task's schema.
        rows: The frames.
        wanted: Scores that are computed.
        by_class: Whether distribution and counts are, too.

    Raises:
        LightlyPipelineError: No frame has a usable file or line.
        DatasourceError: The store failed.
    """
    table = TaskTable(task, len(rows), wanted, by_class=by_class)
    bulk = find_bulk(store, bulk_stem(task))
    if bulk:
        with without_collector():
            _read_lines(bulk, task, rows, table)
    files = rows_by_name(rows, list_names(store, task.folder) - {"schema"})

    def read(name: str) -> list[Entry] | str:
        path = f"{task.folder}{name}.json"
        return or_problem(lambda: parse_prediction(read_json(store, path), task))

    frames: _Frames = []
    for name, found in in_threads(read, sorted(files)):
        if isinstance(found, str):
            table.skipped[store.location(f"{task.folder}{name}.json")] = found
            continue
        frames.append((files[name], found))
        if len(frames) == _BATCH:
            table.set(frames)
            frames = []
    table.set(frames)
    _check_any(store, task, rows, table)
    for location, reason in list(table.skipped.items())[:_SHOWN]:
        _logger.warning("%s: left out: %s", location, reason)
    return table


def bulk_stem(task: Task) -> str:
    """Returns where the file of a task for many frames is, without ending."""
    return task.folder + COLUMN


def prediction_lines(store: Datasource, task: Task) -> Iterator[tuple[str, str, Any]]:
    """Yields what a task's file for many frames says, line after line; nothing without one.

    Yields:
        Where the line is, for people; the name of its frame's files, without ending; and what such
        a file would hold. Lines that name no frame are left out.

    Raises:
        LightlyPipelineError: There are two such files, or one cannot be read.
    """
    bulk = find_bulk(store, bulk_stem(task))
    for batch in bulk.batches([COLUMN]) if bulk else ():
        for line in batch:
            if bulk and line.name:
                yield bulk.line(line.number), stem_of(line.name), line.document


def plan_bulk_predictions(store: Datasource, task: Task) -> None:
    """Looks at a task's file for many frames, if there is one, before any work.

    Raises:
        LightlyPipelineError: There are two, or it lacks the column of names or of predictions.
    """
    bulk = find_bulk(store, bulk_stem(task))
    if bulk and bulk.missing_columns([COLUMN]):
        raise LightlyPipelineError(f"{bulk.location} has no column {COLUMN}")


def _read_lines(bulk: BulkFile, task: Task, rows: FrameRows, table: TaskTable) -> None:
    """Sets the rows that lines speak of; keeps the first thousand of those that are wrong."""
    names = NameCheck(bulk, FrameNames(rows), len(rows))
    n_skipped = 0
    for batch in bulk.batches([COLUMN]):
        frames: _Frames = []
        for line in batch:
            try:
                places = _places(names, line)
                if places:
                    frames.append((places, parse_prediction(line.document, task)))
            except ValueError as error:
                n_skipped += 1
                if n_skipped <= _MAX_KEPT:
                    called = f"{line.name}: " if line.name else ""
                    table.skipped[bulk.line(line.number)] = f"{called}{error}"
        table.set(frames)
    if n_skipped > _MAX_KEPT:
        table.skipped[bulk.location] = (
            f"{n_skipped - _MAX_KEPT} more {bulk.unit}s could not be used"
        )
    names.report()


def _places(names: NameCheck, line: BulkLine) -> list[int]:
    if line.problem:
        raise ValueError(line.problem)
    return names.rows_of(line, stem_of(line.name))


def _check_any(store: Datasource, task: Task, rows: FrameRows, table: TaskTable) -> None:
    if table.known.any():
        return
    first = rows.videos[rows.owner[0]]
    example = f"{task.folder}{frame_stem(first, int(rows.index[0]))}.json"
    reason = next(iter(table.skipped.values()), "")
    wrong = f" ({len(table.skipped)} are wrong, the first: {reason})" if reason else ""
    raise LightlyPipelineError(
        f"prediction task {task.name}: none of the {len(rows)} frames has a usable file or line in "
        f"{store.location(task.folder)}{wrong}; the first frame's file would be {example}"
    )
