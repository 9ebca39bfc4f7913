"""Crops of the objects of chosen frames, where `worker_config.crops` asks for them.

Cut out of the frame in its full size, whatever size its image has, and stored as images are: once,
and never changed. Which boxes there are is decided with the selection.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.datasources import Datasource
from lightly_pipeline.export.images import encode_image
from lightly_pipeline.export.stored import store_once
from lightly_pipeline.layout import crop_path, frame_name
from lightly_pipeline.runs.records import ChosenFrame, StoredCrop
from lightly_pipeline.video.crops import cropped


def store_crops(
    store: Datasource,
    frame: ChosenFrame,
    n_frames: int,
    image_format: str,
    rgb: NDArray[np.uint8],
) -> tuple[StoredCrop, ...]:
    """Stores the crops of a frame, and returns them in the order of tasks and objects.

    Args:
        store: The LIGHTLY datasource.
        frame: With its boxes.
        n_frames: Decoded frames of its video.
        image_format: Extension of the images, without dot.
        rgb: The frame, shape (H, W, 3).
    """
    name = frame_name(frame.video, frame.frame_index, n_frames, "png").removesuffix(".png")
    crops = []
    for task, boxes in frame.boxes.items():
        for number, box in enumerate(boxes):
            pixels = cropped(rgb, np.array(box, dtype=np.int32))
            content = encode_image(np.ascontiguousarray(pixels), image_format)

            def path_of(mark: str, task: str = task, number: int = number) -> str:
                return crop_path(task, name, number, image_format, mark)

            crops.append(
                StoredCrop(
                    task,
                    number,
                    box,
                    store_once(store, path_of, content),
                    len(content),
                    hashlib.sha256(content).hexdigest(),
                )
            )
    return tuple(crops)
