"""What a run writes down about itself: its selection, its manifest, its corruptness report.

Dataclasses, their JSON and their places under `.lightly/runs/<run id>/`. Decisions are made
elsewhere; the manifest is written by whoever has seen every image stored.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import ObjectNotFoundError

RECORD_VERSION = 1


@dataclass(frozen=True, slots=True)
class ChosenFrame:
    """One frame of the selection.

    Attributes:
        rank: Position in the order of picks, from 0.
        video: Path of the video relative to the INPUT root.
        frame_index: Position among the video's decoded frames, from 0.
        distance: Euclidean distance to the nearest frame chosen before; None for the first.
    """

    rank: int
    video: str
    frame_index: int
    distance: float | None


@dataclass(frozen=True, slots=True)
class VideoVersion:
    """The version of a video that a selection was made from."""

    size_bytes: int
    etag: str
    fingerprint: str
    n_frames: int


@dataclass(frozen=True, slots=True)
class SelectionRecord:
    """Everything an upload needs to know: which frames, from which versions, as which images.

    Attributes:
        run_id: Id of the run.
        dataset: Name of the dataset.
        created: UTC time of the selection, ISO 8601.
        config: The effective configuration blocks.
        embedding_id: Id of the tables that were compared.
        catalog_hash: Of the listing that was selected from.
        image_format: Extension of the images.
        resize: None, shorter edge, or (height, width).
        frames: The chosen frames in the order of picks.
        videos: Versions of the videos the chosen frames come from.
        n_input_videos: Videos in the catalogue.
        n_input_frames: Frames that took part.
        summary: What the selection achieved.
        corrupt_videos: Reason by video path.
        corrupt_samples: Reason by frame.
        failed_videos: Reason by path of videos that were left out.
    """

    run_id: str
    dataset: str
    created: str
    config: dict[str, Any]
    embedding_id: str
    catalog_hash: str
    image_format: str
    resize: int | tuple[int, int] | None
    frames: tuple[ChosenFrame, ...]
    videos: dict[str, VideoVersion]
    n_input_videos: int
    n_input_frames: int
    summary: dict[str, Any] = field(default_factory=dict)
    corrupt_videos: dict[str, str] = field(default_factory=dict)
    corrupt_samples: dict[str, str] = field(default_factory=dict)
    failed_videos: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UploadedImage:
    """One image in the LIGHTLY datasource and the frame it shows."""

    rank: int
    image: str
    video: str
    frame_index: int
    pts: int | None
    time_s: float | None
    width: int
    height: int
    size_bytes: int
    sha256: str


def run_path(run_id: str, name: str) -> str:
    """Returns where a run keeps the file `name`."""
    return f".lightly/runs/{run_id}/{name}"


def write_selection(store: Datasource, record: SelectionRecord) -> None:
    """Stores a selection for the upload that follows, here or on another machine."""
    _write(store, run_path(record.run_id, "selection.json"), asdict(record))


def read_selection(store: Datasource, run_id: str) -> SelectionRecord:
    """Returns the stored selection of a run.

    Raises:
        ObjectNotFoundError: The run has no selection.
    """
    path = run_path(run_id, "selection.json")
    try:
        document = json.loads(store.read(path))
    except ObjectNotFoundError:
        raise ObjectNotFoundError(
            f"run {run_id} has no selection at {store.location(path)}: select frames first"
        ) from None
    document.pop("version")
    resize = document["resize"]
    document["resize"] = tuple(resize) if isinstance(resize, list) else resize
    document["frames"] = tuple(ChosenFrame(**frame) for frame in document["frames"])
    document["videos"] = {path: VideoVersion(**v) for path, v in document["videos"].items()}
    return SelectionRecord(**document)


def write_manifest(
    store: Datasource, record: SelectionRecord, images: Sequence[UploadedImage]
) -> str:
    """Declares the run complete: every image it names is stored.

    Returns:
        The manifest's path.
    """
    path = run_path(record.run_id, "manifest.json")
    document = asdict(record)
    frames = {frame.rank: frame for frame in record.frames}
    del document["frames"]
    document["n_selected"] = len(images)
    document["images"] = [
        {**asdict(image), "distance": frames[image.rank].distance} for image in images
    ]
    _write(store, path, document)
    return path


def write_corruptness_report(
    store: Datasource,
    run_id: str,
    corrupt_samples: Mapping[str, str],
    corrupt_videos: Mapping[str, str],
) -> None:
    """Stores the report in the original's form (lightly-worker C.5)."""
    document = {"corrupt_samples": dict(corrupt_samples), "corrupt_videos": dict(corrupt_videos)}
    path = run_path(run_id, "corruptness_check_information.json")
    store.write(path, json.dumps(document, indent=2).encode())


def _write(store: Datasource, path: str, document: dict[str, Any]) -> None:
    store.write(path, json.dumps({"version": RECORD_VERSION, **document}, indent=1).encode())
