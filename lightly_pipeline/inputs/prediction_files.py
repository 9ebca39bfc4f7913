"""Reads the predictions of one task: a file per frame, those that there are.

What a file says is in `predictions.py`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.rows import FrameRows, frame_stem, rows_by_name
from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs import scores
from lightly_pipeline.inputs.files import in_threads, list_names, read_json
from lightly_pipeline.inputs.predictions import FramePrediction, Task, parse_prediction
from lightly_pipeline.logs import logger_of

_logger = logger_of(__name__)
_SHOWN = 5


class TaskTable:
    """The numbers of one task, a row per frame; a frame without prediction has zeros.

    Attributes:
        distribution: Shape (N, C): summed class probabilities.
        counts: Shape (N, C): objects per category.
        known: Shape (N,): frames with a usable file.
        skipped: Reason by location of the files that could not be used.
    """

    def __init__(self, task: Task, n_rows: int, wanted: Sequence[str]) -> None:
        self._task = task
        self._scores = {score: np.zeros(n_rows) for score in wanted}
        self.distribution = np.zeros((n_rows, len(task.categories)))
        self.counts = np.zeros((n_rows, len(task.categories)))
        self.known = np.zeros(n_rows, dtype=bool)
        self.skipped: dict[str, str] = {}

    def set(self, places: list[int], prediction: FramePrediction) -> None:
        """Sets the rows of one frame."""
        self.known[places] = True
        self.distribution[places] = prediction.distribution
        self.counts[places] = prediction.counts
        for name, values in self._scores.items():
            values[places] = prediction.score(name, self._task.task_type)

    def score(self, name: str) -> NDArray[np.float64]:
        """Returns a score of all frames, shape (N,)."""
        values = self._scores[name]
        return scores.object_frequencies(values) if name == scores.OBJECT_FREQUENCY else values


def read_task(store: Datasource, task: Task, rows: FrameRows, wanted: Sequence[str]) -> TaskTable:
    """Reads a task's files; a bad one is skipped and reported.

    Args:
        store: The LIGHTLY datasource.
        task: The task's schema.
        rows: The frames.
        wanted: Scores that are computed.

    Raises:
        LightlyPipelineError: No frame has a usable file.
    """
    files = rows_by_name(rows, list_names(store, task.folder) - {"schema"})
    table = TaskTable(task, len(rows), wanted)

    def read(name: str) -> FramePrediction | str:
        try:
            return parse_prediction(read_json(store, f"{task.folder}{name}.json"), task)
        except (ValueError, LightlyPipelineError) as error:
            return str(error)

    for name, prediction in in_threads(read, sorted(files)):
        if isinstance(prediction, str):
            table.skipped[store.location(f"{task.folder}{name}.json")] = prediction
        else:
            table.set(files[name], prediction)
    _check_any(store, task, rows, table)
    for location, reason in list(table.skipped.items())[:_SHOWN]:
        _logger.warning("%s: left out: %s", location, reason)
    return table


def _check_any(store: Datasource, task: Task, rows: FrameRows, table: TaskTable) -> None:
    if table.known.any():
        return
    first = rows.videos[rows.owner[0]]
    example = f"{task.folder}{frame_stem(first, int(rows.index[0]))}.json"
    reason = next(iter(table.skipped.values()), "")
    wrong = f" ({len(table.skipped)} are wrong, the first: {reason})" if reason else ""
    raise LightlyPipelineError(
        f"prediction task {task.name}: none of the {len(rows)} frames has a usable file in "
        f"{store.location(task.folder)}{wrong}; the first frame's would be {example}"
    )
