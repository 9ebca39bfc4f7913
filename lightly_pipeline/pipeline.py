"""The whole flow without Dagster: list, decode and embed, select, upload.

Every way in (Python, command line, Dagster assets) calls these functions; none has logic of its
own. How each step works is in the package it calls.
"""

import hashlib
import json
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from lightly_pipeline.config import RunBlocks, RunConfig
from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources import (
    StoredObject,
    Traffic,
    list_videos,
    still_answers,
    verify_access,
)
from lightly_pipeline.errors import (
    DatasourceError,
    LightlyPipelineError,
    ObjectChangedError,
    ObjectNotFoundError,
)
from lightly_pipeline.layout import run_path
from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.runs.datapool import add_entry, read_datapool
from lightly_pipeline.runs.log import RunLog
from lightly_pipeline.runs.records import (
    SelectionRecord,
    chosen_set,
    read_selection,
    write_corruptness_report,
    write_manifest,
    write_sequence_information,
)
from lightly_pipeline.runs.tags import add_tag
from lightly_pipeline.tables.catalog import Catalog, read_catalog, write_catalog
from lightly_pipeline.tables.fingerprint import embedding_id
from lightly_pipeline.tables.outcome import VideoOutcome

if TYPE_CHECKING:
    from lightly_pipeline.embedding import Encoder, EncoderSpec
    from lightly_pipeline.inputs.gather import InputPlan
    from lightly_pipeline.tables.build import TableBuilder
    from lightly_pipeline.video import FrameSampling

_logger = logging.getLogger(__name__)
# A video that is replaced over and over while it is read is given up on after so many versions.
_MAX_VERSIONS = 3


@dataclass(frozen=True, slots=True)
class SelectedFrame:
    """One chosen frame and its image, relative to the LIGHTLY datasource."""

    video: str
    frame_index: int
    time_s: float | None
    image: str


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did.

    Attributes:
        run_id: Id of the run; its files are in `.lightly/runs/<run_id>/`.
        n_input_videos: Videos listed, corrupt ones included.
        n_input_frames: Frames that took part in the selection.
        n_selected: Images stored.
        selected: The chosen frames in the order of picks.
        corrupt_videos: Reason by path of every video that gave no frame.
        corrupt_samples: Reason by name of every frame that could not be decoded.
        failed_videos: Reason by path of every video that a store would not give or take, left out.
        n_decoded_videos: Videos that had to be decoded for their tables; 0 when all were there.
        requests: Asked of the INPUT store to read videos, repeated ones included.
        bytes_read: What they brought.
        seconds: Wall time by step.
        manifest: Location of the manifest.
        images: Location of the folder that all images of the dataset are in.
        summary: What the selection achieved.
        tag: Name of the tag that holds the chosen frames.
    """

    run_id: str
    n_input_videos: int
    n_input_frames: int
    n_selected: int
    selected: tuple[SelectedFrame, ...]
    corrupt_videos: dict[str, str]
    corrupt_samples: dict[str, str]
    n_decoded_videos: int
    seconds: dict[str, float]
    manifest: str
    images: str
    failed_videos: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    bytes_read: int = 0
    summary: dict[str, Any] = field(default_factory=dict)
    tag: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Returns the result as JSON-able values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """What became of the videos of a catalogue.

    Attributes:
        catalog: Those with an outcome, in the version that it is of.
        outcomes: Theirs, in the same order.
        n_decoded_videos: How many were made just now.
        failed: Reason by path of those without one.
        traffic: What reading the videos has cost just now.
    """

    catalog: Catalog
    outcomes: tuple[VideoOutcome, ...]
    n_decoded_videos: int
    failed: dict[str, str] = field(default_factory=dict)
    traffic: Traffic = field(default_factory=Traffic)


Block = Mapping[str, Any] | None
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


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
        progress: Told how far every step is.

    Raises:
        InvalidConfigurationError: Before any work.
        DatasourceError: A store failed for longer than retries lasted; run again to resume.
        LightlyPipelineError: There is nothing to select from.
    """
    config = resolve_config(
        dataset, worker_config, lightly_config, selection_config, pipeline_config
    )
    steps = RunSteps(
        dataset, config, run_id=run_id or str(uuid.uuid4()), others=others, progress=progress
    )
    return steps.finish(steps.process(steps.catalog()))


class RunSteps:
    """The steps of one run, timed and logged: catalog, process, finish, in this order.

    For callers that report between them; `run` does them at once and explains the arguments.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: RunConfig,
        *,
        run_id: str,
        others: Sequence[Dataset] = (),
        progress: Progress = silent,
    ) -> None:
        self._dataset, self._config, self._run_id = dataset, config, run_id
        self._others, self._progress = others, progress
        self._seconds: dict[str, float] = {}
        self._log = RunLog(dataset.lightly, run_id)

    def catalog(self) -> Catalog:
        """Checks access and what the strategies read, and lists the videos."""
        with self._step("catalog"):
            for warning in self._config.warnings:
                _logger.warning(warning)
            check_access(self._dataset, self._config)
            plan_selection(self._dataset, self._config, self._others)
            return list_catalog(self._dataset, progress=self._progress)

    def process(self, catalog: Catalog) -> ProcessResult:
        """Makes the tables that are missing."""
        with self._step("decode_and_embed"):
            return process_videos(self._dataset, self._config, catalog, progress=self._progress)

    def finish(self, processed: ProcessResult) -> RunResult:
        """Selects, and writes the images and the manifest."""
        with self._step("select"):
            select_frames(
                self._dataset,
                self._config,
                processed,
                run_id=self._run_id,
                others=self._others,
                progress=self._progress,
            )
        with self._step("upload"):
            result = upload_frames(
                self._dataset, self._run_id, config=self._config, progress=self._progress
            )
        self._log.write()
        self._seconds["total"] = round(sum(self._seconds.values()), 3)
        return replace(
            result,
            n_decoded_videos=processed.n_decoded_videos,
            requests=result.requests + processed.traffic.n_requests,
            bytes_read=result.bytes_read + processed.traffic.n_bytes,
            seconds=self._seconds,
        )

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        with self._log.collecting():
            yield
        self._seconds[name] = round(time.monotonic() - started, 3)


def resolve_config(
    dataset: Dataset,
    worker_config: Block = None,
    lightly_config: Block = None,
    selection_config: Block = None,
    pipeline_config: Block = None,
) -> RunConfig:
    """Returns the effective configuration: launch over the dataset's over the page's default.

    Raises:
        InvalidConfigurationError: A block is wrong, or asks for what is not supported yet.
    """
    defaults = RunBlocks(
        worker_config=dataset.worker_config,
        lightly_config=dataset.lightly_config,
        selection_config=dataset.selection_config,
    )
    config = RunConfig.from_blocks(
        worker_config, lightly_config, selection_config, pipeline_config, defaults=defaults
    )
    config.check_supported()
    return config


def check_access(dataset: Dataset, config: RunConfig) -> None:
    """Tries the permissions a run needs before any work, unless `bypass_verify` is set."""
    if config.worker.datasource.bypass_verify:
        return
    verify_access(dataset.input, writable=False)
    verify_access(dataset.lightly, writable=True)


def list_catalog(dataset: Dataset, *, progress: Progress = silent) -> Catalog:
    """Lists the videos of the INPUT datasource and remembers them.

    Raises:
        LightlyPipelineError: There is no video.
    """
    videos = []
    for video in list_videos(dataset.input):
        videos.append(video)
        progress("list", len(videos), None, "videos")
    if not videos:
        raise LightlyPipelineError(
            f"no videos in {dataset.input.describe()}: files ending in .mp4, .m4v, .hevc, .mpg, "
            ".mpeg, .avi, .mov or .webm are looked for, in all subfolders"
        )
    catalog = Catalog(tuple(videos))
    write_catalog(dataset.lightly, catalog)
    _logger.info("%d videos in %s", len(videos), dataset.input.describe())
    return catalog


def stored_catalog(dataset: Dataset) -> Catalog:
    """Returns the catalogue of the last listing.

    Raises:
        LightlyPipelineError: Nothing was listed yet.
    """
    catalog = read_catalog(dataset.lightly)
    if catalog is None:
        raise LightlyPipelineError(
            f"dataset {dataset.name} has no catalogue yet: list its videos first "
            "(materialize video_catalog)"
        )
    return catalog


def encoder_spec_of(config: RunConfig) -> "EncoderSpec":
    """Returns which encoder a configuration asks for, without loading it."""
    from lightly_pipeline.embedding import encoder_spec

    return encoder_spec(
        config.lightly.model.name,
        checkpoint=config.worker.checkpoint or None,
        gpus=config.lightly.trainer.gpus,
        precision=config.lightly.trainer.precision or 32,
        batch_size=config.lightly.loader.batch_size,
    )


def frame_sampling(config: RunConfig) -> "FrameSampling":
    """Returns which frames of a video take part."""
    from lightly_pipeline.video import FrameSampling

    return FrameSampling(**config.pipeline.frame_sampling.model_dump())


def table_id(config: RunConfig) -> str:
    """Returns the embedding id of the tables a configuration works on."""
    from lightly_pipeline.video.versions import decoder_version

    return embedding_id(
        encoder_spec_of(config).identity(),
        decoder_version(),
        frame_sampling(config).identity(),
        untagged_matrix=config.pipeline.untagged_matrix,
    )


def table_builder(dataset: Dataset, config: RunConfig) -> "TableBuilder":
    """Returns what makes the tables of a dataset; the encoder is loaded when first needed."""
    from lightly_pipeline.tables.build import TableBuilder

    spec = encoder_spec_of(config)
    lock = threading.Lock()
    loaded: list[Encoder] = []

    def encoder() -> "Encoder":
        from lightly_pipeline.embedding import load_encoder

        with lock:
            if not loaded:
                loaded.append(load_encoder(spec))
            return loaded[0]

    return TableBuilder(
        dataset.input,
        dataset.lightly,
        encoder,
        table_id(config),
        config.pipeline.untagged_matrix,
        frame_sampling(config),
    )


def process_videos(
    dataset: Dataset,
    config: RunConfig,
    catalog: Catalog,
    *,
    progress: Progress = silent,
    on_outcome: Callable[[VideoOutcome], None] = lambda _: None,
) -> ProcessResult:
    """Makes the tables that are missing: several videos at once, one thread each.

    A thread per video scales like a process per video, costs nothing and keeps damaged videos
    decoding the same way every time, which several threads in one decoder do not.

    Args:
        dataset: The dataset.
        config: The effective configuration.
        catalog: The videos to process; all of a dataset's, or a chunk of them.
        progress: Told about decoded frames; their total is an estimate from the bytes done.
        on_outcome: Called with each outcome as soon as it is stored, from any thread.

    Raises:
        DatasourceError: A store failed. Unless it stopped answering at all, the other videos were
            finished first; with `allow_incomplete` that is no error.
    """
    builder = table_builder(dataset, config)
    outcomes: dict[str, VideoOutcome] = {}
    todo = []
    for video in catalog.videos:
        outcome = builder.existing(video)
        if outcome is None:
            todo.append(video)
        else:
            outcomes[video.path] = outcome
            on_outcome(outcome)
    _logger.info("%d videos to decode, %d known", len(todo), len(outcomes))
    meter = _FrameMeter(progress, sum(video.size_bytes for video in todo))
    failures = _Failures(dataset)

    def work(video: StoredObject) -> tuple[StoredObject, VideoOutcome] | None:
        with failures.noting(video):
            made = _build_current(dataset, builder, video, meter.add_frames)
            meter.finish(video.size_bytes)
            if made is not None:
                on_outcome(made[1])
            return made
        return None

    # The longest first, so that the last threads to finish do so together.
    order = sorted(todo, key=lambda video: (-video.size_bytes, video.path))
    versions = {video.path: video for video in catalog.videos}
    with _light_threads(bool(order)):
        results = list(_map(work, order, n_threads(config)))
    failures.check(may_go_on=config.pipeline.allow_incomplete)
    for video, made in zip(order, results, strict=True):
        if made is None:
            del versions[video.path]
            continue
        versions[video.path], outcomes[video.path] = made
    meter.close()
    current = Catalog(tuple(versions.values()))
    return ProcessResult(
        current,
        tuple(outcomes[video.path] for video in current.videos),
        len(todo) - len(failures.reasons),
        failures.reasons,
        Traffic.sum(Traffic(made[1].requests, made[1].bytes_read) for made in results if made),
    )


class _Failures:
    """Videos that a store would not give or take: they stop the others only if it is down."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._down: Exception | None = None
        self.reasons: dict[str, str] = {}

    @contextmanager
    def noting(self, video: StoredObject) -> Iterator[None]:
        """Notes a failure in the context; raises it if nothing can be had from the stores."""
        if self._down is not None:
            raise self._down
        try:
            yield
        except (DatasourceError, OSError) as error:
            if not self._stores_answer():
                self._down = error
                raise
            _logger.warning("%s: %s", video.path, error)
            self.reasons[video.path] = str(error)

    def check(self, *, may_go_on: bool) -> None:
        """Raises if there were failures that nobody allowed to leave out."""
        if not self.reasons or may_go_on:
            return
        shown = [f"{path}: {reason}" for path, reason in sorted(self.reasons.items())]
        raise DatasourceError(
            f"could not process {len(shown)} of the videos, all others are done: "
            + "; ".join(shown[:5])
            + ("; ..." if len(shown) > 5 else "")
            + ". Run again to try them once more, or set pipeline_config.allow_incomplete to "
            "select without them"
        )

    def _stores_answer(self) -> bool:
        source, store = self._dataset.input, self._dataset.lightly
        return still_answers(source, writable=False) and still_answers(store, writable=True)


def read_outcomes(dataset: Dataset, config: RunConfig, catalog: Catalog) -> ProcessResult:
    """Returns the stored outcomes of a catalogue, for a selection made apart from the decoding.

    A video whose last attempt failed is left out, so that one hopeless video blocks nothing.

    Raises:
        LightlyPipelineError: Videos were never attempted, unless `allow_incomplete` is set.
    """
    builder = table_builder(dataset, config)
    found = [(video, builder.existing(video)) for video in catalog.videos]
    failed = {video.path: builder.failure(video) for video, outcome in found if outcome is None}
    waiting = [path for path, failure in failed.items() if failure is None]
    if waiting and not config.pipeline.allow_incomplete:
        shown = ", ".join(waiting[:5]) + (", ..." if len(waiting) > 5 else "")
        raise LightlyPipelineError(
            f"{len(waiting)} of {len(found)} videos have no embeddings yet ({shown}): materialize "
            "video_frames and frame_embeddings for them first, or set "
            "pipeline_config.allow_incomplete to select without them"
        )
    if failed:
        _logger.warning("selecting without %d videos that have no embeddings", len(failed))
    done = [(video, outcome) for video, outcome in found if outcome is not None]
    return ProcessResult(
        Catalog(tuple(video for video, _ in done)),
        tuple(outcome for _, outcome in done),
        0,
        {path: failure or "not processed yet" for path, failure in failed.items()},
    )


def select_frames(
    dataset: Dataset,
    config: RunConfig,
    processed: ProcessResult,
    *,
    run_id: str,
    others: Sequence[Dataset] = (),
    progress: Progress = silent,
) -> SelectionRecord:
    """Chooses frames among all that were embedded, and stores the choice under the run.

    Args:
        dataset: The dataset.
        config: The effective configuration.
        processed: The videos with their outcomes.
        run_id: Id of the run. One that has entered the datapool already keeps what it chose.
        others: Datasets whose tags may be queries.
        progress: Told how far the selection is.

    Raises:
        LightlyPipelineError: There is nothing to select from, or an input is wrong.
    """
    from lightly_pipeline.steps.choosing import SelectionTask, choose_frames

    if config.worker.use_datapool:
        run_ids = read_datapool(dataset.lightly).run_ids
        if run_id in run_ids:
            return read_selection(dataset.lightly, run_id)
        if run_ids:
            _complete(dataset, config, run_ids[-1])
    return choose_frames(
        SelectionTask(
            dataset=dataset,
            config=config,
            run_id=run_id,
            embedding_id=table_id(config),
            catalog=processed.catalog,
            outcomes=processed.outcomes,
            failed=processed.failed,
            plan=plan_selection(dataset, config, others),
            load_encoder=table_builder(dataset, config).load_encoder,
            progress=progress,
        )
    )


def plan_selection(
    dataset: Dataset, config: RunConfig, others: Sequence[Dataset] = ()
) -> "InputPlan":
    """Looks up what the strategies read: schemas, tags, folders; cheap, so done before any work.

    Raises:
        LightlyPipelineError: Something is missing or wrong; names it.
    """
    from lightly_pipeline.inputs.gather import plan_inputs

    return plan_inputs(dataset, config, others)


def _complete(dataset: Dataset, config: RunConfig, run_id: str) -> None:
    """Writes the manifest and tag of a run that entered the datapool and ended before them."""
    if dataset.lightly.stat(run_path(run_id, "manifest.json")) is not None:
        return
    _logger.warning("run %s entered the datapool and has no manifest: completing it", run_id)
    try:
        upload_frames(dataset, run_id, config=config)
    except LightlyPipelineError as error:
        _logger.warning("run %s could not be completed: %s", run_id, error)


def upload_frames(
    dataset: Dataset, run_id: str, *, config: RunConfig, progress: Progress = silent
) -> RunResult:
    """Stores the images of a run's selection, its manifest, and last of all its tag.

    Raises:
        DatapoolChangedError: Another run entered the datapool since this one's selection; nothing
            but images, which all runs share, is kept.
    """
    from lightly_pipeline.export.upload import upload_images

    record = read_selection(dataset.lightly, run_id)
    uploaded = upload_images(
        dataset.input, dataset.lightly, record, n_threads=n_threads(config), progress=progress
    )
    corrupt_samples = {**record.corrupt_samples, **uploaded.failed}
    chosen = chosen_set(record, uploaded.images)
    if record.datapool is not None:
        add_entry(dataset.lightly, record.datapool, record.created, chosen)
    write_corruptness_report(dataset.lightly, run_id, corrupt_samples, record.corrupt_videos)
    if record.sequence_length > 1:
        write_sequence_information(dataset.lightly, record, uploaded.images)
    manifest = write_manifest(dataset.lightly, record, uploaded.images)
    tag = add_tag(dataset.lightly, record.created, chosen, is_trial=record.is_trial)
    _logger.info(
        "%d images in %s", len(uploaded.images), dataset.lightly.location(".lightly/frames")
    )
    return RunResult(
        run_id=run_id,
        n_input_videos=record.n_input_videos,
        n_input_frames=record.n_input_frames,
        n_selected=len(uploaded.images),
        selected=tuple(
            SelectedFrame(image.video, image.frame_index, image.time_s, image.image)
            for image in uploaded.images
        ),
        corrupt_videos=record.corrupt_videos,
        corrupt_samples=corrupt_samples,
        failed_videos=record.failed_videos,
        n_decoded_videos=0,
        requests=uploaded.traffic.n_requests,
        bytes_read=uploaded.traffic.n_bytes,
        seconds={},
        manifest=dataset.lightly.location(manifest),
        images=dataset.lightly.location(".lightly/frames"),
        summary=record.summary,
        tag=tag.name if tag else None,
    )


def missing_images(dataset: Dataset, run_id: str) -> list[str]:
    """Returns the images of a run's manifest that are not stored with the hash it names."""
    manifest = json.loads(dataset.lightly.read(run_path(run_id, "manifest.json")))
    return [
        image["image"]
        for image in manifest["images"]
        if not _has_hash(dataset, image["image"], image["sha256"])
    ]


def _has_hash(dataset: Dataset, path: str, sha256: str) -> bool:
    try:
        return hashlib.sha256(dataset.lightly.read(path)).hexdigest() == sha256
    except ObjectNotFoundError:
        return False


def n_threads(config: RunConfig) -> int:
    """Returns how many videos are worked on at once: `num_threads`, by default all cores."""
    wanted = config.worker.num_threads
    if wanted is not None and wanted > 0:
        return wanted
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def log_location(dataset: Dataset, run_id: str) -> str:
    """Returns where the log of a run is kept."""
    return dataset.lightly.location(run_path(run_id, "log.txt"))


def _build_current(
    dataset: Dataset,
    builder: "TableBuilder",
    video: StoredObject,
    on_frames: Callable[[int], None],
) -> tuple[StoredObject, VideoOutcome] | None:
    """Builds the table of a video, or of the version that replaced it; None if it was removed."""
    for _ in range(_MAX_VERSIONS):
        try:
            return video, builder.build(video, on_frames)
        except (ObjectChangedError, ObjectNotFoundError):
            current = dataset.input.stat(video.path)
            if current is None:
                _logger.warning("%s: removed since it was listed; skipped", video.path)
                return None
            _logger.warning("%s: replaced since it was listed; reading it again", video.path)
            video = current
    return video, builder.build(video, on_frames)


def _map(
    function: Callable[[_Item], _Result], items: Sequence[_Item], n_workers: int
) -> Iterator[_Result]:
    """Yields `function` of every item, in order; on an error, what runs is finished first."""
    with ThreadPoolExecutor(n_workers) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        failed = [f for f in futures if f.done() and not f.cancelled() and f.exception()]
        for future in failed:
            future.result()
        yield from (future.result() for future in futures)


@contextmanager
def _light_threads(needed: bool) -> Iterator[None]:
    """Keeps torch single-threaded while there is something to encode, else does not load it."""
    if not needed:
        yield
        return
    from lightly_pipeline.embedding.encoders import one_torch_thread

    with one_torch_thread():
        yield


class _FrameMeter:
    """Counts decoded frames over all threads and estimates how many there will be."""

    def __init__(self, progress: Progress, total_bytes: int) -> None:
        self._progress = progress
        self._total_bytes = total_bytes
        self._frames = 0
        self._done_bytes = 0
        self._frames_of_done = 0
        self._lock = threading.Lock()

    def add_frames(self, n: int) -> None:
        with self._lock:
            self._frames += n
            self._report()

    def finish(self, size_bytes: int) -> None:
        """Notes that a video of `size_bytes` is done."""
        with self._lock:
            self._done_bytes += size_bytes
            self._frames_of_done = self._frames
            self._report()

    def close(self) -> None:
        """Tells the final count."""
        with self._lock:
            self._progress("decode", self._frames, self._frames, "frames")

    def _report(self) -> None:
        self._progress("decode", self._frames, self._estimate(), "frames")

    def _estimate(self) -> int | None:
        if not self._done_bytes:
            return None
        estimate = self._frames_of_done * self._total_bytes // self._done_bytes
        return max(estimate, self._frames)
