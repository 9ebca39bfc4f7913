"""Fourth step: the images of a run's selection, its manifest, and last of all its tag.

The order of what is written is decided here; how frames become images is in `export`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lightly_pipeline.datasources import Traffic
from lightly_pipeline.errors import DamagedDocumentError
from lightly_pipeline.layout import frames_folder
from lightly_pipeline.logs import logger_of
from lightly_pipeline.runs.datapool import add_entry
from lightly_pipeline.runs.records import (
    SelectionRecord,
    UploadedImage,
    chosen_set,
    read_selection,
    write_corruptness_report,
    write_manifest,
    write_sequence_information,
)
from lightly_pipeline.runs.result import RunResult, SelectedFrame
from lightly_pipeline.runs.tags import add_tag
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.telemetry import metrics

if TYPE_CHECKING:
    from lightly_pipeline.export.previews import FrameKey, Preview, PreviewPlan
    from lightly_pipeline.export.upload import UploadResult
    from lightly_pipeline.report.gather.material import ChoiceNumbers

_logger = logger_of(__name__)
# So often other frames are chosen in the place of those that cannot be decoded again.
_MAX_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class UploadedRun:
    """A run whose images are stored.

    Attributes:
        result: What it did.
        record: Its selection, as it is after frames were replaced.
        images: The stored images.
        choice: What a report says of the choice; None where there is to be none.
        previews: Small pictures by frame.
        missing: Reason by frame of what was chosen and is not stored.
    """

    result: RunResult
    record: SelectionRecord
    images: tuple[UploadedImage, ...]
    choice: "ChoiceNumbers | None"
    previews: "Mapping[FrameKey, Preview]"
    missing: Mapping[str, str]


def upload_frames(run: Run) -> UploadedRun:
    """Stores the images of a run's selection, its manifest, and last of all its tag.

    Raises:
        DatapoolChangedError: Another run entered the datapool since this one's selection; nothing
            but images, which all runs share, is kept.
    """
    dataset, run_id = run.dataset, run.run_id
    record, uploaded, choice = _with_replacements(run, read_selection(dataset.lightly, run_id))
    missing = _missing(record, uploaded)
    corrupt_samples = {
        **record.corrupt_samples,
        **dict(frame.describe() for frame in record.replaced),
        **missing,
    }
    chosen = chosen_set(record, uploaded.images)
    if record.datapool is not None:
        add_entry(dataset.lightly, record.datapool, record.created, chosen)
    write_corruptness_report(dataset.lightly, run_id, corrupt_samples, record.corrupt_videos)
    if record.sequence_length > 1:
        write_sequence_information(dataset.lightly, record, uploaded.images)
    manifest = write_manifest(dataset.lightly, record, uploaded.images)
    tag = add_tag(dataset.lightly, record.created, chosen, is_trial=record.is_trial)
    metrics.count("read.requests", uploaded.traffic.n_requests)
    metrics.count("read.bytes", uploaded.traffic.n_bytes)
    folder = record.input or dataset.lightly.location(
        frames_folder(record.resize).removesuffix("/")
    )
    _logger.info("%d images in %s", len(uploaded.images), folder)
    result = RunResult(
        run_id=run_id,
        n_input_videos=record.n_input_videos,
        n_input_frames=record.n_input_frames,
        n_selected=len(uploaded.images),
        selected=_selected(record, uploaded.images),
        corrupt_videos=record.corrupt_videos,
        corrupt_samples=corrupt_samples,
        failed_videos=record.failed_videos,
        n_damaged_frames=record.n_damaged_frames,
        missing_frames=missing,
        warnings=record.warnings,
        n_decoded_videos=0,
        requests=uploaded.traffic.n_requests,
        bytes_read=uploaded.traffic.n_bytes,
        seconds={},
        manifest=dataset.lightly.location(manifest),
        images=folder,
        summary=record.summary,
        tag=tag.name if tag else None,
        kind="video" if record.input is None else "image",
    )
    return UploadedRun(result, record, uploaded.images, choice, uploaded.previews, missing)


def _selected(
    record: SelectionRecord, images: Sequence[UploadedImage]
) -> tuple[SelectedFrame, ...]:
    frames = {frame.rank: frame for frame in record.frames}
    return tuple(
        SelectedFrame(
            video=image.video,
            frame_index=image.frame_index,
            time_s=image.time_s,
            image=image.image,
            rank=image.rank,
            pts=image.pts,
            width=image.width,
            height=image.height,
            distance=frames[image.rank].distance,
            decided_by=frames[image.rank].decided_by,
        )
        for image in images
    )


def _with_replacements(
    run: Run, record: SelectionRecord
) -> "tuple[SelectionRecord, UploadResult, ChoiceNumbers | None]":
    """Stores the images; what cannot be decoded again is replaced by the next choice, and that."""
    traffic = Traffic()
    for round_number in range(1 + _MAX_ROUNDS):
        choice = _choice_numbers(run, record)
        uploaded = _uploaded(run, record, _preview_plan(run, record, choice))
        traffic = Traffic.sum((traffic, uploaded.traffic))
        if not uploaded.failed or round_number == _MAX_ROUNDS:
            break
        from lightly_pipeline.steps.replacing import replace_frames

        _logger.warning("%d chosen frames cannot be decoded again", len(uploaded.failed))
        record = replace_frames(run, record, uploaded.failed)
    return record, replace(uploaded, traffic=traffic), choice


def _uploaded(run: Run, record: SelectionRecord, plan: "PreviewPlan | None") -> "UploadResult":
    """Stores the images of chosen frames, or looks at chosen images where they are."""
    from lightly_pipeline.export.in_place import refer_to_images
    from lightly_pipeline.export.thumbnails import Thumbnails
    from lightly_pipeline.export.upload import upload_images

    source, store = run.dataset.input, run.dataset.lightly
    suffix = run.dataset.thumbnail_suffix
    thumbnails = Thumbnails(store, suffix) if suffix else None
    if record.input is not None:
        return refer_to_images(
            source, record, progress=run.progress, plan=plan, thumbnails=thumbnails
        )
    return upload_images(
        source,
        store,
        record,
        n_threads=run.n_threads,
        progress=run.progress,
        plan=plan,
        thumbnails=thumbnails,
    )


def _choice_numbers(run: Run, record: SelectionRecord) -> "ChoiceNumbers | None":
    """Returns what was found of the choice for a report; None without one."""
    if not run.config.worker.upload_report:
        return None
    from lightly_pipeline.report.gather.stored import read_choice

    try:
        choice = read_choice(run.dataset.lightly, run.run_id)
    except DamagedDocumentError as error:
        _logger.warning("there will be no report: %s", error)
        return None
    if choice is None or not choice.are_of(record):
        _logger.warning("there will be no report: what it says of the choice was not kept")
        return None
    return choice


def _preview_plan(
    run: Run, record: SelectionRecord, choice: "ChoiceNumbers | None"
) -> "PreviewPlan | None":
    """Returns which previews the report wants; None without one."""
    if choice is None:
        return None
    from lightly_pipeline.export.previews import LeftOutFrames, plan_previews

    indices: dict[str, set[int]] = defaultdict(set)
    if run.config.pipeline.report_previews == "all":
        for twin in choice.twins:
            indices[twin.video].add(twin.frame_index)
    left_out = {
        video: LeftOutFrames(choice.twin_videos[video], frozenset(of_video))
        for video, of_video in indices.items()
    }
    return plan_previews(len(record.frames), left_out)


def _missing(record: SelectionRecord, uploaded: "UploadResult") -> dict[str, str]:
    """Returns the reason by frame of what was chosen, is not stored and was not replaced."""
    nothing_left = dict(f.describe() for f in record.replaced if f.by_video is None)
    given_up = {
        f.video if record.input else f"{f.video} (frame {f.frame_index})": uploaded.failed[f.rank]
        for f in record.frames
        if f.rank in uploaded.failed
    }
    return nothing_left | given_up
