"""The next choice in the place of chosen frames that cannot be decoded again.

Part of the last step: which frames failed, `export.upload` says; how one is chosen, `choosing.py`.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.runs.chosen import ChosenSet, write_embeddings
from lightly_pipeline.runs.datapool import read_datapool
from lightly_pipeline.runs.records import (
    ChosenFrame,
    ReplacedFrame,
    SelectionRecord,
    chosen_set_of,
    write_selection,
)
from lightly_pipeline.steps.choosing import choose
from lightly_pipeline.steps.cropping import with_boxes
from lightly_pipeline.steps.eligible import candidate_videos, usable_videos
from lightly_pipeline.steps.listing import stored_catalog
from lightly_pipeline.steps.observing import observe_choice, observe_loss
from lightly_pipeline.steps.processing import ProcessResult, read_outcomes
from lightly_pipeline.steps.recording import chosen_embeddings, chosen_frames, versions_of
from lightly_pipeline.steps.setup import Run

_logger = logger_of(__name__)


def replace_frames(run: Run, record: SelectionRecord, failed: Mapping[int, str]) -> SelectionRecord:
    """Chooses other frames in the place of some, and stores the new record under the run.

    What stays counts as chosen before, what failed once is no candidate again, and of a sequence
    all frames are replaced. Where nothing else can be chosen, the record has fewer frames.

    Args:
        run: The run.
        record: Its selection.
        failed: Reason by rank of the frames that cannot be decoded again.

    Raises:
        LightlyPipelineError: The user's own vectors are others than those that were compared.
    """
    own = run.own_vectors
    if own is not None and own.embedding_id != record.embedding_id:
        raise LightlyPipelineError(
            f"{own.location} was changed since run {record.run_id} selected by it, and "
            f"{len(failed)} of its frames have to be replaced: put it back, or start a new run"
        )
    gone = _with_their_sequences(record, failed)
    kept = [frame for frame in record.frames if frame.rank not in gone]
    left_out: dict[str, set[int]] = defaultdict(set)
    for earlier in record.replaced:
        left_out[earlier.video].add(earlier.frame_index)
    for rank in gone:
        left_out[record.frames[rank].video].add(record.frames[rank].frame_index)
    processed = read_outcomes(run, stored_catalog(run.dataset), with_objects=False)
    try:
        chosen, observe = _next_choices(
            run, processed, chosen_set_of(record, kept), left_out, len(gone)
        )
    except LightlyPipelineError as error:
        _logger.warning("no frame can take the place of one that cannot be had again: %s", error)
        chosen, observe = (), lambda changed: observe_loss(run, changed)
    replaced = tuple(
        ReplacedFrame(
            record.frames[rank].video,
            record.frames[rank].frame_index,
            gone[rank],
            chosen[place].video if place < len(chosen) else None,
            chosen[place].frame_index if place < len(chosen) else None,
        )
        for place, rank in enumerate(gone)
    )
    changed = replace(
        record,
        frames=_merged(record.frames, dict(zip(gone, chosen, strict=False)), gone),
        videos=record.videos | versions_of(chosen, processed),
        replaced=record.replaced + replaced,
        summary=record.summary | {"n_selected": len(kept) + len(chosen)},
    )
    changed = with_boxes(run, changed)
    observe(changed)
    current = usable_videos(run, processed)
    write_embeddings(run.dataset.lightly, run.run_id, chosen_embeddings(changed, current))
    write_selection(run.dataset.lightly, changed)
    return changed


def _with_their_sequences(record: SelectionRecord, failed: Mapping[int, str]) -> dict[int, str]:
    """Returns the reason by rank, ascending, of all frames that go."""
    length = record.sequence_length
    reasons = {rank // length: reason for rank, reason in failed.items()}
    return {
        rank: failed.get(rank, reasons[rank // length])
        for rank in range(len(record.frames))
        if rank // length in reasons
    }


def _next_choices(
    run: Run,
    processed: ProcessResult,
    kept: ChosenSet,
    left_out: Mapping[str, Collection[int]],
    n_frames: int,
) -> tuple[tuple[ChosenFrame, ...], Callable[[SelectionRecord], None]]:
    """Returns other frames, and what keeps for the report how they changed the choice."""
    current = usable_videos(run, processed, left_out)
    datapool = read_datapool(run.dataset.lightly) if run.config.worker.use_datapool else None
    amount = {"n_samples": n_frames, "proportion_samples": None}
    selection = run.config.selection.model_copy(update=amount)
    smaller = run.with_selection(selection)
    candidates = candidate_videos(run, current, datapool)
    pool, inputs, choice = choose(
        smaller, current, candidates, [*(datapool.chosen if datapool else ()), kept]
    )
    frames = chosen_frames(pool, choice, run.config.worker.selected_sequence_length)
    return frames, lambda changed: observe_choice(
        run, processed, changed, candidates, pool, inputs, choice
    )


def _merged(
    frames: Sequence[ChosenFrame], instead: Mapping[int, ChosenFrame], gone: Collection[int]
) -> tuple[ChosenFrame, ...]:
    """Returns the frames with others in their places; without those that have none."""
    placed = [instead.get(f.rank, f) for f in frames if f.rank in instead or f.rank not in gone]
    return tuple(replace(frame, rank=rank) for rank, frame in enumerate(placed))
