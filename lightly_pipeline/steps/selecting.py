"""Third step: which frames; a run that has entered the datapool keeps what it chose.

How one selection is made is in `choosing.py`.
"""

from dataclasses import replace

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.layout import MANIFEST_FILE, run_path
from lightly_pipeline.logs import logger_of
from lightly_pipeline.runs.datapool import read_datapool
from lightly_pipeline.runs.records import SelectionRecord, read_selection
from lightly_pipeline.steps.processing import ProcessResult
from lightly_pipeline.steps.reporting import report_run
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.steps.uploading import upload_frames

_logger = logger_of(__name__)


def select_frames(run: Run, processed: ProcessResult) -> SelectionRecord:
    """Chooses frames among all that were embedded, and stores the choice under the run.

    Args:
        run: The run. One that has entered the datapool already keeps what it chose.
        processed: The videos with their outcomes.

    Raises:
        LightlyPipelineError: There is nothing to select from, or an input is wrong.
    """
    from lightly_pipeline.steps.choosing import choose_frames

    if run.config.worker.use_datapool:
        run_ids = read_datapool(run.dataset.lightly).run_ids
        if run.run_id in run_ids:
            return read_selection(run.dataset.lightly, run.run_id)
        if run_ids:
            _complete(replace(run, run_id=run_ids[-1]))
    return choose_frames(run, processed)


def _complete(run: Run) -> None:
    """Writes what a run lacks that entered the datapool and ended before its manifest."""
    if run.dataset.lightly.stat(run_path(run.run_id, MANIFEST_FILE)) is not None:
        return
    _logger.warning("run %s entered the datapool and has no manifest: completing it", run.run_id)
    try:
        report_run(run, upload_frames(run))
    except LightlyPipelineError as error:
        _logger.warning("run %s could not be completed: %s", run.run_id, error)
