"""What is around every step that Dagster executes: its run, failures, progress.

Turns a launch into the `Run` that the pipeline's steps take, and what they raise into what Dagster
shows and retries. What is reported of a step's work is in `events.py`.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import dagster as dg
import sqlalchemy.exc

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources.retries import Retries
from lightly_pipeline.defs.following import following
from lightly_pipeline.defs.launch import block_of
from lightly_pipeline.errors import DatasourceError, LightlyPipelineError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.steps.setup import Run, resolve_config
from lightly_pipeline.steps.timing import timed_step
from lightly_pipeline.telemetry import metrics

RETRIES = dg.RetryPolicy(
    max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
"""How often, and how long apart, a step is tried again after a fault of a store."""

DECODE_POOL, STORE_POOL = "lightly_pipeline_decode", "lightly_pipeline_store"
"""Concurrency pools of steps that decode, and of those that list, select and write images.

Without a limit on them, which is a deployment's to set, they bound nothing.
"""

RETRY_TAG = "dagster/retry_on_asset_or_op_failure"
_logger = logger_of(__name__)
_Answer = TypeVar("_Answer")


def launched_run(
    context: Any, dataset: Dataset, *launch: Any, others: Sequence[Dataset] = ()
) -> Run:
    """Returns the run that a launch asks for; all its blocks are validated together, first.

    Args:
        context: Of the step.
        dataset: The dataset.
        launch: What was written at launch: worker, lightly, selection and pipeline config.
        others: Datasets whose tags may be queries.

    Raises:
        Failure: Names what is wrong; never retried.
    """
    blocks = [block_of(resource) for resource in launch]
    config = failing(context, lambda: resolve_config(dataset, *blocks))
    return Run(dataset, config, run_id_of(context), others)


def run_id_of(context: Any) -> str:
    """Returns the id under which a run keeps its files: that of the first attempt."""
    run: dg.DagsterRun = context.run
    return run.root_run_id or run.run_id


def failing(context: Any, call: Callable[[], _Answer]) -> _Answer:
    """Calls, and turns what no retry can mend into a failure with our message.

    What the pipeline finds wrong stays wrong: such a run is not started again. What else ends a
    run, as an event that could not be written, is left to `run_retries`.

    Args:
        context: Of Dagster's step.
        call: Does the work.
    """
    try:
        return call()
    except DatasourceError:
        if not _is_tried_again(context):
            keep_failed(context)
        raise
    except LightlyPipelineError as error:
        raise final_failure(context, str(error)) from error


def final_failure(context: Any, message: str) -> dg.Failure:
    """Returns the failure of a step that no retry can mend, to be raised."""
    keep_failed(context)
    return dg.Failure(message, allow_retries=False)


def keep_failed(context: Any) -> None:
    """Tells Dagster not to start the run again for the failure of a step."""
    try:
        context.instance.add_run_tags(context.run.run_id, {RETRY_TAG: "false"})
    except Exception as error:
        if not is_of_storage(error):
            raise
        _logger.warning("Dagster may start the failed run again: %s", type(error).__name__)


def is_of_storage(error: BaseException) -> bool:
    """Returns whether an error is one of Dagster's storage: it says nothing about the work.

    A connection broke, the database restarts, SQLite is locked.
    """
    # Ours may have such a cause, too: clients' state is in a database of its own.
    if isinstance(error, LightlyPipelineError):
        return False
    # dagster-postgres has an error of its own for a database that takes no connection.
    return any(isinstance(e, sqlalchemy.exc.SQLAlchemyError) for e in (error, error.__cause__))


def _is_tried_again(context: Any) -> bool:
    policy: dg.RetryPolicy | None = context.op_def.retry_policy
    return policy is not None and context.retry_number < policy.max_retries


def working(
    context: Any,
    run: Run,
    step: str,
    call: Callable[[], _Answer],
    *,
    seconds: dict[str, float] | None = None,
    retries: Retries | None = None,
) -> _Answer:
    """Calls as `failing` does, and shows meanwhile how far the run is.

    Args:
        context: Of Dagster's step.
        run: The run.
        step: What is done of it, as `pipeline.run` calls it.
        call: Does it.
        seconds: Takes its wall time.
        retries: Counts what stores were asked again.
    """
    times = {} if seconds is None else seconds
    with (
        metrics.flushing(),
        following(context, run.progress),
        timed_step(run, step, times, retries or Retries()),
    ):
        return failing(context, call)
