"""Everything that a report says of a choice, from its embeddings, tables and inputs.

Puts the figures of the other modules together. Made right after the selection, which holds the
embeddings in memory: reading them again would be most of a report's work.
"""

import numpy as np

from lightly_pipeline.candidates.whereabouts import Found
from lightly_pipeline.report.gather import coverage
from lightly_pipeline.report.gather.balances import balances
from lightly_pipeline.report.gather.columns import FrameColumns, read_frame_columns
from lightly_pipeline.report.gather.embedding_map import embedding_map
from lightly_pipeline.report.gather.histograms import distances, histograms
from lightly_pipeline.report.gather.material import ChoiceNumbers, Material
from lightly_pipeline.report.gather.nearest import nearest_earlier
from lightly_pipeline.report.gather.twins import Pair, find_pairs
from lightly_pipeline.report.numbers import CoverageCurve, Distances, Twin
from lightly_pipeline.runs.records import VideoVersion
from lightly_pipeline.selection.figures import neighbor_distances
from lightly_pipeline.selection.vectors.threads import one_blas_thread


def gather_choice(material: Material) -> ChoiceNumbers:
    """Returns the numbers of a choice.

    The same on every machine and number of workers.

    Raises:
        DatasourceError: A table cannot be read.
    """
    with one_blas_thread():
        columns = read_frame_columns(material)
        curves, spread, pairs = _distances(material, columns)
        rows = material.pool.rows.take(material.chosen)
        return ChoiceNumbers(
            frames=tuple(rows.frame(row) for row in range(len(rows))),
            n_input_frames=material.n_input_frames,
            n_candidates=len(material.candidates),
            times=tuple(_time(value) for value in columns.times[material.chosen]),
            nearest_ranks=nearest_earlier(
                material.embeddings,
                material.chosen,
                material.before,
                material.config.worker.selected_sequence_length,
            ),
            coverage=curves,
            map=embedding_map(
                material.embeddings,
                material.candidates,
                material.chosen,
                material.pool.rows.owner,
                material.pool.rows.index,
                columns.times,
                method=material.config.pipeline.report_map,
                name_of=material.image_of,
            ),
            twins=tuple(_twin(pair, material, columns) for pair in pairs),
            twin_videos=_versions(pairs, material),
            timelines=columns.timelines,
            balances=balances(material),
            histograms=histograms(material, columns.quality),
            distances=spread,
        )


def _distances(
    material: Material, columns: FrameColumns
) -> tuple[tuple[CoverageCurve, ...], tuple[Distances, ...], list[Pair]]:
    """Returns coverage curves, distributions of distances, and twins."""
    embeddings, candidates, chosen = material.embeddings, material.candidates, material.chosen
    among = material.neighbor_distances
    if among is None:
        among = neighbor_distances(embeddings, candidates)
    to_chosen = neighbor_distances(embeddings, chosen)
    spread = [
        distances("to the nearest other candidate", among, len(candidates)),
        distances("to the nearest other chosen frame", to_chosen, len(chosen)),
    ]
    if not len(chosen) or not len(candidates):
        return (), tuple(one for one in spread if one is not None), []
    compared = coverage.choices(chosen, candidates, columns.clock[candidates])
    measured = coverage.measure(embeddings, candidates, material.before, compared)
    for name, by_step in (
        ("of a candidate to the nearest chosen frame", measured.this),
        ("of a candidate to the nearest of as many random frames", measured.random),
    ):
        squared = np.minimum(by_step[:, -1], measured.before)
        spread.append(distances(name, np.sqrt(squared) * embeddings.scale, len(candidates)))
    return (
        coverage.curves(
            measured,
            compared,
            embeddings.scale,
            len(candidates),
            "evenly by name" if material.of_images else "evenly in time",
        ),
        tuple(one for one in spread if one is not None),
        find_pairs(measured, chosen),
    )


def _twin(pair: Pair, material: Material, columns: FrameColumns) -> Twin:
    video, frame_index = material.pool.rows.frame(pair.row)
    return Twin(
        kind=pair.kind,
        video=video,
        frame_index=frame_index,
        time_s=_time(columns.times[pair.row]),
        distance=float(np.sqrt(pair.squared)) * material.embeddings.scale,
        rank=pair.rank,
        preview=None,
    )


def _time(value: np.float64) -> float | None:
    return float(value) if np.isfinite(value) else None


def _versions(pairs: list[Pair], material: Material) -> dict[str, VideoVersion]:
    rows = material.pool.rows
    versions = {}
    for row in (pair.row for pair in pairs):
        one, index = material.videos[rows.owner[row]], int(rows.index[row])
        file = Found(one, index).file
        n_frames = 1 if rows.videos[rows.owner[row]].images else one.n_frames
        versions[file.path] = VideoVersion(
            file.size_bytes, file.etag, one.table.fingerprint, n_frames
        )
    return versions
