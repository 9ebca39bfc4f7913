"""Runs that clients of `lightly_pipeline.api` scheduled, as Dagster runs of their datasets.

A sensor asks for a run of one job for every scheduled run that waits; the job's only step claims
it and does what the dataset's own run job does. One job for all datasets, so that a dataset is
served from the moment it is created, before the code location is reloaded. Who has a run, and what
becomes of it, is the queue's to decide (`api.queue`).
"""

import os
import time
from typing import Any

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.defs.describing import DATASET_TAG
from lightly_pipeline.defs.jobs import run_and_report
from lightly_pipeline.defs.step import (
    DECODE_POOL,
    RETRY_TAG,
    failing,
    is_of_storage,
    keep_failed,
)
from lightly_pipeline.logs import logger_of
from lightly_pipeline.scheduling.deployment import Deployment
from lightly_pipeline.scheduling.errors import StateUnavailableError
from lightly_pipeline.scheduling.execution import executing
from lightly_pipeline.scheduling.models import Claim, RunState
from lightly_pipeline.scheduling.names import labels_of
from lightly_pipeline.scheduling.patience import until_reached
from lightly_pipeline.scheduling.scheduled_run import ScheduledRun
from lightly_pipeline.steps.setup import Run, resolve_config

LABELS_VARIABLE = "LIGHTLY_PIPELINE_LABELS"
RUN_TAG = "lightly_pipeline/scheduled_run"
LABELS_TAG = "lightly_pipeline/runs_on"
_logger = logger_of(__name__)
_JOB = "scheduled_runs"
_SENSOR = "take_scheduled_runs"
_INTERVAL_S = 5
_BUSY_S = 2.0
_WILL_RETRY = "dagster/will_retry"
# Per tick; those beyond wait for the next ones.
_MAX_REQUESTED, _MAX_CHECKED = 100, 1000


class ScheduledLaunch(dg.Config):
    """The scheduled run that is executed, with its configuration blocks."""

    scheduled_run_id: str
    worker_config: dict[str, Any] = {}
    lightly_config: dict[str, Any] = {}
    selection_config: dict[str, Any] = {}


def client_datasets() -> list[Dataset]:
    """Returns the datasets that clients created and gave both datasources."""
    try:
        deployment = Deployment.existing()
        return [] if deployment is None else deployment.complete_datasets()
    except StateUnavailableError as error:
        # The declared datasets are served all the same, and clients' runs by `scheduled_runs`.
        _logger.warning("datasets of clients are missing until definitions are reloaded: %s", error)
        return []


def scheduled_runs() -> tuple[dg.JobDefinition, dg.SensorDefinition]:
    """Returns the job that executes scheduled runs and the sensor that asks for it."""

    @dg.op(
        name="process_scheduled",
        description="Claims a scheduled run, lists, decodes what is new, selects, writes images.",
        pool=DECODE_POOL,
    )
    def process_scheduled(context: dg.OpExecutionContext, config: ScheduledLaunch) -> None:
        _process(context, config)

    @dg.job(
        name=_JOB,
        description="Executes a run that a client of lightly_pipeline.api scheduled.",
        executor_def=dg.in_process_executor,
        # One whose process died, or lost Dagster's storage, is started again; see `_process`.
        tags={RETRY_TAG: "true"},
    )
    def job() -> None:
        process_scheduled()

    @dg.sensor(
        name=_SENSOR,
        job=job,
        minimum_interval_seconds=_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for a run of every scheduled run that waits for these labels: "
        f"{', '.join(sorted(_labels())) or 'none'} ({LABELS_VARIABLE}).",
    )
    def take(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        deployment = Deployment.existing()
        if deployment is None:
            return dg.SkipReason("no client has scheduled a run yet")
        end_abandoned(context.instance, deployment)
        waiting = deployment.queue.waiting(_labels())[:_MAX_REQUESTED]
        if not waiting:
            return dg.SkipReason("no scheduled run waits")
        names = {data.id: data.name for data in deployment.datasets.all()}
        return dg.SensorResult(
            [_request(run, names.get(run.dataset_id, run.dataset_id)) for run in waiting]
        )

    return job, take


def _labels() -> set[str]:
    return labels_of(os.environ.get(LABELS_VARIABLE, ""))


def _request(run: ScheduledRun, dataset_name: str) -> dg.RunRequest:
    return dg.RunRequest(
        # Another one after each claim, so that a run that was given back is asked for again.
        run_key=f"{run.id}-{run.claims}",
        run_config={
            "ops": {"process_scheduled": {"config": {"scheduled_run_id": run.id, **run.blocks}}}
        },
        tags={
            RUN_TAG: run.id,
            DATASET_TAG: dataset_name,
            "dagster/priority": str(run.priority.rank),
            **({LABELS_TAG: ",".join(run.runs_on)} if run.runs_on else {}),
        },
    )


def _process(context: dg.OpExecutionContext, launch: ScheduledLaunch) -> None:
    deployment = until_reached(Deployment)
    run = _claimed(context, deployment, launch.scheduled_run_id)
    if run is None:
        context.log.warning("another executor has the scheduled run, or it ended: nothing to do")
        return

    def everything() -> None:
        with executing(
            deployment.queue, run, when_interrupted="abort", is_executors=is_of_storage
        ) as reporter:
            dataset = until_reached(lambda: deployment.dataset(run.dataset_id))
            config = resolve_config(
                dataset, launch.worker_config, launch.lightly_config, launch.selection_config
            )
            others = until_reached(deployment.complete_datasets)
            run_and_report(context, Run(dataset, config, run.id, others, reporter.meter))

    try:
        failing(context, everything)
    except Exception as error:
        if not is_of_storage(error):
            # The scheduled run has ended as FAILED.
            keep_failed(context)
        raise


def _claimed(
    context: dg.OpExecutionContext, deployment: Deployment, scheduled_id: str
) -> ScheduledRun | None:
    """Claims the run once its dataset is free; None when another executor has it."""
    executor = _executor(context.run)
    while True:
        claim, run = until_reached(lambda: deployment.queue.claim(scheduled_id, executor))
        if claim is not Claim.BUSY:
            return run
        context.log.info("another run of the dataset is in progress; waiting for its end")
        time.sleep(_BUSY_S)


def end_abandoned(instance: dg.DagsterInstance, deployment: Deployment) -> None:
    """Ends scheduled runs whose Dagster run ended without a word: canceled early, or crashed."""
    runs = {run.id: run for run in deployment.queue.unended()[:_MAX_CHECKED]}
    if not runs:
        return
    ended = dg.RunsFilter(
        tags={RUN_TAG: list(runs)},
        statuses=[dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
    )
    for launched in instance.get_runs(ended):
        run = runs[launched.tags[RUN_TAG]]
        executor = _executor(launched)
        if run.executor not in (None, executor) or _is_started_again(instance, launched):
            continue
        if launched.status is dg.DagsterRunStatus.CANCELED:
            deployment.queue.end_for(run, RunState.ABORTED, f"canceled: {executor}")
        else:
            message = f"{executor} ended without a word: its log may say why"
            deployment.queue.end_for(run, RunState.CRASHED, message)


def _is_started_again(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Returns whether Dagster starts an ended run again, or has not made up its mind yet."""
    if run.status is dg.DagsterRunStatus.CANCELED:
        return False
    decision = run.tags.get(_WILL_RETRY)
    return decision == "true" or (decision is None and instance.run_retries_enabled)


def _executor(run: dg.DagsterRun) -> str:
    """Returns the name under which a Dagster run and its retries claim a scheduled run."""
    return f"Dagster run {run.root_run_id or run.run_id}"
