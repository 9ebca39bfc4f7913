"""The whole flow without Dagster: list, train, decode and embed, select, upload, report.

Every way in (Python, command line, Dagster's jobs, the worker) comes through here or calls the same
steps; none has logic of its own. A step is a module of `steps`.
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources.retries import Retries
from lightly_pipeline.logs import logger_of
from lightly_pipeline.progress import Progress, ProgressMeter, silent
from lightly_pipeline.runs.log import RunLog
from lightly_pipeline.runs.marks import in_progress
from lightly_pipeline.runs.result import RunResult
from lightly_pipeline.steps.listener import RunListener, SilentListener
from lightly_pipeline.steps.listing import check_first, list_catalog
from lightly_pipeline.steps.own_vectors import check_names
from lightly_pipeline.steps.processing import ProcessResult, process_videos
from lightly_pipeline.steps.reporting import log_result, report_run
from lightly_pipeline.steps.selecting import select_frames
from lightly_pipeline.steps.setup import Block, Run, resolve_config
from lightly_pipeline.steps.timing import timed_step
from lightly_pipeline.steps.training import train_model
from lightly_pipeline.steps.uploading import upload_frames
from lightly_pipeline.steps.wanted import wanted_videos
from lightly_pipeline.tables.catalog import Catalog
from lightly_pipeline.telemetry import metrics
from lightly_pipeline.telemetry.labels import labelled
from lightly_pipeline.training.models import TrainedModel

_logger = logger_of(__name__)


def run(
    dataset: Dataset,
    worker_config: Block = None,
    lightly_config: Block = None,
    selection_config: Block = None,
    pipeline_config: Block = None,
    *,
    run_id: str | None = None,
    others: Sequence[Dataset] = (),
    progress: Progress = silent,
    listener: RunListener | None = None,
) -> RunResult:
    """Finds diverse frames in the videos of a dataset and stores them as images.

    Args:
        dataset: Where the videos are and where the images go.
        worker_config: Options in Lightly's shape, snake_case or camelCase.
        lightly_config: As above.
        selection_config: As above; 50 diverse frames when nothing is said anywhere.
        pipeline_config: Options of our own.
        run_id: Id of the run; a new UUID by default.
        others: Datasets whose tags may be queries of SIMILARITY, by their `dataset_id`.
        progress: Told how far every step is; a `ProgressMeter` can be asked for it, too.
        listener: Told what came out of every step.

    Raises:
        InvalidConfigurationError: Before any work.
        DatasourceError: A store failed for longer than retries lasted; run again to resume.
        LightlyPipelineError: There is nothing to select from.
    """
    config = resolve_config(
        dataset, worker_config, lightly_config, selection_config, pipeline_config
    )
    meter = progress if isinstance(progress, ProgressMeter) else ProgressMeter(progress)
    made = Run(dataset, config, run_id or str(uuid.uuid4()), others, meter)
    return run_steps(made, listener or SilentListener())


def run_steps(run: Run, listener: RunListener) -> RunResult:
    """Takes a run through its steps.

    Raises:
        LightlyPipelineError: As `run` does.
    """
    with (
        metrics.flushing(),
        labelled(dataset=run.dataset.name, run=run.run_id),
        metrics.timing("run"),
    ):
        steps = _RunSteps(run)
        with ExitStack() as marked:
            catalog = steps.catalog(marked)
            listener.listed(run, catalog)
            model = steps.train(catalog)
            if model is not None:
                listener.trained(run, model)
            processed = steps.process(catalog)
            listener.processed(run, processed)
            result = steps.finish(processed)
        run.progress.end()
        listener.finished(run, result)
        return result


class _RunSteps:
    """The steps of one run, timed and logged: catalog, train, process, finish, in this order.

    Args:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._seconds: dict[str, float] = {}
        self._retries = Retries()
        self._log = RunLog(run.dataset.lightly, run.run_id)

    def catalog(self, marked: ExitStack) -> Catalog:
        """Checks access and what the strategies read, and lists the videos.

        Between both the run is marked as in progress, until `marked` is closed.
        """
        with self._step("catalog"):
            for warning in self._run.warnings:
                _logger.warning(warning)
            check_first(self._run)
            marked.enter_context(in_progress(self._run.dataset.lightly, self._run.run_id))
            return list_catalog(self._run)

    def train(self, catalog: Catalog) -> TrainedModel | None:
        """Trains the model that embeds, or finds the one that counts; None where nothing asks."""
        if not self._run.config.worker.enable_training:
            return None
        with self._step("train"):
            model = train_model(self._run, catalog)
            # Looked at now: the run keeps to this model, whatever others train meanwhile.
            _ = self._run.encoder
            return model

    def process(self, catalog: Catalog) -> ProcessResult:
        """Makes the tables that are missing, of the videos that take part."""
        with self._step("decode_and_embed"):
            wanted = wanted_videos(self._run, catalog)
            check_names(self._run, Catalog(wanted.videos))
            return process_videos(self._run, Catalog(wanted.videos)).telling(wanted)

    def finish(self, processed: ProcessResult) -> RunResult:
        """Selects, and writes the images, the manifest and the report."""
        with self._step("select"):
            select_frames(self._run, processed)
        with self._step("upload"):
            uploaded = upload_frames(self._run)
        with self._step("report"):
            result = report_run(
                self._run, uploaded, self._seconds, n_decoded_frames=processed.n_decoded_frames
            )
        self._seconds["total"] = round(sum(self._seconds.values()), 3)
        result = replace(
            result,
            n_decoded_videos=processed.n_decoded_frames
            if self._run.dataset.of_images
            else processed.n_decoded_videos,
            requests=result.requests + processed.traffic.n_requests,
            bytes_read=result.bytes_read + processed.traffic.n_bytes,
            seconds=self._seconds,
            retries=self._retries.causes,
            waited_s=self._retries.waited_s,
        )
        with self._log.collecting():
            log_result(result)
        self._log.write()
        return result

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        step = timed_step(self._run, name, self._seconds, self._retries)
        with self._log.collecting(), step:
            yield
