"""COCO: a JSON file per prediction task beside a folder of images.

Written here and not by `labelformat`, whose writer leaves out what pycocotools needs (ids and areas
of annotations), scores of masks, and keypoints.
"""

import json
from collections.abc import Iterator
from typing import Any

from lightly_pipeline.handover.frames import HandedFrame, HandedRun, PlaceOf
from lightly_pipeline.handover.predictions import PredictedTask, Prediction

IMAGES = "images/"
_VISIBLE = 2


def files(run: HandedRun, place_of: PlaceOf) -> Iterator[tuple[str, bytes]]:
    """Yields `annotations/<task>.json`, or one file of images alone where nothing is predicted.

    Ids of images are ranks from 1 on, those of categories the schema's. `file_name` is relative to
    the folder of images. Classes of whole images are fields of the image, as COCO has no other
    place for them.
    """
    located = [task for task in run.tasks if not task.is_classification]
    for task in located:
        yield f"annotations/{task.name}.json", _encoded(_document(run, place_of, task))
    if not located:
        yield "annotations/images.json", _encoded(_document(run, place_of, None))


def _encoded(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=1).encode()


def _document(run: HandedRun, place_of: PlaceOf, task: PredictedTask | None) -> dict[str, Any]:
    annotations: list[dict[str, Any]] = []
    for frame in run.frames:
        for prediction in frame.of_task(task) if task else ():
            assert task is not None
            number = len(annotations) + 1
            annotations.append(_annotation(number, _image_id(frame), prediction, task))
    return {
        "info": {
            "description": run.describe(),
            "date_created": run.created,
        },
        "images": [_image(run, frame, place_of) for frame in run.frames],
        "categories": [_category(task, place) for place in range(len(task.task.categories))]
        if task
        else [],
        "annotations": annotations,
    }


def _image_id(frame: HandedFrame) -> int:
    return frame.rank + 1


def _image(run: HandedRun, frame: HandedFrame, place_of: PlaceOf) -> dict[str, Any]:
    image = {
        "id": _image_id(frame),
        "file_name": frame.name,
        "width": frame.width,
        "height": frame.height,
        "location": place_of(frame),
        **frame.facts(),
    }
    for task in run.tasks:
        if task.is_classification:
            labels = [{"label": p.label, "score": p.score} for p in frame.of_task(task)]
            image.setdefault("classifications", {})[task.name] = labels
    return image


def _category(task: PredictedTask, place: int) -> dict[str, Any]:
    category: dict[str, Any] = {
        "id": task.task.category_ids[place],
        "name": task.task.categories[place],
    }
    if task.has_points:
        category["keypoints"] = list(task.keypoint_names[place])
        # COCO counts from 1.
        category["skeleton"] = [[a + 1, b + 1] for a, b in task.skeletons[place]]
    return category


def _annotation(
    number: int, image_id: int, prediction: Prediction, task: PredictedTask
) -> dict[str, Any]:
    box = prediction.box or (0.0, 0.0, 0.0, 0.0)
    annotation: dict[str, Any] = {
        "id": number,
        "image_id": image_id,
        "category_id": task.task.category_ids[prediction.category],
        "bbox": list(box),
        "area": box[2] * box[3],
        "iscrowd": 0,
        "score": prediction.score,
    }
    if prediction.mask is not None:
        mask = prediction.mask
        annotation["area"] = mask.area
        annotation["segmentation"] = {
            "size": [mask.height, mask.width],
            "counts": mask.coco_string(),
        }
    if prediction.keypoints:
        points = prediction.keypoints
        seen = [_VISIBLE if score > 0 else 0 for _, _, score in points]
        annotation["keypoints"] = [
            value for (x, y, _), flag in zip(points, seen, strict=True) for value in (x, y, flag)
        ]
        annotation["num_keypoints"] = sum(flag > 0 for flag in seen)
        annotation["keypoint_scores"] = [score for _, _, score in points]
    return annotation
