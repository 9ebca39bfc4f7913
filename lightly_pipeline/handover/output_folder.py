"""The output folder that Lightly's worker leaves on its disk, for scripts that read it.

Embeddings of all frames that a run worked with, those of all chosen frames, lists of names, and the
files of the run. `plots/` is not made: the report has them.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from lightly_pipeline.candidates.earlier import EmbeddedVideo, embeddings_of
from lightly_pipeline.candidates.whereabouts import Whereabouts
from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import ObjectNotFoundError
from lightly_pipeline.handover.embeddings import Rows, candidate_rows, write_csv
from lightly_pipeline.handover.frames import read_manifest
from lightly_pipeline.handover.lists import write_filenames
from lightly_pipeline.handover.pool import CandidatePool, read_pool
from lightly_pipeline.layout import image_name, run_path
from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.runs.chosen import ChosenSet, SourceVideo, StoredFrame
from lightly_pipeline.runs.datapool import chosen_before

EMBEDDINGS_FILE = "data/embeddings.csv"
SELECTED_FILE = "data/selected_embeddings_including_datapool.csv"
# By name of a run's file: where it belongs in the folder.
_RUN_FILES = {
    "sequence_information.json": "data/sequence_information.json",
    "corruptness_check_information.json": "corruptness_check_information.json",
    "log.txt": "log.txt",
    "memlog.txt": "memlog.txt",
    "report.html": "report.html",
    "report.pdf": "report.pdf",
    "report_v2.json": "report_v2.json",
}
_Key = tuple[str, int, SourceVideo]
"""Video, index and version of a frame."""


def write_output_folder(
    store: Datasource, run_id: str, target: Datasource, *, progress: Progress = silent
) -> int:
    """Writes the folder of a run and returns the number of frames in its embeddings.

    Args:
        store: The LIGHTLY datasource.
        run_id: Of a run that has completed.
        target: Where it goes.
        progress: Told how many videos are written.

    Raises:
        RunNotFoundError: The run has not completed.
        LightlyPipelineError: Its candidates, or the embeddings of frames chosen before it, cannot
            be found.
        DatasourceError: A store failed.
    """
    manifest = read_manifest(store, run_id)
    pool = read_pool(store, run_id)
    own = _of_set(store, _chosen_of(pool, manifest["images"]), pool.record.embedding_id, {})
    earlier = _earlier_frames(store, pool)
    videos = Whereabouts({video.video.path: video for video in pool.videos})
    outside = [_only(rows, [not _is_among(videos, key) for key in keys]) for keys, rows in earlier]
    dim = pool.dim or own[1].shape[1]
    rows = chain(candidate_rows(pool, progress), outside)
    n_rows = write_csv(target, EMBEDDINGS_FILE, dim, rows)
    write_csv(target, SELECTED_FILE, dim, [*(rows for _, rows in earlier), own])
    write_filenames(store, run_id, target)
    for name, place in _RUN_FILES.items():
        try:
            target.write(place, store.read(run_path(run_id, name)))
        except ObjectNotFoundError:
            continue
    return n_rows


def _earlier_frames(store: Datasource, pool: CandidatePool) -> list[tuple[list[_Key], Rows]]:
    """Returns the frames that were chosen before the run, each once, by the run that did."""
    record = pool.record
    seen: set[_Key] = set()
    current: dict[str, EmbeddedVideo] = {}
    found = []
    for chosen in chosen_before(store, record.summary["n_preselected"]):
        keys = [(f.video, f.frame_index, chosen.videos[f.video]) for f in chosen.frames]
        is_new = [key not in seen for key in keys]
        seen.update(keys)
        if chosen.embedding_id != record.embedding_id and not current:
            # Embedded by another encoder then; their tables have the vectors that were compared.
            videos = read_pool(store, record.run_id, with_processed=True).videos
            current = {video.video.path: video for video in videos}
        rows = _only(_of_set(store, chosen, record.embedding_id, current), is_new)
        found.append(([key for key, new in zip(keys, is_new, strict=True) if new], rows))
    return found


def _is_among(videos: Whereabouts, key: _Key) -> bool:
    """Returns whether a frame was a candidate."""
    path, frame_index, version = key
    found = videos.find(path, frame_index)
    return found is not None and version.is_version(found.file)


def _chosen_of(pool: CandidatePool, images: Sequence[Mapping[str, Any]]) -> ChosenSet:
    """Returns what the run chose and has stored."""
    frames = (StoredFrame(i["video"], i["frame_index"], i["image"], i["rank"]) for i in images)
    record = pool.record
    versions = {
        path: SourceVideo(video.size_bytes, video.etag, video.n_frames)
        for path, video in record.videos.items()
    }
    return ChosenSet(record.run_id, record.embedding_id, 1, versions, tuple(frames))


def _of_set(
    store: Datasource, chosen: ChosenSet, embedding_id: str, current: Mapping[str, EmbeddedVideo]
) -> Rows:
    names = [image_name(frame.image) for frame in chosen.frames]
    vectors = embeddings_of(store, chosen, embedding_id, current)
    return names, vectors, np.ones(len(names), bool)


def _only(rows: Rows, wanted: Sequence[bool]) -> Rows:
    names, vectors, selected = rows
    kept = np.array(wanted, bool)
    return (
        [name for name, keep in zip(names, kept, strict=True) if keep],
        vectors[kept],
        selected[kept],
    )
