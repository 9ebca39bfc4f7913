"""One selection, from tables to a record of chosen frames.

Loads the candidates, gathers what the strategies read, leaves out copies or pools sequences,
selects, and stores what came out. How frames are chosen is in `selection`, what the record says in
`recording.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

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
    Objects,
    SelectionResult,
    exact_duplicates,
    n_to_select,
    prepare_embeddings,
    select,
)
from lightly_pipeline.steps.cropping import with_boxes
from lightly_pipeline.steps.eligible import candidate_videos, usable_videos
from lightly_pipeline.steps.observing import observe_choice
from lightly_pipeline.steps.own_vectors import own_vectors_report
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
MARKED = "column selected"
"""What decided over a frame that the user's own vectors are marked as selected for."""


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
    record = with_boxes(
        run,
        selection_record(
            run,
            processed,
            pool,
            inputs,
            choice,
            pool_claim(run, datapool, candidates),
            own_vectors_report(run, processed, candidates),
        ),
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
        run.embedding_id,
        current,
        candidates,
        chosen_before,
        on_disk=run.config.pipeline.selection_memory == "half",
        progress=run.progress,
        table_id=run.table_id,
    )
    inputs = read_inputs(
        run.plan,
        run.dataset.lightly,
        pool.rows,
        embedding_id=run.embedding_id,
        current=current,
        load_encoder=run.tables.load_encoder,
        on_disk=run.config.pipeline.selection_memory == "half",
    )
    inputs.objects.update(_prepared(run, inputs.objects))
    single = run.config.worker.selected_sequence_length == 1
    return pool, inputs, (_choose_single if single else _choose_blocks)(run, pool, inputs)


def _prepared(run: Run, objects: Mapping[str, Objects]) -> dict[str, Objects]:
    """Returns objects as the selection compares them, made in place: they can be many.

    Raises:
        LightlyPipelineError: An embedding is zero or not finite.
    """
    prepared = {}
    for task, of_task in objects.items():
        assert isinstance(of_task.vectors, np.ndarray)
        try:
            vectors = prepare_embeddings(
                of_task.vectors,
                normalize=run.config.worker.normalize_embeddings,
                compact=run.config.pipeline.selection_memory == "half",
            )
        except LightlyPipelineError as error:
            raise LightlyPipelineError(f"the objects of task {task}: {error}") from None
        prepared[task] = Objects(vectors, of_task.starts)
    return prepared


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
    before = np.concatenate([pool.earlier.rows, pool.marked])
    same_pixels = _pixel_copies(pool, before)
    same_embedding = copies(exact_duplicates(embeddings), before)
    is_copy = same_pixels | same_embedding
    counts = {
        "n_duplicates": int(is_copy.sum()),
        "equal_pixels": int(same_pixels.sum()),
        "equal_embeddings": int(same_embedding.sum()),
    }
    for_report = embeddings if run.config.worker.upload_report else None
    if not run.config.pipeline.remove_exact_duplicates or not is_copy.any():
        kept, removed, among, values = np.arange(len(is_copy)), _NO_ROWS, embeddings, inputs
    else:
        kept, removed = np.flatnonzero(~is_copy), np.flatnonzero(is_copy)
        among, values = embeddings.take(kept), inputs.take(kept)
    n_marked = len(pool.marked)
    config = _without_marked(run.config.selection, len(kept) - len(pool.earlier.rows), n_marked)
    result = _select(run, among, config, np.searchsorted(kept, before), values)
    return Choice(
        np.concatenate([pool.marked, kept[result.indices]]),
        _after_marked(n_marked, result.distances),
        replace(result, decided_by=(MARKED,) * n_marked + result.decided_by),
        counts,
        removed,
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
    marked = _marked_blocks(pool, blocks, length)
    normalize = run.config.worker.normalize_embeddings
    pooled = sequences.pooled_embeddings(pool.embeddings, groups, normalize=normalize)
    n_frames = pool.n_candidate_rows - int(is_own.sum())
    config = _in_sequences(run.config.selection, length, n_frames)
    result = _select(
        run,
        prepare_embeddings(pooled, normalize=normalize),
        _without_marked(config, len(blocks), len(marked)),
        np.concatenate([np.arange(len(blocks), len(groups)), marked]),
        inputs.pooled(groups),
    )
    return Choice(
        _members(blocks, np.concatenate([marked, result.indices])),
        np.repeat(_after_marked(len(marked), result.distances), length),
        replace(result, decided_by=(MARKED,) * len(marked) + result.decided_by),
        {"equal_pixels": int(_pixel_copies(pool, pool.earlier.rows).sum())},
        _NO_ROWS,
        _members(blocks, result.candidates),
        prepare_embeddings(pool.embeddings, normalize=normalize)
        if run.config.worker.upload_report
        else None,
    )


def _without_marked(
    selection: SelectionConfig, n_candidates: int, n_marked: int
) -> SelectionConfig:
    """Returns the configuration for what is left to choose: marked rows count."""
    if not n_marked:
        return selection
    left = max(0, n_to_select(selection, n_candidates) - n_marked)
    return selection.model_copy(update={"n_samples": left, "proportion_samples": None})


def _after_marked(n_marked: int, distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the distances of all that is chosen: marked rows were not chosen by theirs."""
    return np.concatenate([np.full(n_marked, np.inf), distances])


def _marked_blocks(pool: Pool, blocks: sequences.Groups, length: int) -> NDArray[np.int64]:
    """Returns the blocks of which all frames are marked."""
    is_marked = np.isin(blocks.rows, pool.marked).reshape(-1, length)
    n_alone = len(pool.marked) - length * int(is_marked.all(axis=1).sum())
    if n_alone:
        _logger.warning(
            "%d frames are marked as selected and their sequences of %d are not: passed over",
            n_alone,
            length,
        )
    return np.flatnonzero(is_marked.all(axis=1))


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
        objects=inputs.objects,
        normalize=run.config.worker.normalize_embeddings,
        seed=run.config.lightly.seed,
        approximate_diversity=run.config.pipeline.approximate_diversity,
        progress=run.progress,
    )


def _pixel_copies(pool: Pool, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Returns which rows show exactly what a row before them shows, shape (N,)."""
    values, known = read_column_values(pool.rows, [CHECKSUM])
    return copies(first_equal(values[CHECKSUM], known), chosen)
