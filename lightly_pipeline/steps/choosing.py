"""One selection, from tables to a record of chosen frames.

Loads the candidates, gathers what the strategies read, leaves out copies or pools sequences,
selects, and stores what came out. How frames are chosen is in `selection`, what the record says in
`recording.py`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates import sequences
from lightly_pipeline.candidates.duplicates import copies, first_equal
from lightly_pipeline.candidates.earlier import EmbeddedVideo
from lightly_pipeline.candidates.loading import Pool, load_pool
from lightly_pipeline.config import SelectionConfig
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.gather import read_inputs
from lightly_pipeline.inputs.quality import CHECKSUM, read_column_values
from lightly_pipeline.inputs.values import SelectionInputs
from lightly_pipeline.logs import logger_of
from lightly_pipeline.runs.chosen import ChosenSet, write_embeddings
from lightly_pipeline.runs.datapool import read_datapool
from lightly_pipeline.runs.name_lists import write_duplicate_filenames, write_relevant_filenames
from lightly_pipeline.runs.records import (
    SelectionRecord,
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
from lightly_pipeline.steps.eligible import candidate_videos, usable_videos
from lightly_pipeline.steps.observing import observe_choice
from lightly_pipeline.steps.processing import ProcessResult
from lightly_pipeline.steps.recording import (
    Choice,
    chosen_embeddings,
    image_names,
    pool_claim,
    selection_record,
)
from lightly_pipeline.steps.setup import Run

_logger = logger_of(__name__)
_NO_ROWS: NDArray[np.int64] = np.empty(0, dtype=np.int64)


def choose_frames(run: Run, processed: ProcessResult) -> SelectionRecord:
    """Chooses frames and stores the choice under the run.

    Raises:
        LightlyPipelineError: There is nothing to select from, or an input is wrong.
    """
    store = run.dataset.lightly
    current = usable_videos(run, processed)
    datapool = read_datapool(store) if run.config.worker.use_datapool else None
    candidates = candidate_videos(run, current, datapool)
    earlier = datapool.chosen if datapool else ()
    pool, inputs, choice = choose(run, current, candidates, earlier)
    record = selection_record(
        run, processed, pool, inputs, choice, pool_claim(run, datapool, candidates)
    )
    observe_choice(run, processed, record, candidates, pool, inputs, choice)
    write_relevant_filenames(store, run.run_id, (f.path for f in processed.catalog.files))
    _keep(run, record, pool, inputs, choice, current)
    return record


def choose(
    run: Run,
    current: Mapping[str, EmbeddedVideo],
    candidates: Sequence[EmbeddedVideo],
    chosen_before: Sequence[ChosenSet],
) -> tuple[Pool, SelectionInputs, Choice]:
    """Chooses among the frames of some videos, and returns what it chose from as well.

    Args:
        run: The run.
        current: The usable videos by path.
        candidates: Those of them whose frames may be chosen.
        chosen_before: What the choice keeps away from.

    Raises:
        LightlyPipelineError: There is nothing to choose, or an input is wrong.
    """
    pool = load_pool(
        run.dataset.lightly,
        run.table_id,
        current,
        candidates,
        chosen_before,
        on_disk=run.config.pipeline.selection_memory == "half",
        progress=run.progress,
    )
    inputs = read_inputs(
        run.plan,
        run.dataset.lightly,
        pool.rows,
        embedding_id=run.table_id,
        current=current,
        load_encoder=run.tables.load_encoder,
    )
    single = run.config.worker.selected_sequence_length == 1
    return pool, inputs, (_choose_single if single else _choose_blocks)(run, pool, inputs)


def _keep(
    run: Run,
    record: SelectionRecord,
    pool: Pool,
    inputs: SelectionInputs,
    choice: Choice,
    current: Mapping[str, EmbeddedVideo],
) -> None:
    """Stores what was chosen and what was left out; the record last."""
    store = run.dataset.lightly
    write_embeddings(store, run.run_id, chosen_embeddings(record, current))
    if len(choice.removed):
        names = image_names(pool.rows, choice.removed, record.image_format)
        write_duplicate_filenames(store, run.run_id, names)
    if inputs.skipped:
        write_input_problems(store, run.run_id, inputs.skipped)
    write_selection(store, record)
    _logger.info("chose %d of %d frames", len(record.frames), record.n_input_frames)
    if choice.result.coverage_bound is not None:
        _logger.info(
            "DIVERSITY was approximated: nothing is farther than %.4g from its nearest choice",
            choice.result.coverage_bound,
        )


def _choose_single(run: Run, pool: Pool, inputs: SelectionInputs) -> Choice:
    """Chooses frame by frame."""
    embeddings = prepare_embeddings(
        pool.embeddings,
        normalize=run.config.worker.normalize_embeddings,
        compact=run.config.pipeline.selection_memory == "half",
    )
    same_pixels = _pixel_copies(pool)
    same_embedding = copies(exact_duplicates(embeddings), pool.earlier.rows)
    is_copy = same_pixels | same_embedding
    counts = {
        "n_duplicates": int(is_copy.sum()),
        "equal_pixels": int(same_pixels.sum()),
        "equal_embeddings": int(same_embedding.sum()),
    }
    for_report = embeddings if run.config.worker.upload_report else None
    if not run.config.pipeline.remove_exact_duplicates or not is_copy.any():
        result = _select(run, embeddings, run.config.selection, pool.earlier.rows, inputs)
        return Choice(
            result.indices,
            result.distances,
            result,
            counts,
            _NO_ROWS,
            result.candidates,
            for_report,
        )
    kept = np.flatnonzero(~is_copy)
    result = _select(
        run,
        embeddings.take(kept),
        run.config.selection,
        np.searchsorted(kept, pool.earlier.rows),
        inputs.take(kept),
    )
    return Choice(
        kept[result.indices],
        result.distances,
        result,
        counts,
        np.flatnonzero(is_copy),
        kept[result.candidates],
        for_report,
    )


def _choose_blocks(run: Run, pool: Pool, inputs: SelectionInputs) -> Choice:
    """Chooses sequences: blocks of consecutive frames stand as one row each.

    Raises:
        LightlyPipelineError: No video is long enough.
    """
    length = run.config.worker.selected_sequence_length
    is_own = pool.earlier.rows < pool.n_candidate_rows
    candidates = pool.rows.take(np.arange(pool.n_candidate_rows))
    blocks = sequences.blocks(candidates, pool.places, length, pool.earlier.rows[is_own])
    if not len(blocks):
        raise LightlyPipelineError(
            f"no video has {length} consecutive frames that can be chosen "
            "(worker_config.selected_sequence_length)"
        )
    groups = sequences.joined_groups(blocks, pool.earlier.sequences)
    normalize = run.config.worker.normalize_embeddings
    pooled = sequences.pooled_embeddings(pool.embeddings, groups, normalize=normalize)
    result = _select(
        run,
        prepare_embeddings(pooled, normalize=normalize),
        _in_sequences(run.config.selection, length, pool.n_candidate_rows - int(is_own.sum())),
        np.arange(len(blocks), len(groups)),
        inputs.pooled(groups),
    )
    return Choice(
        _members(blocks, result.indices),
        np.repeat(result.distances, length),
        result,
        {"equal_pixels": int(_pixel_copies(pool).sum())},
        _NO_ROWS,
        _members(blocks, result.candidates),
        prepare_embeddings(pool.embeddings, normalize=normalize)
        if run.config.worker.upload_report
        else None,
    )


def _members(groups: sequences.Groups, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the rows of some groups, one group after the other."""
    return np.concatenate([*(groups.members(int(i)) for i in wanted), _NO_ROWS])


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
    run: Run,
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
        normalize=run.config.worker.normalize_embeddings,
        seed=run.config.lightly.seed,
        approximate_diversity=run.config.pipeline.approximate_diversity,
        progress=run.progress,
    )


def _pixel_copies(pool: Pool) -> NDArray[np.bool_]:
    """Returns which rows show exactly what a row before them shows, shape (N,)."""
    values, known = read_column_values(pool.rows, [CHECKSUM])
    return copies(first_equal(values[CHECKSUM], known), pool.earlier.rows)
