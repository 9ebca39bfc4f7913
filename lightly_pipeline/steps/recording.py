"""What is written down of a choice: its record, its claim on the datapool, its embeddings.

Builds values; `choosing.py` stores them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.earlier import EmbeddedVideo
from lightly_pipeline.candidates.loading import Pool
from lightly_pipeline.candidates.rows import FrameRows
from lightly_pipeline.candidates.whereabouts import Whereabouts
from lightly_pipeline.inputs.files import in_threads
from lightly_pipeline.inputs.values import SelectionInputs
from lightly_pipeline.runs.datapool import Datapool, PoolClaim
from lightly_pipeline.runs.records import ChosenFrame, SelectionRecord, VideoVersion
from lightly_pipeline.selection import GridEmbeddings, SelectionResult
from lightly_pipeline.steps.expiring import OPTION as EXPIRATION_OPTION
from lightly_pipeline.steps.own_vectors import OwnVectorsReport
from lightly_pipeline.steps.processing import ProcessResult
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.tables.catalog import Catalog
from lightly_pipeline.tables.shards import ImageShard


@dataclass(frozen=True, slots=True)
class Choice:
    """The rows that were chosen, in the order of picks.

    Attributes:
        rows: Shape (k,), int64.
        distances: Shape (k,): of each pick to what was chosen before.
        result: Figures of the selection.
        duplicates: Counts of copies among the candidates.
        removed: Rows that were left out as copies.
        candidates: Rows that could be chosen.
        embeddings: Of all rows, as they were compared; None where no report is wanted.
    """

    rows: NDArray[np.int64]
    distances: NDArray[np.float64]
    result: SelectionResult
    duplicates: dict[str, int]
    removed: NDArray[np.int64]
    candidates: NDArray[np.int64]
    embeddings: GridEmbeddings | None


def selection_record(
    run: Run,
    processed: ProcessResult,
    pool: Pool,
    inputs: SelectionInputs,
    choice: Choice,
    claim: PoolClaim | None,
    own: OwnVectorsReport | None = None,
) -> SelectionRecord:
    """Returns the record of a choice: everything that an upload needs to know."""
    frames = chosen_frames(pool, choice, run.config.worker.selected_sequence_length)
    return SelectionRecord(
        run_id=run.run_id,
        dataset=run.dataset.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        config=run.config.as_dict(),
        embedding_id=run.embedding_id,
        table_id=run.table_id,
        catalog_hash=processed.catalog.hash,
        image_format=run.config.worker.output_image_format,
        resize=run.config.worker.resize,
        frames=frames,
        videos=versions_of(frames, processed),
        n_input_videos=processed.n_files,
        n_input_frames=pool.n_candidate_rows,
        summary={
            **_summary(run, choice, inputs, pool),
            **_of_videos(processed),
            **_of_own(own),
            **_of_model(run),
        },
        corrupt_videos=unusable_videos(run, processed),
        corrupt_samples=_corrupt_samples(processed),
        failed_videos=processed.failed,
        n_damaged_frames=sum(outcome.n_damaged for outcome in processed.outcomes),
        sequence_length=run.config.worker.selected_sequence_length,
        warnings=_warnings(run, processed, own),
        datapool=claim,
        input=run.dataset.input.describe() if run.dataset.of_images else None,
    )


def chosen_frames(pool: Pool, choice: Choice, sequence_length: int) -> tuple[ChosenFrame, ...]:
    """Returns the frames of a choice in the order of picks."""
    frames = []
    for rank, (row, distance) in enumerate(zip(choice.rows, choice.distances, strict=True)):
        path, index = pool.rows.frame(row)
        frames.append(
            ChosenFrame(
                rank=rank,
                video=path,
                frame_index=index,
                distance=float(distance) if np.isfinite(distance) else None,
                decided_by=choice.result.decided_by[rank // sequence_length],
            )
        )
    return tuple(frames)


def versions_of(frames: Iterable[ChosenFrame], processed: ProcessResult) -> dict[str, VideoVersion]:
    """Returns the versions of the videos that frames are of, by path."""
    chosen = {frame.video for frame in frames}
    versions = {}
    for video, outcome in zip(processed.catalog.videos, processed.outcomes, strict=True):
        is_shard = isinstance(video, ImageShard)
        for file in Catalog((video,)).files:
            if file.path in chosen:
                n_frames = 1 if is_shard else outcome.n_frames
                versions[file.path] = VideoVersion(
                    file.size_bytes, file.etag, outcome.fingerprint, n_frames
                )
    return versions


def _corrupt_samples(processed: ProcessResult) -> dict[str, str]:
    """Returns the reason by place of what could not be decoded, of files that take part."""
    found: dict[str, str] = {}
    for video, outcome in zip(processed.catalog.videos, processed.outcomes, strict=True):
        if not isinstance(video, ImageShard):
            found |= outcome.corrupt_samples
        elif outcome.corrupt_samples:
            paths = {image.path for _, image in video.taking_part()}
            found |= {k: v for k, v in outcome.corrupt_samples.items() if k in paths}
    return found


def unusable_videos(run: Run, processed: ProcessResult) -> dict[str, str]:
    """Returns the reason by path of every video that the run gets no frame of."""
    with_damaged = run.config.pipeline.takes_damaged
    reasons = {o.video: o.unusable_reason(with_damaged=with_damaged) for o in processed.outcomes}
    return {video: reason for video, reason in reasons.items() if reason is not None}


def _of_model(run: Run) -> dict[str, Any]:
    """Returns what is said of the model that the frames were embedded with, where a run made it."""
    return {} if run.model is None else {"trained_model": run.model.summary()}


def _summary(run: Run, choice: Choice, inputs: SelectionInputs, pool: Pool) -> dict[str, Any]:
    """Returns what the selection achieved; chosen and preselected frames are counted as frames."""
    summary = {
        **choice.result.as_dict(),
        "n_selected": len(choice.rows),
        "n_preselected": len(pool.earlier.rows),
        "duplicates": choice.duplicates,
    }
    if run.config.worker.selected_sequence_length > 1:
        summary["n_sequences"] = len(choice.result.indices)
    if inputs.n_without_prediction:
        summary["frames_without_prediction"] = inputs.n_without_prediction
    if inputs.objects:
        summary["objects"] = {
            task: {
                "n_objects": int(objects.starts[-1]),
                "frames_without": int((np.diff(objects.starts) == 0).sum()),
            }
            for task, objects in inputs.objects.items()
        }
    if inputs.n_without_prediction or inputs.objects:
        summary["skipped_prediction_files"] = len(inputs.skipped)
    return summary


def _of_videos(processed: ProcessResult) -> dict[str, Any]:
    """Returns counts of the videos that took part and of those left out before."""
    counted = {"relevant_filenames": processed.relevant, "input_expiration": processed.lasting}
    return {name: videos.counts() for name, videos in counted.items() if videos is not None}


def _of_own(own: OwnVectorsReport | None) -> dict[str, Any]:
    return {} if own is None else {"own_embeddings": own.counts}


def _warnings(
    run: Run, processed: ProcessResult, own: OwnVectorsReport | None
) -> dict[str, list[str]]:
    """Returns lines for the owner of a video, a file that names some, or an option, by name."""
    worker = run.config.worker
    of_rules = {
        worker.relevant_filenames_file: processed.relevant,
        EXPIRATION_OPTION: processed.lasting,
        worker.embeddings: own,
    }
    return {
        **{name: list(rule.warnings) for name, rule in of_rules.items() if rule and rule.warnings},
        **{o.video: list(o.warnings) for o in processed.outcomes if o.warnings},
    }


def pool_claim(
    run: Run, datapool: Datapool | None, candidates: Sequence[EmbeddedVideo]
) -> PoolClaim | None:
    """Returns what the run enters into the datapool; None when it leaves it as it is."""
    if datapool is None or not run.config.worker.datasource.enable_datapool_update:
        return None
    return PoolClaim(
        datapool.number + 1,
        datapool.adopted,
        {
            file.path: (file.size_bytes, file.etag)
            for one in candidates
            for file in one.files()
            if not datapool.is_processed(file)
        },
    )


def chosen_embeddings(
    record: SelectionRecord, current: Mapping[str, EmbeddedVideo]
) -> NDArray[np.float32]:
    """Returns the chosen frames' embeddings, shape (k, dim), in the order of picks.

    They come from the tables: those that the selection works on are rounded.
    """
    where = Whereabouts(current)
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for frame in record.frames:
        found = where.find(frame.video, frame.frame_index)
        assert found is not None
        places[found.video.video.path].append((frame.rank, found.index))
    vectors = np.empty((len(record.frames), next(iter(current.values())).dim), dtype=np.float32)

    def read(path: str) -> NDArray[np.float32]:
        return current[path].embeddings_of([index for _, index in places[path]])

    for path, rows in in_threads(read, list(places)):
        vectors[[rank for rank, _ in places[path]]] = rows
    return vectors


def image_names(rows: FrameRows, wanted: NDArray[np.int64], image_format: str) -> list[str]:
    """Returns the names that the images of some rows would have."""
    return [
        rows.videos[owner].image_name(int(index), image_format)
        for owner, index in zip(rows.owner[wanted], rows.index[wanted], strict=True)
    ]
