"""The report as `report_v2.json`, in the shape that the original's worker gives it.

What the original has and this does not know is null: what labels cost, and everything about objects
in pictures. Beyond the original, distributions of numbers have `binEdges`.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from numpy.typing import NDArray

from lightly_pipeline.layout import frame_name, image_name
from lightly_pipeline.report.numbers import Distances, Histogram, Report, Twin

_LIGHTLY_NUMBERS = (
    "uniform_row_ratio",
    "luminance",
    "contrast",
    "sharpness",
    "mean_red",
    "mean_green",
    "mean_blue",
    "width",
    "height",
)


def render(report: Report) -> bytes:
    """Returns the document of a run."""
    # Without indentation: json's fast encoder knows none.
    return json.dumps(_document(report), allow_nan=False).encode()


def _document(report: Report) -> dict[str, Any]:
    return {
        "generalInformation": {
            "workerInformation": {
                "buildTime": None,
                "buildVersion": report.facts.versions.get("lightly-pipeline"),
            },
            "runInformation": _run_information(report),
            "datasetInformation": _dataset_information(report),
            "annotationSavings": {
                "imageClassification": None,
                "objectDetection": None,
                "semanticSegmentation": None,
            },
            "selectedAndRemovedImageExamples": _examples(report),
        },
        "datasetAnalysis": {
            "embeddingInformation": _embedding_information(report),
            "metadataInformation": _metadata_information(report.histograms),
        },
        "predictionTaskInformation": {},
    }


def _run_information(report: Report) -> dict[str, Any]:
    """Returns times: the selection's is known, the others follow from how long steps took."""
    seconds = report.facts.seconds
    selected = datetime.fromisoformat(report.facts.created)
    before = sum(seconds.get(step, 0.0) for step in ("catalog", "decode_and_embed", "select"))
    return {
        "startTimestamp": int((selected - timedelta(seconds=before)).timestamp() * 1000),
        "endTimestamp": int(
            (selected + timedelta(seconds=seconds.get("upload", 0.0))).timestamp() * 1000
        ),
        "totalProcessingTimeS": round(sum(seconds.values()), 3),
        "runId": report.facts.run_id,
        "runUrl": report.facts.folder,
    }


def _dataset_information(report: Report) -> dict[str, Any]:
    sizes, of_images = report.sizes, report.facts.of_images
    with_selected = {chosen.video for chosen in report.chosen if chosen.image is not None}
    n_usable = sizes.n_input_videos - sizes.n_corrupt_videos - sizes.n_failed_videos
    return {
        "datasetSizes": {
            "nInput": sizes.n_input_frames,
            "nCorrupt": sizes.n_corrupt_videos if of_images else sizes.n_damaged_frames,
            "nDuplicate": sizes.n_removed_duplicates,
            "nRemoved": max(0, sizes.n_candidates - sizes.n_selected),
            "nSelected": sizes.n_selected,
            "nPreselectedDatapool": sizes.n_preselected,
            "nSelectedWithDatapool": sizes.n_selected + sizes.n_preselected,
        },
        "videoLevelSizes": None
        if of_images
        else {
            "nInput": sizes.n_input_videos,
            "nCorrupt": sizes.n_corrupt_videos,
            "nDuplicate": 0,
            "nRemoved": max(0, n_usable - len(with_selected)),
            "nSelected": len(with_selected),
            "nPreselectedDatapool": None,
            "nSelectedWithDatapool": None,
        },
        "datasetId": report.facts.dataset_id,
        "datasetUrl": None,
        "datasetName": report.facts.dataset,
    }


def _examples(report: Report) -> list[dict[str, Any]]:
    n_frames = {timeline.video: timeline.n_frames for timeline in report.timelines}
    image_format = report.facts.config["worker_config"]["output_image_format"]

    def name_of(twin: Twin) -> str:
        if report.facts.of_images:
            return twin.video
        return frame_name(twin.video, twin.frame_index, n_frames[twin.video], image_format)

    examples = []
    for twin in report.twins:
        image = report.chosen[twin.rank].image
        if image is not None:
            examples.append(
                {
                    "selectedImage": image_name(image),
                    "removedImage": name_of(twin),
                    "distance": twin.distance,
                }
            )
    return examples


def _embedding_information(report: Report) -> dict[str, Any]:
    by_name = {one.name: _distances(one) for one in report.distances}
    points = report.map.points if report.map else None
    chosen = report.map.chosen if report.map else None
    is_umap = report.map is not None and report.map.method == "UMAP"
    shown = {"input": _listed(points), "selected": _listed(chosen)} if report.map else None
    return {
        "distanceToNearestNeighborInSet": {
            "input": by_name.get("to the nearest other candidate"),
            "selected": by_name.get("to the nearest other chosen frame"),
        },
        "distanceToCoverInput": {
            "selected": by_name.get("of a candidate to the nearest chosen frame"),
            "random": by_name.get("of a candidate to the nearest of as many random frames"),
        },
        "scatterPlotData": {
            "pcaEmbeddingData": None if is_umap else shown,
            "umapEmbeddingData": shown if is_umap else None,
        },
    }


def _metadata_information(histograms: Sequence[Histogram]) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {
        "lightlyNumeric": {},
        "customNumeric": {},
        "customCategorical": {},
    }
    for one in histograms:
        if one.edges is None:
            found["customCategorical"][one.name] = {
                "input": _categorical(one.labels, one.pool),
                "selected": _categorical(one.labels, one.chosen),
            }
            continue
        kind = "lightlyNumeric" if one.name in _LIGHTLY_NUMBERS else "customNumeric"
        found[kind][one.name] = {
            "input": _numeric(one.pool, one.edges, one.pool_metrics),
            "selected": _numeric(one.chosen, one.edges, one.chosen_metrics),
        }
    return found


def _distances(one: Distances) -> dict[str, Any]:
    return _numeric(one.counts, one.edges, one.metrics)


def _numeric(
    counts: NDArray[Any], edges: NDArray[Any], metrics: Mapping[str, float]
) -> dict[str, Any]:
    names = ("mean", "std", "min", "median", "max")
    return {
        "counts": counts.tolist(),
        "binEdges": edges.tolist(),
        "metrics": {name: metrics.get(name) for name in names},
    }


def _categorical(labels: Sequence[str], counts: NDArray[Any]) -> dict[str, Any]:
    by_label = dict(zip(labels, counts.tolist(), strict=True))
    return {"counts": by_label, "metrics": {"nCategories": sum(n > 0 for n in by_label.values())}}


def _listed(places: NDArray[Any] | None) -> list[list[float]]:
    return [] if places is None else places.tolist()
