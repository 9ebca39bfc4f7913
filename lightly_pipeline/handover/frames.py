"""A run's chosen frames as every tool is handed them: what and where, and what is predicted.

Reads the manifest of a run that has completed, and the frame sizes of images that were resized.
How a tool wants it written is the tool's module.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightly_pipeline.datasources import Datasource, concurrently, read_document
from lightly_pipeline.datasources.documents import FEW
from lightly_pipeline.errors import ObjectNotFoundError, RunNotFoundError
from lightly_pipeline.handover.prediction_files import (
    WantedFrame,
    read_predictions,
    read_tasks,
)
from lightly_pipeline.handover.predictions import PredictedTask, Prediction, Size
from lightly_pipeline.layout import MANIFEST_FILE, image_name, run_path, shown_path, table_folder
from lightly_pipeline.runs.finding import image_store
from lightly_pipeline.tables.handle import VideoTable


@dataclass(frozen=True, slots=True)
class HandedFrame:
    """One chosen frame and its image.

    Attributes:
        rank: Position in the order of picks, from 0.
        name: Of the image, relative to the folder of all images.
        image: Path of the image in the LIGHTLY datasource.
        location: Where that is: a path, or s3://bucket/...
        video: Path of the video relative to the INPUT root, as text.
        frame_index: Position among the video's decoded frames, from 0.
        time_s: Presentation time in seconds.
        pts: Presentation time in the stream's time base.
        width: Of the image, pixels.
        height: Of the image, pixels.
        distance: Euclidean distance to the nearest frame chosen before; None for the first.
        decided_by: The strategy that decided the pick.
        size_bytes: Of the image.
        sha256: Of the image.
        predictions: What the dataset predicts for it.
    """

    rank: int
    name: str
    image: str
    location: str
    video: str
    frame_index: int
    time_s: float | None
    pts: int | None
    width: int
    height: int
    distance: float | None
    decided_by: str | None
    size_bytes: int
    sha256: str
    predictions: tuple[Prediction, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Returns what a tool can show beside the image, by name."""
        names = ("rank", "video", "frame_index", "time_s", "pts", "distance", "decided_by")
        return {name: getattr(self, name) for name in names}

    def of_task(self, task: PredictedTask) -> list[Prediction]:
        """Returns what one task predicts."""
        return [prediction for prediction in self.predictions if prediction.task == task.name]


PlaceOf = Callable[[HandedFrame], str]
"""Gives where a tool finds the image of a frame: beside its own files, or where it is anyway."""


@dataclass(frozen=True, slots=True)
class HandedRun:
    """A run's chosen frames.

    Attributes:
        run_id: Id of the run.
        dataset: Name of its dataset.
        created: UTC time of the selection, ISO 8601.
        tasks: The tasks whose predictions were read.
        frames: In the order of picks.
        skipped: Reason by location of predictions that could not be used.
        images_in: The datasource that their images are in: LIGHTLY, or INPUT of an image dataset.
    """

    run_id: str
    dataset: str
    created: str
    tasks: tuple[PredictedTask, ...]
    frames: tuple[HandedFrame, ...]
    skipped: Mapping[str, str]
    images_in: Datasource


def read_manifest(store: Datasource, run_id: str) -> dict[str, Any]:
    """Returns the manifest of a run.

    Raises:
        RunNotFoundError: It has none: it did not complete.
        DamagedDocumentError: It cannot be read.
    """

    def parsed(document: dict[str, Any]) -> dict[str, Any]:
        _ = (document["embedding_id"], document["videos"], document["images"])
        return document

    path = run_path(run_id, MANIFEST_FILE)
    try:
        return read_document(store, path, parsed, "a manifest")
    except ObjectNotFoundError:
        raise RunNotFoundError(
            f"run {run_id} has no manifest at {store.location(path)}: it has not completed"
        ) from None


def read_run(
    store: Datasource,
    run_id: str,
    *,
    task: str | None = None,
    with_predictions: bool = True,
    source: Datasource | None = None,
) -> HandedRun:
    """Returns the chosen frames of a run that has completed, with what is predicted for them.

    Args:
        store: The LIGHTLY datasource.
        run_id: Id of the run.
        task: The only prediction task that is wanted; all by default.
        with_predictions: Whether predictions are wanted at all.
        source: The INPUT datasource of an image dataset; that which the run names by default.

    Raises:
        RunNotFoundError: There is no such run, or it has not completed.
        InvalidConfigurationError: There is no such task.
        DatasourceError: A store failed.
    """
    manifest = read_manifest(store, run_id)
    images_in = image_store(store, manifest, source)
    images: list[dict[str, Any]] = manifest["images"]
    tasks = tuple(read_tasks(store, task)) if with_predictions else ()
    predicted: list[tuple[Prediction, ...]] = [()] * len(images)
    skipped: dict[str, str] = {}
    if tasks:
        predicted, skipped = read_predictions(store, tasks, _wanted(store, manifest))
    frames = tuple(
        HandedFrame(
            rank=image["rank"],
            name=image_name(image["image"]),
            image=image["image"],
            location=images_in.location(image["image"]),
            video=shown_path(image["video"]),
            frame_index=image["frame_index"],
            time_s=image["time_s"],
            pts=image["pts"],
            width=image["width"],
            height=image["height"],
            distance=image["distance"],
            decided_by=image["decided_by"],
            size_bytes=image["size_bytes"],
            sha256=image["sha256"],
            predictions=predictions,
        )
        for image, predictions in zip(images, predicted, strict=True)
    )
    return HandedRun(
        run_id, manifest["dataset"], manifest["created"], tasks, frames, skipped, images_in
    )


def _wanted(store: Datasource, manifest: Mapping[str, Any]) -> Sequence[WantedFrame]:
    of_images = manifest.get("input") is not None
    is_resized = manifest["resize"] is not None and not of_images
    sizes = _frame_sizes(store, manifest) if is_resized else None
    wanted = []
    for image in manifest["images"]:
        size = (image["width"], image["height"])
        frame_size = size if sizes is None else sizes.get((image["video"], image["frame_index"]))
        n_frames = 0 if of_images else manifest["videos"][image["video"]]["n_frames"]
        wanted.append(WantedFrame(image["video"], n_frames, image["frame_index"], frame_size, size))
    return wanted


def _frame_sizes(store: Datasource, manifest: Mapping[str, Any]) -> dict[tuple[str, int], Size]:
    """Returns (width, height) by video and chosen frame, where tables are as they were."""
    chosen: dict[str, list[int]] = defaultdict(list)
    for image in manifest["images"]:
        chosen[image["video"]].append(image["frame_index"])

    def of_video(path: str) -> dict[tuple[str, int], Size]:
        folder = table_folder(manifest["embedding_id"], path)
        table = VideoTable(store, folder, manifest["videos"][path]["fingerprint"])
        if table.outcome() is None:
            return {}
        try:
            columns = table.columns(["index", "width", "height"])
        except ObjectNotFoundError:
            return {}
        rows = np.searchsorted(columns["index"], chosen[path])
        sizes = zip(columns["width"][rows].tolist(), columns["height"][rows].tolist(), strict=True)
        return {(path, index): size for index, size in zip(chosen[path], sizes, strict=True)}

    return {
        key: size
        for sizes in concurrently(of_video, chosen, at_once=FEW)
        for key, size in sizes.items()
    }
