"""Datumaro's own format: one JSON file of items beside a folder of images.

Written without Datumaro, which needs OpenCV and older releases of what this package decodes with.
"""

import json
from collections.abc import Iterator
from typing import Any

from lightly_pipeline.handover.frames import HandedFrame, HandedRun, PlaceOf
from lightly_pipeline.handover.predictions import Prediction

IMAGES = "images/default/"


def files(run: HandedRun, place_of: PlaceOf) -> Iterator[tuple[str, bytes]]:
    """Yields `annotations/default.json`; labels of the same name of several tasks are one."""
    labels = list(dict.fromkeys(name for task in run.tasks for name in task.task.categories))
    info = run.identity
    document = {
        "dm_format_version": "1.0",
        "media_type": 2,
        "infos": info,
        "categories": {
            "label": {
                "labels": [{"name": name, "parent": "", "attributes": []} for name in labels],
                "label_groups": [],
                "attributes": [],
            }
        },
        "items": [_item(frame, place_of, labels) for frame in run.frames],
    }
    yield "annotations/default.json", json.dumps(document, indent=1).encode()


def _item(frame: HandedFrame, place_of: PlaceOf, labels: list[str]) -> dict[str, Any]:
    annotations: list[dict[str, Any]] = []
    for prediction in frame.predictions:
        for shape in _shapes(prediction, group=len(annotations) + 1):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "attributes": {"task": prediction.task, "score": prediction.score},
                    "label_id": labels.index(prediction.label),
                    "z_order": 0,
                    "object_id": -1,
                    **shape,
                }
            )
    return {
        "id": frame.name.rpartition(".")[0],
        "annotations": annotations,
        "attr": {**frame.facts(), "location": place_of(frame)},
        "image": {"path": frame.name, "size": [frame.height, frame.width]},
    }


def _shapes(prediction: Prediction, group: int) -> Iterator[dict[str, Any]]:
    """Yields the shapes of one prediction; several belong to one group."""
    if prediction.mask is not None:
        mask = prediction.mask
        rle = {"counts": mask.coco_string(), "size": [mask.height, mask.width]}
        yield {"type": "mask", "group": 0, "rle": rle}
    elif prediction.keypoints:
        points = [value for x, y, _ in prediction.keypoints for value in (x, y)]
        seen = [2 if score > 0 else 0 for _, _, score in prediction.keypoints]
        yield {"type": "points", "group": group, "points": points, "visibility": seen}
        yield {"type": "bbox", "group": group, "bbox": list(prediction.box or (0, 0, 0, 0))}
    elif prediction.box is not None:
        yield {"type": "bbox", "group": 0, "bbox": list(prediction.box)}
    else:
        yield {"type": "label", "group": 0}
