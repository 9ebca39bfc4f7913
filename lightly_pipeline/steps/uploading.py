"""Last step: the images of a run's selection, its manifest, and last of all its tag.

The order of what is written is decided here; how frames become images is in `export`.
"""

import logging

from lightly_pipeline.layout import frames_folder
from lightly_pipeline.runs.datapool import add_entry
from lightly_pipeline.runs.records import (
    chosen_set,
    read_selection,
    write_corruptness_report,
    write_manifest,
    write_sequence_information,
)
from lightly_pipeline.runs.result import RunResult, SelectedFrame
from lightly_pipeline.runs.tags import add_tag
from lightly_pipeline.steps.setup import Run

_logger = logging.getLogger(__name__)


def upload_frames(run: Run) -> RunResult:
    """Stores the images of a run's selection, its manifest, and last of all its tag.

    Raises:
        DatapoolChangedError: Another run entered the datapool since this one's selection; nothing
            but images, which all runs share, is kept.
    """
    from lightly_pipeline.export.upload import upload_images

    dataset, run_id = run.dataset, run.run_id
    record = read_selection(dataset.lightly, run_id)
    uploaded = upload_images(
        dataset.input, dataset.lightly, record, n_threads=run.n_threads, progress=run.progress
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
