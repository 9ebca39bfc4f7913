"""FiftyOne: a dataset folder that `fiftyone.Dataset.from_dir` imports.

Written without FiftyOne, so that a machine that exports needs no MongoDB: its documented JSON form
(`fiftyone.types.FiftyOneDataset` without a version, which every release still reads).
"""

import base64
import io
import json
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from lightly_pipeline.handover.frames import HandedFrame, HandedRun, PlaceOf
from lightly_pipeline.handover.masks import Mask
from lightly_pipeline.handover.predictions import PredictedTask, Prediction, field_names

IMAGES = "data/"
_OWN_FIELDS = ("id", "filepath", "tags", "metadata", "created_at", "last_modified_at")


def files(run: HandedRun, place_of: PlaceOf) -> Iterator[tuple[str, bytes]]:
    """Yields the samples in the order of picks; a field per fact, and one per prediction task."""
    names = field_names(run.tasks, [*_OWN_FIELDS, *(run.frames[0].facts() if run.frames else ())])
    name = f"{run.dataset}-{run.short_name}"
    metadata = {"name": name, "media_type": "image", "info": run.identity}
    yield "metadata.json", json.dumps(metadata, indent=1).encode()
    samples = [_sample(frame, place_of, run.tasks, names) for frame in run.frames]
    yield "samples.json", json.dumps({"samples": samples}, indent=1).encode()


def _sample(
    frame: HandedFrame,
    place_of: PlaceOf,
    tasks: tuple[PredictedTask, ...],
    names: dict[str, str],
) -> dict[str, Any]:
    return {
        "filepath": place_of(frame),
        "tags": [],
        "metadata": {
            "_cls": "ImageMetadata",
            "size_bytes": frame.size_bytes,
            "width": frame.width,
            "height": frame.height,
        },
        **frame.facts(),
        **{names[task.name]: _labels(frame, task) for task in tasks if frame.of_task(task)},
    }


def _labels(frame: HandedFrame, task: PredictedTask) -> dict[str, Any]:
    found = frame.of_task(task)
    if task.is_classification:
        classes = [_label("Classification", p) for p in found]
        return {"_cls": "Classifications", "classifications": classes}
    if task.has_points:
        return {"_cls": "Keypoints", "keypoints": [_keypoint(p, frame) for p in found]}
    return {"_cls": "Detections", "detections": [_detection(p, frame) for p in found]}


def _label(kind: str, prediction: Prediction) -> dict[str, Any]:
    label = {"_cls": kind, "attributes": {}, "tags": [], "label": prediction.label}
    return label if prediction.score is None else {**label, "confidence": prediction.score}


def _detection(prediction: Prediction, frame: HandedFrame) -> dict[str, Any]:
    x, y, width, height = prediction.box or (0.0, 0.0, 0.0, 0.0)
    detection = _label("Detection", prediction)
    mask = prediction.mask
    if mask is not None:
        # FiftyOne stretches a mask over its box, so that it has to be the mask's own.
        x, y, width, height = mask.box()
        detection["mask"] = {"$binary": {"base64": _encoded(mask), "subType": "00"}}
    detection["bounding_box"] = [
        x / frame.width,
        y / frame.height,
        width / frame.width,
        height / frame.height,
    ]
    return detection


def _keypoint(prediction: Prediction, frame: HandedFrame) -> dict[str, Any]:
    keypoint = _label("Keypoint", prediction)
    keypoint["points"] = [[x / frame.width, y / frame.height] for x, y, _ in prediction.keypoints]
    keypoint["confidence"] = [score for _, _, score in prediction.keypoints]
    return keypoint


def _encoded(mask: Mask) -> str:
    buffer = io.BytesIO()
    np.save(buffer, mask.cropped().pixels(), allow_pickle=False)
    return base64.b64encode(zlib.compress(buffer.getvalue())).decode()
