"""Second step: tables for the videos that have none yet, one decode each.

Which videos are left to do, several at once, what a store's refusal of one means for the others,
and how far it all is. How one table is made is in `tables.build`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, wait
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TypeVar

from lightly_pipeline.datasources import StoredObject, Traffic
from lightly_pipeline.errors import (
    LightlyPipelineError,
    ObjectChangedError,
    ObjectNotFoundError,
)
from lightly_pipeline.inputs.relevant import RelevantVideos
from lightly_pipeline.logs import logger_of
from lightly_pipeline.progress import ItemMeter
from lightly_pipeline.steps.expiring import LastingVideos
from lightly_pipeline.steps.refusals import Refusals
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.steps.wanted import WantedVideos, wanted_videos
from lightly_pipeline.tables.catalog import Catalog
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline.threads import ContextThreadPool, Spare, StoppedError

_logger = logger_of(__name__)
# A video that is replaced over and over while it is read is given up on after so many versions.
_MAX_VERSIONS = 3
_N_SAMPLED = 16
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """What became of the videos of a catalogue.

    Attributes:
        catalog: Those with an outcome, in the version that it is of.
        outcomes: Theirs, in the same order.
        n_decoded_videos: How many were decoded just now, also of segments that were there, or for
            objects alone.
        n_decoded_frames: Rows of their tables.
        failed: Reason by path of those without one.
        removed: Of these, those that are not in INPUT any more.
        traffic: What reading the videos has cost just now.
        relevant: What was left of the catalogue by a file of relevant filenames, if one was given.
        lasting: What was left of that by `input_expiration`, if it was given.
    """

    catalog: Catalog
    outcomes: tuple[VideoOutcome, ...]
    n_decoded_videos: int
    failed: dict[str, str] = field(default_factory=dict)
    traffic: Traffic = field(default_factory=Traffic)
    n_decoded_frames: int = 0
    relevant: RelevantVideos | None = None
    lasting: LastingVideos | None = None
    removed: frozenset[str] = frozenset()

    @property
    def n_files(self) -> int:
        """Videos or images that were to be processed; a shard that failed counts as one."""
        return self.catalog.n_files + len(self.failed)

    def telling(self, wanted: WantedVideos) -> "ProcessResult":
        """Returns the same, with what left other videos out before."""
        left_out = {**self.failed, **wanted.skipped}
        return replace(self, failed=left_out, relevant=wanted.relevant, lasting=wanted.lasting)


def process_videos(
    run: Run, catalog: Catalog, *, on_outcome: Callable[[VideoOutcome], None] = lambda _: None
) -> ProcessResult:
    """Makes the tables that are missing: several videos at once, one thread each.

    A thread per video scales like a process per video, costs nothing and keeps damaged videos
    decoding the same way every time, which several threads in one decoder do not. When no video is
    left to begin, threads help with the segments of the long ones.

    Args:
        run: The run; its progress hears of decoded frames, and of the videos in hand.
        catalog: The videos to process; all of a dataset's, or a chunk of them.
        on_outcome: Called with each outcome as soon as it is stored, from any thread.

    Raises:
        DatasourceError: A store failed. Unless it stopped answering at all, the other videos were
            finished first; with `allow_incomplete` that is no error.
    """
    from lightly_pipeline.embedding import without_threads

    found = list(zip(catalog.videos, run.tables.existing_many(catalog.videos), strict=True))
    outcomes = {video.path: outcome for video, outcome in found if outcome is not None}
    lacking = {video.path for video in run.tables.objects.without(found)}
    todo = [v for v in catalog.videos if v.path not in outcomes or v.path in lacking]
    for outcome in outcomes.values():
        on_outcome(outcome)
    _logger.info("%d videos to decode, %d known", len(todo), len(found) - len(todo))
    if lacking:
        _logger.info("%d of them again, for objects that came or changed since", len(lacking))
    unit = "images" if run.dataset.of_images else "frames"
    meter = run.progress.begin("decode", unit, sizes=[video.size_bytes for video in todo])
    refused, removed = Refusals(run), set[str]()

    def work(video: StoredObject, spare: Spare) -> tuple[StoredObject, VideoOutcome] | None:
        with refused.noting(video):
            with meter.item(video.path, video.size_bytes) as item:
                known = outcomes.get(video.path)
                made = _build_current(run, video, known, item, spare)
            if made is None:
                refused.leave_out(video, "removed since it was listed")
                removed.add(video.path)
            elif known is None or known.fingerprint != made[1].fingerprint:
                on_outcome(made[1])
            return made
        return None

    order = work_order(todo)
    versions = {video.path: video for video in catalog.videos}
    with without_threads(run.encoder) if order else nullcontext():
        results = list(
            map_videos(work, order, run.n_threads, on_interrupt=lambda: meter.stop(StoppedError()))
        )
    refused.check(may_go_on=run.config.pipeline.allow_incomplete)
    meter.end()
    for video, made in zip(order, results, strict=True):
        if made is None:
            del versions[video.path]
        else:
            versions[video.path], outcomes[video.path] = made
    made_now = [made[1] for made in results if made]
    result = _result(versions.values(), outcomes, made_now, refused.reasons)
    return replace(result, removed=frozenset(removed))


def work_order(videos: Iterable[StoredObject]) -> list[StoredObject]:
    """Returns videos in the order in which they are worked on.

    The longest first, so that the last threads to finish do so together; but some of all sizes
    between the first of them, or nothing would be known for hours of what the others take.
    """
    longest = sorted(videos, key=lambda video: (-video.size_bytes, video.path))
    if len(longest) < 4 * _N_SAMPLED:
        return longest
    middle = len(longest) // 2
    places = {len(longest) * (2 * i + 1) // (2 * _N_SAMPLED) for i in range(_N_SAMPLED)}
    # What is of middling size says most, so it comes first.
    sampled = [longest[place] for place in sorted(places, key=lambda place: abs(place - middle))]
    others = [video for place, video in enumerate(longest) if place not in places]
    mixed = [video for pair in zip(others, sampled, strict=False) for video in pair]
    return mixed + others[len(sampled) :]


def _result(
    videos: Iterable[StoredObject],
    outcomes: Mapping[str, VideoOutcome],
    made: Sequence[VideoOutcome],
    failed: dict[str, str],
) -> ProcessResult:
    current = Catalog(tuple(videos))
    return ProcessResult(
        current,
        tuple(outcomes[video.path] for video in current.videos),
        len(made),
        failed,
        Traffic.sum(Traffic(outcome.requests, outcome.bytes_read) for outcome in made),
        sum(outcome.n_rows for outcome in made),
    )


def read_outcomes(run: Run, catalog: Catalog, *, with_objects: bool = True) -> ProcessResult:
    """Returns the stored outcomes of a catalogue, for a selection made apart from the decoding.

    Of the videos that take part in the run. One whose last attempt failed is left out, so that
    one hopeless video blocks nothing.

    Args:
        run: The run.
        catalog: The videos.
        with_objects: Count a video as waiting whose objects are not those of its present boxes.

    Raises:
        LightlyPipelineError: Videos were never attempted, unless `allow_incomplete` is set; as
            from `wanted_videos`.
    """
    wanted = wanted_videos(run, catalog)
    known = run.tables.existing_many(wanted.videos)
    found = list(zip(wanted.videos, known, strict=True))
    if with_objects:
        lacking = {video.path for video in run.tables.objects.without(found)}
        found = [(v, None if v.path in lacking else outcome) for v, outcome in found]
    without = [video for video, outcome in found if outcome is None]
    failures = run.tables.failures(without)
    failed = {video.path: why for video, why in zip(without, failures, strict=True)}
    waiting = [path for path, failure in failed.items() if failure is None]
    if waiting and not run.config.pipeline.allow_incomplete:
        shown = ", ".join(waiting[:5]) + (", ..." if len(waiting) > 5 else "")
        raise LightlyPipelineError(
            f"{len(waiting)} of {len(found)} videos have no embeddings yet, of themselves or of "
            f"their objects ({shown}): materialize "
            "video_frames and frame_embeddings for them first, or set "
            "pipeline_config.allow_incomplete to select without them"
        )
    if failed:
        _logger.warning("selecting without %d videos that have no embeddings", len(failed))
    done = [(video, outcome) for video, outcome in found if outcome is not None]
    processed = ProcessResult(
        Catalog(tuple(video for video, _ in done)),
        tuple(outcome for _, outcome in done),
        0,
        {path: failure or "not processed yet" for path, failure in failed.items()},
    )
    return processed.telling(wanted)


def _build_current(
    run: Run, video: StoredObject, known: VideoOutcome | None, item: ItemMeter, spare: Spare
) -> tuple[StoredObject, VideoOutcome] | None:
    """Makes what a video lacks, or the version that replaced it; None if it was removed."""

    def make(current: StoredObject) -> VideoOutcome:
        if known is not None and current is video:
            return run.tables.add_objects(video, known, item)
        return run.tables.build(current, item, spare)

    return of_current(run, video, make)


def of_current(
    run: Run, video: StoredObject, function: Callable[[StoredObject], _Result]
) -> tuple[StoredObject, _Result] | None:
    """Returns `function` of a video, or of the version that replaced it, beside that version.

    None if it was removed.
    """
    for _ in range(_MAX_VERSIONS):
        try:
            return video, function(video)
        except (ObjectChangedError, ObjectNotFoundError):
            current = run.dataset.input.stat(video.path)
            if current is None:
                return None
            _logger.warning("%s: replaced since it was listed; reading it again", video.path)
            video = current
    return video, function(video)


def map_videos(
    function: Callable[[_Item, Spare], _Result],
    items: Sequence[_Item],
    n_workers: int,
    *,
    on_interrupt: Callable[[], None],
) -> Iterator[_Result]:
    """Yields `function` of every item, in order; on an error, what runs is finished first.

    It is handed the threads that will have nothing to do, too.
    When somebody interrupts the wait, `on_interrupt` is called to end what runs.
    """
    with ContextThreadPool(n_workers) as pool:
        futures = [pool.submit(function, item, pool.spare) for item in items]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        except BaseException:
            on_interrupt()
            raise
        pool.shutdown(wait=True, cancel_futures=True)
        failed = [f for f in futures if f.done() and not f.cancelled() and f.exception()]
        for future in failed:
            future.result()
        yield from (future.result() for future in futures)
