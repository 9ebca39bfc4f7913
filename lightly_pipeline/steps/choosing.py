"""One selection, from tables to a record of chosen frames.

Loads embeddings, says which frames are candidates and which were chosen before, gathers what the
strategies read, leaves out copies, pools sequences, and writes down what came out. How frames are
chosen is in `selection`; where this stands in a run, in `pipeline`.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates import sequences
from lightly_pipeline.candidates.duplicates import copies, first_equal
from lightly_pipeline.candidates.earlier import EarlierFrames, EmbeddedVideo, find_earlier
from lightly_pipeline.candidates.rows import FrameRows, RowVideo, frame_rows, joined
from lightly_pipeline.config import RunConfig, SelectionConfig
from lightly_pipeline.datasets import Dataset
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.files import in_threads
from lightly_pipeline.inputs.gather import InputPlan, read_inputs
from lightly_pipeline.inputs.quality import CHECKSUM, read_column_values
from lightly_pipeline.inputs.values import SelectionInputs
from lightly_pipeline.layout import frame_name, table_folder
from lightly_pipeline.progress import Progress
from lightly_pipeline.runs.chosen import write_embeddings
from lightly_pipeline.runs.datapool import Datapool, PoolClaim, read_datapool
from lightly_pipeline.runs.records import (
    ChosenFrame,
    SelectionRecord,
    VideoVersion,
    write_duplicate_filenames,
    write_input_problems,
    write_selection,
)
from lightly_pipeline.selection import (
    GridEmbeddings,
    SelectionResult,
    exact_duplicates,
    prepare_embeddings,
    select,
)
from lightly_pipeline.selection.vectors.matrix import empty_matrix
from lightly_pipeline.tables.catalog import Catalog
from lightly_pipeline.tables.embeddings import read_into, read_rows
from lightly_pipeline.tables.frames import read_columns
from lightly_pipeline.tables.outcome import VideoOutcome

if TYPE_CHECKING:
    from lightly_pipeline.embedding import Encoder

_logger = logging.getLogger(__name__)
_SHOWN = 5
_NO_ROWS: NDArray[np.int64] = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class SelectionTask:
    """What is to be selected from, and how.

    Attributes:
        dataset: The dataset.
        config: The effective configuration.
        run_id: Id of the run.
        embedding_id: Of the tables that are compared.
        catalog: The videos.
        outcomes: Of the videos, in the catalogue's order.
        failed: Reason by path of videos that are left out.
        plan: What the strategies read besides embeddings.
        load_encoder: Gives the encoder; called only for queries that are images.
        progress: Told how far the selection is.
    """

    dataset: Dataset
    config: RunConfig
    run_id: str
    embedding_id: str
    catalog: Catalog
    outcomes: tuple[VideoOutcome, ...]
    failed: dict[str, str]
    plan: InputPlan
    load_encoder: Callable[[], "Encoder"]
    progress: Progress


@dataclass(frozen=True, slots=True)
class _Pool:
    """The rows of a selection.

    Attributes:
        rows: Candidates first, then frames chosen before that are no candidates' rows.
        embeddings: Shape (len(rows), dim).
        n_candidate_rows: How many of them belong to candidates.
        earlier: The frames chosen before.
    """

    rows: FrameRows
    embeddings: NDArray[np.float32]
    n_candidate_rows: int
    earlier: EarlierFrames


@dataclass(frozen=True, slots=True)
class _Choice:
    """The rows that were chosen, in the order of picks.

    Attributes:
        rows: Shape (k,), int64.
        distances: Shape (k,): of each pick to what was chosen before.
        result: Figures of the selection.
        duplicates: Counts of copies among the candidates.
        removed: Rows that were left out as copies.
    """

    rows: NDArray[np.int64]
    distances: NDArray[np.float64]
    result: SelectionResult
    duplicates: dict[str, int]
    removed: NDArray[np.int64]


def choose_frames(task: SelectionTask) -> SelectionRecord:
    """Chooses frames and stores the choice under the run.

    Raises:
        LightlyPipelineError: There is nothing to select from, or an input is wrong.
    """
    store = task.dataset.lightly
    current = _embedded_videos(task)
    datapool = read_datapool(store) if task.config.worker.use_datapool else None
    candidates = _candidates(task, current, datapool)
    pool = _load(task, current, candidates, datapool)
    inputs = read_inputs(
        task.plan,
        store,
        pool.rows,
        embedding_id=task.embedding_id,
        current=current,
        load_encoder=task.load_encoder,
    )
    single = task.config.worker.selected_sequence_length == 1
    choice = (_choose_single if single else _choose_blocks)(task, pool, inputs)
    record = _record(task, pool, inputs, choice, datapool, candidates)
    _keep_embeddings(task, record, current)
    if len(choice.removed):
        write_duplicate_filenames(store, task.run_id, _names(task, pool.rows, choice.removed))
    if inputs.skipped:
        write_input_problems(store, task.run_id, inputs.skipped)
    write_selection(store, record)
    _logger.info("chose %d of %d frames", len(record.frames), record.n_input_frames)
    if choice.result.coverage_bound is not None:
        _logger.info(
            "DIVERSITY was approximated: nothing is farther than %.4g from its nearest choice",
            choice.result.coverage_bound,
        )
    return record


def _embedded_videos(task: SelectionTask) -> dict[str, EmbeddedVideo]:
    """Returns the videos that gave frames.

    Raises:
        LightlyPipelineError: None did.
    """
    listed = zip(task.catalog.videos, task.outcomes, strict=True)
    found = {
        video.path: EmbeddedVideo(
            video,
            outcome.n_frames,
            table_folder(task.embedding_id, video.path),
            outcome.dim,
            _frame_indices(task, outcome),
        )
        for video, outcome in listed
        if not outcome.is_corrupt
    }
    if not found:
        reasons = {o.video: o.corrupt_reason for o in task.outcomes} | task.failed
        shown = [f"{video}: {reason}" for video, reason in list(reasons.items())[:_SHOWN]]
        raise LightlyPipelineError(
            f"none of the {len(reasons)} videos in {task.dataset.input.describe()} gave a frame; "
            f"reasons: {'; '.join(shown)}"
        )
    if not any(len(video.indices) for video in found.values()):
        raise LightlyPipelineError(
            f"no frame of the {len(found)} videos in {task.dataset.input.describe()} is left by "
            "pipeline_config.frame_sampling: widen its window"
        )
    return found


def _frame_indices(task: SelectionTask, outcome: VideoOutcome) -> NDArray[np.int64]:
    """Returns the frames of a video that its table has rows of."""
    if outcome.n_rows == outcome.n_frames:
        return np.arange(outcome.n_frames, dtype=np.int64)
    folder = table_folder(task.embedding_id, outcome.video)
    indices: NDArray[np.int64] = read_columns(task.dataset.lightly, folder, ["index"])["index"]
    return indices


def _candidates(
    task: SelectionTask, current: Mapping[str, EmbeddedVideo], datapool: Datapool | None
) -> list[EmbeddedVideo]:
    """Returns the videos whose frames may be chosen.

    Raises:
        LightlyPipelineError: Every video was a candidate before.
    """
    videos = list(current.values())
    if datapool is None or task.config.worker.datasource.process_all:
        return videos
    fresh = [video for video in videos if not datapool.is_processed(video.video)]
    if not fresh:
        raise LightlyPipelineError(
            f"nothing new to select from: all {len(videos)} videos in "
            f"{task.dataset.input.describe()} were candidates of earlier datapool runs; add "
            "videos, or set worker_config.datasource.process_all to choose among all of them again"
        )
    return fresh


def _load(
    task: SelectionTask,
    current: Mapping[str, EmbeddedVideo],
    candidates: Sequence[EmbeddedVideo],
    datapool: Datapool | None,
) -> _Pool:
    """Streams the embeddings of all candidates into one matrix, frames chosen before below them."""
    rows = frame_rows((RowVideo(v.video.path, v.n_frames, v.folder), v.indices) for v in candidates)
    ends = np.cumsum([len(video.indices) for video in candidates])
    starts = {
        video.video.path: int(end) - len(video.indices)
        for video, end in zip(candidates, ends, strict=True)
    }
    earlier = find_earlier(
        task.dataset.lightly,
        datapool.chosen if datapool else (),
        task.embedding_id,
        current,
        starts,
        len(rows),
    )
    on_disk = task.config.pipeline.selection_memory == "half"
    matrix = empty_matrix(len(rows) + len(earlier.extra), candidates[0].dim, on_disk=on_disk)
    for video, end in zip(candidates, ends, strict=True):
        read_into(task.dataset.lightly, video.folder, matrix[end - len(video.indices) : end])
        task.progress("load", int(end), len(rows), "frames")
    matrix[len(rows) :] = earlier.embeddings
    return _Pool(joined(rows, earlier.extra), matrix, len(rows), earlier)


def _choose_single(task: SelectionTask, pool: _Pool, inputs: SelectionInputs) -> _Choice:
    """Chooses frame by frame."""
    embeddings = prepare_embeddings(
        pool.embeddings,
        normalize=task.config.worker.normalize_embeddings,
        compact=task.config.pipeline.selection_memory == "half",
    )
    same_pixels = _pixel_copies(task, pool)
    same_embedding = copies(exact_duplicates(embeddings), pool.earlier.rows)
    is_copy = same_pixels | same_embedding
    counts = {
        "n_duplicates": int(is_copy.sum()),
        "equal_pixels": int(same_pixels.sum()),
        "equal_embeddings": int(same_embedding.sum()),
    }
    if not task.config.pipeline.remove_exact_duplicates or not is_copy.any():
        result = _select(task, embeddings, task.config.selection, pool.earlier.rows, inputs)
        return _Choice(result.indices, result.distances, result, counts, _NO_ROWS)
    kept = np.flatnonzero(~is_copy)
    embeddings = embeddings.take(kept)
    result = _select(
        task,
        embeddings,
        task.config.selection,
        np.searchsorted(kept, pool.earlier.rows),
        inputs.take(kept),
    )
    rows = kept[result.indices]
    return _Choice(rows, result.distances, result, counts, np.flatnonzero(is_copy))


def _choose_blocks(task: SelectionTask, pool: _Pool, inputs: SelectionInputs) -> _Choice:
    """Chooses sequences: blocks of consecutive frames stand as one row each.

    Raises:
        LightlyPipelineError: No video is long enough.
    """
    length = task.config.worker.selected_sequence_length
    is_own = pool.earlier.rows < pool.n_candidate_rows
    candidates = pool.rows.take(np.arange(pool.n_candidate_rows))
    blocks = sequences.blocks(candidates, length, pool.earlier.rows[is_own])
    if not len(blocks):
        raise LightlyPipelineError(
            f"no video has {length} consecutive frames that can be chosen "
            "(worker_config.selected_sequence_length)"
        )
    groups = sequences.joined_groups(blocks, pool.earlier.sequences)
    normalize = task.config.worker.normalize_embeddings
    pooled = sequences.pooled_embeddings(pool.embeddings, groups, normalize=normalize)
    result = _select(
        task,
        prepare_embeddings(pooled, normalize=normalize),
        _in_sequences(task.config.selection, length, pool.n_candidate_rows - int(is_own.sum())),
        np.arange(len(blocks), len(groups)),
        inputs.pooled(groups),
    )
    rows = np.concatenate([*(blocks.members(int(i)) for i in result.indices), _NO_ROWS])
    counts = {"equal_pixels": int(_pixel_copies(task, pool).sum())}
    return _Choice(rows, np.repeat(result.distances, length), result, counts, _NO_ROWS)


def _in_sequences(selection: SelectionConfig, length: int, n_frames: int) -> SelectionConfig:
    """Returns the configuration with amounts in sequences instead of frames."""
    n_samples = selection.n_samples
    if selection.proportion_samples is not None:
        n_samples = max(length, int(selection.proportion_samples * n_frames + 1e-9))
    assert n_samples is not None
    return selection.model_copy(
        update={"n_samples": n_samples // length, "proportion_samples": None}
    )


def _select(
    task: SelectionTask,
    embeddings: GridEmbeddings,
    config: SelectionConfig,
    preselected: NDArray[np.int64],
    inputs: SelectionInputs,
) -> SelectionResult:
    return select(
        embeddings,
        config,
        preselected=preselected,
        metadata=inputs.metadata,
        scores=inputs.scores,
        categories=inputs.categories,
        queries=inputs.queries,
        normalize=task.config.worker.normalize_embeddings,
        seed=task.config.lightly.seed,
        approximate_diversity=task.config.pipeline.approximate_diversity,
        progress=task.progress,
    )


def _pixel_copies(task: SelectionTask, pool: _Pool) -> NDArray[np.bool_]:
    """Returns which rows show exactly what a row before them shows, shape (N,)."""
    values, known = read_column_values(task.dataset.lightly, pool.rows, [CHECKSUM])
    return copies(first_equal(values[CHECKSUM], known), pool.earlier.rows)


def _record(
    task: SelectionTask,
    pool: _Pool,
    inputs: SelectionInputs,
    choice: _Choice,
    datapool: Datapool | None,
    candidates: Sequence[EmbeddedVideo],
) -> SelectionRecord:
    length = task.config.worker.selected_sequence_length
    frames = tuple(
        ChosenFrame(
            rank=rank,
            video=pool.rows.videos[pool.rows.owner[row]].path,
            frame_index=int(pool.rows.index[row]),
            distance=float(distance) if np.isfinite(distance) else None,
            decided_by=choice.result.decided_by[rank // length],
        )
        for rank, (row, distance) in enumerate(zip(choice.rows, choice.distances, strict=True))
    )
    chosen = {frame.video for frame in frames}
    return SelectionRecord(
        run_id=task.run_id,
        dataset=task.dataset.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        config=task.config.as_dict(),
        embedding_id=task.embedding_id,
        catalog_hash=task.catalog.hash,
        image_format=task.config.worker.output_image_format,
        resize=task.config.worker.resize,
        frames=frames,
        videos={
            video.path: VideoVersion(video.size_bytes, video.etag, o.fingerprint, o.n_frames)
            for video, o in zip(task.catalog.videos, task.outcomes, strict=True)
            if video.path in chosen
        },
        n_input_videos=len(task.catalog.videos) + len(task.failed),
        n_input_frames=pool.n_candidate_rows,
        summary=_summary(task, choice, inputs, pool),
        corrupt_videos={o.video: str(o.corrupt_reason) for o in task.outcomes if o.is_corrupt},
        corrupt_samples={k: v for o in task.outcomes for k, v in o.corrupt_samples.items()},
        failed_videos=task.failed,
        sequence_length=length,
        datapool=_claim(task, datapool, candidates),
    )


def _summary(
    task: SelectionTask, choice: _Choice, inputs: SelectionInputs, pool: _Pool
) -> dict[str, Any]:
    """Returns what the selection achieved; chosen and preselected frames are counted as frames."""
    summary = {
        **choice.result.as_dict(),
        "n_selected": len(choice.rows),
        "n_preselected": len(pool.earlier.rows),
        "duplicates": choice.duplicates,
    }
    if task.config.worker.selected_sequence_length > 1:
        summary["n_sequences"] = len(choice.result.indices)
    if inputs.n_without_prediction:
        summary["frames_without_prediction"] = inputs.n_without_prediction
        summary["skipped_prediction_files"] = len(inputs.skipped)
    return summary


def _claim(
    task: SelectionTask, datapool: Datapool | None, candidates: Sequence[EmbeddedVideo]
) -> PoolClaim | None:
    if datapool is None or not task.config.worker.datasource.enable_datapool_update:
        return None
    return PoolClaim(
        datapool.number + 1,
        datapool.adopted,
        {
            one.video.path: (one.video.size_bytes, one.video.etag)
            for one in candidates
            if not datapool.is_processed(one.video)
        },
    )


def _keep_embeddings(
    task: SelectionTask, record: SelectionRecord, current: Mapping[str, EmbeddedVideo]
) -> None:
    """Stores the chosen frames' embeddings as the tables hold them: the matrix is rounded."""
    places: dict[str, list[int]] = defaultdict(list)
    for frame in record.frames:
        places[frame.video].append(frame.rank)
    vectors = np.empty((len(record.frames), next(iter(current.values())).dim), dtype=np.float32)

    def read(path: str) -> NDArray[np.float32]:
        video = current[path]
        indices = [record.frames[rank].frame_index for rank in places[path]]
        shape = (len(video.indices), video.dim)
        rows = np.searchsorted(video.indices, indices)
        return read_rows(task.dataset.lightly, video.folder, shape, rows)

    for path, rows in in_threads(read, list(places)):
        vectors[places[path]] = rows
    write_embeddings(task.dataset.lightly, record.run_id, vectors)


def _names(task: SelectionTask, rows: FrameRows, wanted: NDArray[np.int64]) -> list[str]:
    """Returns the names that the images of some rows would have."""
    image_format = task.config.worker.output_image_format
    videos = [rows.videos[owner] for owner in rows.owner[wanted]]
    return [
        frame_name(video.path, int(index), video.n_frames, image_format)
        for video, index in zip(videos, rows.index[wanted], strict=True)
    ]
