"""A report as plain values, as the scripts of its page read them.

Pictures become data URLs, arrays base64 of their bytes; whatever is drawn comes from `figures/`.
"""

import base64
import math
from collections.abc import Mapping
from dataclasses import asdict
from itertools import groupby
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.report.figures import balance, coverage, distances, histogram
from lightly_pipeline.report.figures.embedding_map import map_picture
from lightly_pipeline.report.figures.timeline import timeline_picture
from lightly_pipeline.report.numbers import ChosenPicture, EmbeddingMap, Preview, Report, Twin

_MAX_PROBLEMS = 2000
_TO_ROOT = "../../../"
"""From a run's folder to the root of the LIGHTLY datasource."""


def run_payload(report: Report) -> dict[str, Any]:
    """Returns everything that the page of a run shows; JSON can say all of it."""
    facts = report.facts
    by_rank = {frame.rank: frame for frame in report.chosen}
    return {
        "run": facts.run_id,
        "dataset": facts.dataset,
        "of_images": facts.of_images,
        "created": facts.created,
        "steps": _steps(report),
        "sizes": asdict(report.sizes),
        "takeaways": coverage.takeaways(report.coverage),
        "coverage": [
            asdict(coverage.largest_chart(report.coverage)),
            asdict(coverage.median_chart(report.coverage)),
        ]
        if report.coverage
        else [],
        "problems": _problems(report),
        "chosen": [_chosen(frame, of_images=facts.of_images) for frame in report.chosen],
        "timelines": [asdict(timeline_picture(t, by_rank)) for t in report.timelines],
        "map": None if report.map is None else _map(report.map),
        "twins": [_twin(twin) for twin in report.twins],
        "balances": [asdict(balance.balance_chart(b)) for b in report.balances],
        "histograms": [asdict(histogram.histogram_chart(h)) for h in report.histograms],
        "distances": [asdict(distances.distances_chart(d)) for d in report.distances],
        "config": plain(facts.config),
        "versions": dict(facts.versions),
    }


def plain(value: Any) -> Any:
    """Returns a configuration value as JSON can say it."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return _finite(value) if math.isfinite(value) else str(value)
    return value if isinstance(value, str | int | bool | None) else str(value)


def _steps(report: Report) -> list[dict[str, Any]]:
    facts = report.facts
    return [
        {
            "name": name,
            "seconds": seconds,
            "rate": facts.rates.get(name),
            "unit": facts.rate_units.get(name, ""),
        }
        for name, seconds in facts.seconds.items()
    ]


def _problems(report: Report) -> list[dict[str, Any]]:
    """Groups problems by kind, in the order of their first; very long lists are cut."""
    kinds = list(dict.fromkeys(problem.kind for problem in report.problems))
    ordered = sorted(report.problems, key=lambda problem: kinds.index(problem.kind))
    groups = []
    for kind, problems in groupby(ordered, key=lambda problem: problem.kind):
        rows = [[problem.place, problem.reason] for problem in problems]
        groups.append({"kind": kind, "count": len(rows), "rows": rows[:_MAX_PROBLEMS]})
    return groups


def _chosen(frame: ChosenPicture, *, of_images: bool) -> dict[str, Any]:
    # A chosen image lies in INPUT, to which nothing leads from here.
    link = None if of_images else frame.image
    return {
        "rank": frame.rank,
        "video": frame.video,
        "frame": frame.frame_index,
        "time": _finite(frame.time_s),
        "image": frame.image,
        "href": link and _TO_ROOT + quote(link.encode("utf-8", "surrogateescape")),
        "by": frame.decided_by,
        "distance": _finite(frame.distance),
        "nearest": frame.nearest_rank,
        **_picture(frame.preview),
    }


def _twin(twin: Twin) -> dict[str, Any]:
    return {
        "kind": twin.kind,
        "video": twin.video,
        "frame": twin.frame_index,
        "time": _finite(twin.time_s),
        "distance": _finite(twin.distance),
        "rank": twin.rank,
        **_picture(twin.preview),
    }


def _picture(preview: Preview | None) -> dict[str, Any]:
    if preview is None:
        return {"src": None}
    content = base64.b64encode(preview.content).decode()
    return {
        "src": f"data:{preview.media_type};base64,{content}",
        "width": preview.width,
        "height": preview.height,
    }


def _map(embedding_map: EmbeddingMap) -> dict[str, Any]:
    picture = map_picture(embedding_map)
    sample = picture.sample
    return {
        "description": picture.description,
        "method": embedding_map.method,
        "labels": [picture.x_label, picture.y_label],
        "shade": _bytes(picture.shade, np.uint8),
        "shape": picture.shade.shape,
        "extent": [float(edge) for edge in picture.extent],
        "points": _bytes(embedding_map.points[sample], np.float32),
        "videos": _bytes(embedding_map.point_video[sample], np.int32),
        "times": _bytes(embedding_map.point_time_s[sample], np.float32),
        "frames": _bytes(embedding_map.point_frame[sample], np.int32),
        "names": [embedding_map.point_name[place] for place in sample]
        if embedding_map.point_name
        else None,
        "chosen": _bytes(picture.chosen, np.float32),
    }


def _bytes(array: NDArray[Any], dtype: type[np.generic]) -> str:
    """Returns the array's bytes, the lowest first as a browser's typed arrays have them."""
    little = np.ascontiguousarray(array, np.dtype(dtype).newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode()


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
