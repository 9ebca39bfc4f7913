"""Videos of coloured rectangles on a grey ground, and what a detector would predict of them."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from lightly_pipeline.datasources import Datasource
from lightly_pipeline_tests.support.selections import put
from lightly_pipeline_tests.support.videos import FPS, HEIGHT, WIDTH, X264, Recipe, add_stream

TASK = "things"
Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]
GROUND: Colour = (128, 128, 128)
PLACES: tuple[Box, ...] = ((10, 12, 50, 40), (90, 60, 40, 50))
"""Where the rectangles of a frame are: x, y, width, height."""
RED, GREEN, BLUE, YELLOW, WHITE = (
    (220, 20, 20),
    (20, 200, 20),
    (20, 20, 220),
    (220, 220, 20),
    (250, 250, 250),
)


def make_rectangles(path: Path, frames: Sequence[Sequence[Colour]]) -> Path:
    """Encodes a video; each frame shows rectangles of these colours at `PLACES`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(path.name, "libx264", len(frames), options={**X264, "qp": "4"})
    with av.open(str(path), "w") as container:
        stream = add_stream(container, recipe)
        for number, colours in enumerate(frames):
            picture = np.full((HEIGHT, WIDTH, 3), GROUND, dtype=np.uint8)
            for (x, y, width, height), colour in zip(PLACES, colours, strict=False):
                picture[y : y + height, x : x + width] = colour
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def put_task(store: Datasource, task: str = TASK, task_type: str = "object-detection") -> None:
    """Writes the list of tasks, and the schema of one with two categories."""
    put(store, "predictions/tasks.json", [task])
    categories = [{"id": 0, "name": "thing"}, {"id": 1, "name": "other"}]
    schema = {"task_type": task_type, "categories": categories}
    put(store, f"predictions/{task}/schema.json", schema)


def put_boxes(
    store: Datasource,
    video: str,
    boxes: Mapping[int, Sequence[Any]],
    n_frames: int,
    task: str = TASK,
) -> None:
    """Writes a prediction file for each frame."""
    stem, _, extension = video.rpartition(".")
    for index, of_frame in boxes.items():
        name = f"{stem}-{str(index).zfill(len(str(n_frames)))}-{extension}"
        entries = [{"category_id": 0, "score": 0.9, "bbox": list(box)} for box in of_frame]
        put(store, f"predictions/{task}/{name}.json", {"predictions": entries})


def compared_by_objects(n_samples: int, task: str = TASK, **more: Any) -> dict[str, Any]:
    """A `selection_config` of object diversity."""
    source = {"type": "EMBEDDINGS", "task": task}
    strategy = {"input": source, "strategy": {"type": "DIVERSITY"}}
    return {"n_samples": n_samples, "strategies": [strategy], **more}
