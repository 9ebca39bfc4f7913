"""Chosen frames as every tool is handed them: what and where, and what is predicted.

Those of a run or of a tag. Reads the manifests of runs that have completed, and the frame sizes of
images that were resized. How a tool wants it written is the tool's module.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
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
from lightly_pipeline.runs.tags import Tag
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
    """The chosen frames of a run or of a tag.

    Attributes:
        name: Id of the run, or name of the tag.
        is_tag: Which of them.
        dataset: Name of its dataset.
        created: UTC time of the selection, or of the tag's making, ISO 8601.
        tasks: The tasks whose predictions were read.
        frames: In the order of picks.
        skipped: Reason by location of predictions that could not be used.
        images_in: The datasource that their images are in: LIGHTLY, or INPUT of an image dataset.
    """

    name: str
    dataset: str
    created: str
    tasks: tuple[PredictedTask, ...]
    frames: tuple[HandedFrame, ...]
    skipped: Mapping[str, str]
    images_in: Datasource
    is_tag: bool = False

    @property
    def short_name(self) -> str:
        """The name, of a run only how it begins."""
        return self.name if self.is_tag else self.name[:8]

    @property
    def identity(self) -> dict[str, str]:
        """What a tool is told of where the frames come from."""
        kind = "tag" if self.is_tag else "run_id"
        return {kind: self.name, "dataset": self.dataset, "created": self.created}

    def describe(self) -> str:
        """Returns what the frames are, in words."""
        which = f"of tag {self.name}" if self.is_tag else f"that run {self.name} chose"
        return f"frames {which} of dataset {self.dataset}"


def read_manifest(store: Datasource, run_id: str) -> dict[str, Any]:
    """Returns the manifest of a run.

    Raises:
        RunNotFoundError: It has none: it did not complete.
        DamagedDocumentError: It cannot be read.
    """

    def parsed(document: dict[str, Any]) -> dict[str, Any]:
        document.setdefault("table_id", document["embedding_id"])
        _ = (document["videos"], document["images"])
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
    only: Collection[tuple[str, int]] | None = None,
    source: Datasource | None = None,
) -> HandedRun:
    """Returns the chosen frames of a run that has completed, with what is predicted for them.

    Args:
        store: The LIGHTLY datasource.
        run_id: Id of the run.
        task: The only prediction task that is wanted; all by default.
        only: Video and index of the frames that are wanted; all by default.
        source: The INPUT datasource of an image dataset; that which the run names by default.

    Raises:
        RunNotFoundError: There is no such run, or it has not completed.
        InvalidConfigurationError: There is no such task.
        DatasourceError: A store failed.
    """
    manifest = read_manifest(store, run_id)
    images_in = image_store(store, manifest, source)
    images: list[dict[str, Any]] = manifest["images"]
    if only is not None:
        images = [image for image in images if (image["video"], image["frame_index"]) in only]
        manifest = {**manifest, "images": images}
    tasks = tuple(read_tasks(store, task))
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


def read_tagged(
    store: Datasource, tag: Tag, *, task: str | None = None, source: Datasource | None = None
) -> HandedRun:
    """Returns the frames of a tag, with what is predicted for them; arguments as of `read_run`.

    Their ranks count on from run to run, where several have chosen them.

    Raises:
        RunNotFoundError: A run that has chosen some of them is gone.
        InvalidConfigurationError: There is no such task.
        DatasourceError: A store failed.
    """
    runs = [
        read_run(
            store,
            part.run_id,
            task=task,
            only={(f.video, f.frame_index) for f in part.frames},
            source=source,
        )
        for part in tag.parts
    ]
    frames = (frame for run in runs for frame in run.frames)
    return HandedRun(
        tag.name,
        runs[0].dataset,
        tag.created,
        runs[0].tasks,
        tuple(replace(frame, rank=rank) for rank, frame in enumerate(frames)),
        {location: reason for run in runs for location, reason in run.skipped.items()},
        runs[0].images_in,
        is_tag=True,
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
        folder = table_folder(manifest["table_id"], path)
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
