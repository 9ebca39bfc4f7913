"""Last step: the images of a run's selection, its manifest, and last of all its tag.

The order of what is written is decided here; how frames become images is in `export`.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from lightly_pipeline.datasources import Traffic
from lightly_pipeline.layout import frames_folder
from lightly_pipeline.logs import logger_of
from lightly_pipeline.runs.datapool import add_entry
from lightly_pipeline.runs.records import (
    SelectionRecord,
    chosen_set,
    read_selection,
    write_corruptness_report,
    write_manifest,
    write_sequence_information,
)
from lightly_pipeline.runs.result import RunResult, SelectedFrame
from lightly_pipeline.runs.tags import add_tag
from lightly_pipeline.steps.setup import Run

if TYPE_CHECKING:
    from lightly_pipeline.export.upload import UploadResult

_logger = logger_of(__name__)
# So often other frames are chosen in the place of those that cannot be decoded again.
_MAX_ROUNDS = 5


def upload_frames(run: Run) -> RunResult:
    """Stores the images of a run's selection, its manifest, and last of all its tag.

    Raises:
        DatapoolChangedError: Another run entered the datapool since this one's selection; nothing
            but images, which all runs share, is kept.
    """
    dataset, run_id = run.dataset, run.run_id
    record, uploaded = _with_replacements(run, read_selection(dataset.lightly, run_id))
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
    folder = dataset.lightly.location(frames_folder(record.resize).removesuffix("/"))
    _logger.info("%d images in %s", len(uploaded.images), folder)
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
    )


def _with_replacements(run: Run, record: SelectionRecord) -> tuple[SelectionRecord, "UploadResult"]:
    """Stores the images; what cannot be decoded again is replaced by the next choice, and that."""
    from lightly_pipeline.export.upload import upload_images

    source, store = run.dataset.input, run.dataset.lightly
    traffic = Traffic()
    for round_number in range(1 + _MAX_ROUNDS):
        uploaded = upload_images(
            source, store, record, n_threads=run.n_threads, progress=run.progress
        )
        traffic = Traffic.sum((traffic, uploaded.traffic))
        if not uploaded.failed or round_number == _MAX_ROUNDS:
            break
        from lightly_pipeline.steps.replacing import replace_frames

        _logger.warning("%d chosen frames cannot be decoded again", len(uploaded.failed))
        record = replace_frames(run, record, uploaded.failed)
    return record, replace(uploaded, traffic=traffic)


def _missing(record: SelectionRecord, uploaded: "UploadResult") -> dict[str, str]:
    """Returns the reason by frame of what was chosen, is not stored and was not replaced."""
    nothing_left = dict(f.describe() for f in record.replaced if f.by_video is None)
    given_up = {
        f"{f.video} (frame {f.frame_index})": uploaded.failed[f.rank]
        for f in record.frames
        if f.rank in uploaded.failed
    }
    return nothing_left | given_up
