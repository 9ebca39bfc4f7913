"""A run whose chosen frames have predictions of every kind, for what hands them over.

Every frame has the same ones, as shares of its size: a box, a mask with a hole, three points.
"""

from pathlib import Path
from typing import Any

import numpy as np

from lightly_pipeline import Dataset, RunResult, run
from lightly_pipeline.handover.masks import Mask
from lightly_pipeline_tests.support.selections import (
    N_FRAMES,
    VIDEOS,
    frame_file,
    local_dataset,
    put,
)
from lightly_pipeline_tests.support.videos import HEIGHT, WIDTH

CATEGORIES = ("car", "person & <co>")
BOX = (16.0, 12.0, 40.0, 30.0)
POINTS = ((40.0, 30.0, 0.9), (60.5, 45.25, 0.5), (80.0, 60.0, 0.0))
TASKS = {
    "boxes": "object-detection",
    "cars/v2": "classification",
    "instances": "instance-segmentation",
    "poses": "keypoint-detection",
    "scene": "semantic-segmentation",
}


def hole() -> np.ndarray:
    """A mask of two parts, one of them with a hole."""
    pixels = np.zeros((HEIGHT, WIDTH), dtype=bool)
    pixels[20:60, 30:90] = True
    pixels[30:40, 50:70] = False
    pixels[80:90, 100:120] = True
    return pixels


def entry_of(kind: str) -> dict[str, Any]:
    """One entry of a prediction file."""
    runs = list(Mask.of(hole()).runs)
    fields: dict[str, Any] = {
        "object-detection": {"category_id": 7, "bbox": list(BOX), "score": 0.75},
        "classification": {"category_id": 3, "probabilities": [0.625, 0.375]},
        "instance-segmentation": {
            "category_id": 3,
            "bbox": [30, 20, 90, 70],
            "segmentation": runs,
            "score": 0.5,
        },
        "keypoint-detection": {
            "category_id": 3,
            "keypoints": [value for point in POINTS for value in point],
            "score": 0.25,
        },
        "semantic-segmentation": {"category_id": 7, "segmentation": runs, "score": 1.0},
    }
    return fields[kind]


def put_predictions(dataset: Dataset, tasks: dict[str, str] = TASKS) -> None:
    """Writes the predictions of all frames of the dataset's videos."""
    store = dataset.lightly
    put(store, "predictions/tasks.json", list(tasks))
    for task, kind in tasks.items():
        categories: list[dict[str, Any]] = [
            {"id": number, "name": name} for number, name in zip((3, 7), CATEGORIES, strict=True)
        ]
        if kind == "keypoint-detection":
            for category in categories:
                category["keypoint_names"] = ["nose", "neck", "tail"]
                category["keypoint_skeleton"] = [[0, 1], [1, 2]]
        put(store, f"predictions/{task}/schema.json", {"task_type": kind, "categories": categories})
        for video in VIDEOS:
            for index in range(N_FRAMES):
                document = {"predictions": [entry_of(kind)]}
                put(store, f"predictions/{task}/{frame_file(video, index)}.json", document)


def predicted_run(folder: Path, n_samples: int = 5, **blocks: Any) -> tuple[Dataset, RunResult]:
    """Runs a selection over the videos of a prepared folder, whose frames have predictions."""
    dataset = local_dataset(folder)
    put_predictions(dataset)
    return dataset, run(dataset, selection_config={"n_samples": n_samples}, **blocks)
