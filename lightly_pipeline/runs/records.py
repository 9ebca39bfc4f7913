"""What a run writes down about itself: its selection, its manifest, its reports.

Dataclasses, their JSON and their places under `.lightly/runs/<run id>/`. Decisions are made
elsewhere; the manifest is written by whoever has seen every image stored.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from lightly_pipeline.datasources import Datasource, read_document
from lightly_pipeline.errors import ObjectNotFoundError
from lightly_pipeline.layout import MANIFEST_FILE, Resize, frame_path, image_name, run_path
from lightly_pipeline.runs.chosen import ChosenSet, SourceVideo, StoredFrame
from lightly_pipeline.runs.datapool import PoolClaim

RECORD_VERSION = 2


class Box(NamedTuple):
    """Whole pixels of an upright picture."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ChosenFrame:
    """One frame of the selection.

    Attributes:
        rank: Position in the order of picks, from 0.
        video: Path of the video relative to the INPUT root.
        frame_index: Position among the video's decoded frames, from 0.
        distance: Euclidean distance to the nearest frame chosen before; None for the first.
        decided_by: The strategy that decided the pick, such as "DIVERSITY of EMBEDDINGS".
        boxes: Of its objects that have crops, by task: x, y, width, height in pixels.
    """

    rank: int
    video: str
    frame_index: int
    distance: float | None
    decided_by: str | None = None
    boxes: Mapping[str, Sequence[Box]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReplacedFrame:
    """A frame that was chosen and could not be had again.

    Attributes:
        video: Path of its video.
        frame_index: Its position there.
        reason: Why it could not be had; that of its sequence's, where a whole sequence went.
        by_video: Path of the video that the next choice is of; None when there was none.
        by_frame_index: Its position there.
    """

    video: str
    frame_index: int
    reason: str
    by_video: str | None
    by_frame_index: int | None

    def describe(self) -> tuple[str, str]:
        """Returns the frame and what became of it, for a person."""
        by = "nothing was left to replace it"
        if self.by_video is not None:
            by = f"replaced by {self.by_video} (frame {self.by_frame_index})"
        return f"{self.video} (frame {self.frame_index})", f"{self.reason}; {by}"


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
        embedding_id: Id of the embeddings that were compared.
        table_id: Id of the tables of the videos.
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
        n_damaged_frames: Frames of all videos that show or refer to concealed parts.
        replaced: Frames that were chosen at first and could not be decoded again.
        warnings: Lines for the owner of a video, of a file that names videos or of an option, by
            its path or name.
        sequence_length: Frames per chosen sequence, which follow each other in `frames`.
        datapool: What the run enters into the datapool; None when it does not.
        input: Where the chosen images are, of a dataset of images: they stay in INPUT. None of
            videos, the images of whose frames are in LIGHTLY.
    """

    run_id: str
    dataset: str
    created: str
    config: dict[str, Any]
    embedding_id: str
    table_id: str
    catalog_hash: str
    image_format: str
    resize: Resize
    frames: tuple[ChosenFrame, ...]
    videos: dict[str, VideoVersion]
    n_input_videos: int
    n_input_frames: int
    summary: dict[str, Any] = field(default_factory=dict)
    corrupt_videos: dict[str, str] = field(default_factory=dict)
    corrupt_samples: dict[str, str] = field(default_factory=dict)
    failed_videos: dict[str, str] = field(default_factory=dict)
    n_damaged_frames: int = 0
    replaced: tuple[ReplacedFrame, ...] = ()
    warnings: dict[str, list[str]] = field(default_factory=dict)
    sequence_length: int = 1
    datapool: PoolClaim | None = None
    input: str | None = None

    @property
    def is_trial(self) -> bool:
        """Whether the run used the datapool and leaves it as it was."""
        return bool(self.config["worker_config"]["use_datapool"]) and self.datapool is None

    @property
    def n_broken_files(self) -> int:
        """Videos, or images, that gave no frame."""
        return len(self.corrupt_videos if self.input is None else self.corrupt_samples)


@dataclass(frozen=True, slots=True)
class StoredCrop:
    """One object of a chosen frame, as an image of its own.

    Attributes:
        task: Whose object it is.
        number: Among the objects of the task in the frame, from 0.
        box: Where it is in the frame.
        image: Its path in the LIGHTLY datasource.
        size_bytes: Of the image.
        sha256: Of the image.
    """

    task: str
    number: int
    box: Box
    image: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class UploadedImage:
    """One image in the LIGHTLY datasource, the frame it shows, and the frame's crops.

    Of a dataset of images, a chosen image in the INPUT datasource.
    """

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
    crops: tuple[StoredCrop, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "UploadedImage":
        """Returns the image that `dataclasses.asdict` described, also one without crops."""
        crops = tuple(
            StoredCrop(**{**crop, "box": Box(*crop["box"])}) for crop in values.get("crops", ())
        )
        return cls(**{**values, "crops": crops})


def write_selection(store: Datasource, record: SelectionRecord) -> None:
    """Stores a selection for the upload that follows, here or on another machine."""
    _write(store, run_path(record.run_id, "selection.json"), asdict(record))


def read_selection(store: Datasource, run_id: str) -> SelectionRecord:
    """Returns the stored selection of a run.

    Raises:
        ObjectNotFoundError: The run has no selection.
        DamagedDocumentError: Its selection cannot be read: it cannot be made again as it was.
    """
    path = run_path(run_id, "selection.json")
    try:
        return read_document(store, path, _record, "a selection; start a new run")
    except ObjectNotFoundError:
        raise ObjectNotFoundError(
            f"run {run_id} has no selection at {store.location(path)}: select frames first"
        ) from None


def _record(document: dict[str, Any]) -> SelectionRecord:
    document.pop("version")
    # Records of the first release, which knew embeddings in tables only.
    document.setdefault("table_id", document["embedding_id"])
    resize = document["resize"]
    document["resize"] = tuple(resize) if isinstance(resize, list) else resize
    document["frames"] = tuple(_chosen_frame(frame) for frame in document["frames"])
    document["videos"] = {path: VideoVersion(**v) for path, v in document["videos"].items()}
    replaced = document.get("replaced", ())
    document["replaced"] = tuple(ReplacedFrame(**frame) for frame in replaced)
    if document["datapool"] is not None:
        document["datapool"] = PoolClaim.from_dict(document["datapool"])
    return SelectionRecord(**document)


def _chosen_frame(document: dict[str, Any]) -> ChosenFrame:
    boxes = {
        task: tuple(Box(*box) for box in of_task)
        for task, of_task in document.get("boxes", {}).items()
    }
    return ChosenFrame(**{**document, "boxes": boxes})


def write_manifest(
    store: Datasource, record: SelectionRecord, images: Sequence[UploadedImage]
) -> str:
    """Declares the run complete: every image it names is stored.

    Returns:
        The manifest's path.
    """
    path = run_path(record.run_id, MANIFEST_FILE)
    document = asdict(record)
    frames = {frame.rank: frame for frame in record.frames}
    del document["frames"]
    # Which videos were seen is the datapool's to know: it can be as long as the catalogue.
    document["datapool"] = record.datapool.number if record.datapool else None
    document["n_selected"] = len(images)
    document["images"] = [
        {
            **asdict(image),
            "distance": frames[image.rank].distance,
            "decided_by": frames[image.rank].decided_by,
        }
        for image in images
    ]
    _write(store, path, document)
    return path


def write_corruptness_report(
    store: Datasource,
    run_id: str,
    corrupt_samples: Mapping[str, str],
    corrupt_videos: Mapping[str, str],
) -> None:
    """Stores the report in the form of Lightly's worker."""
    document = {"corrupt_samples": dict(corrupt_samples), "corrupt_videos": dict(corrupt_videos)}
    path = run_path(run_id, "corruptness_check_information.json")
    store.write(path, json.dumps(document, indent=2).encode())


def chosen_set(record: SelectionRecord, images: Sequence[UploadedImage]) -> ChosenSet:
    """Returns what a run chose and has stored, for tags and the datapool."""
    return _chosen_set(
        record,
        (StoredFrame(image.video, image.frame_index, image.image, image.rank) for image in images),
    )


def chosen_set_of(record: SelectionRecord, frames: Iterable[ChosenFrame]) -> ChosenSet:
    """Returns some of the frames that a run chose, whether their images are stored or not."""
    return _chosen_set(
        record, (StoredFrame(f.video, f.frame_index, image_path(record, f), f.rank) for f in frames)
    )


def image_path(record: SelectionRecord, frame: ChosenFrame) -> str:
    """Returns where the image of a chosen frame belongs; a chosen image is its own, in INPUT."""
    if record.input is not None:
        return frame.video
    n_frames = record.videos[frame.video].n_frames
    return frame_path(frame.video, frame.frame_index, n_frames, record.image_format, record.resize)


def _chosen_set(record: SelectionRecord, frames: Iterable[StoredFrame]) -> ChosenSet:
    return ChosenSet(
        run_id=record.run_id,
        embedding_id=record.embedding_id,
        sequence_length=record.sequence_length,
        videos={
            path: SourceVideo(version.size_bytes, version.etag, version.n_frames)
            for path, version in record.videos.items()
        },
        frames=tuple(frames),
    )


def write_sequence_information(
    store: Datasource, record: SelectionRecord, images: Sequence[UploadedImage]
) -> None:
    """Stores which frames belong together, in the form of Lightly's worker."""
    by_rank = {image.rank: image for image in images}
    documents = []
    for start in range(0, len(record.frames), record.sequence_length):
        ranks = range(start, start + record.sequence_length)
        members = [by_rank[rank] for rank in ranks if rank in by_rank]
        documents.append(
            {
                "video_name": record.frames[start].video,
                "frame_names": [image_name(image.image) for image in members],
                "frame_timestamps_pts": [image.pts for image in members],
                "frame_timestamps_sec": [image.time_s for image in members],
                "frame_indices": [image.frame_index for image in members],
            }
        )
    path = run_path(record.run_id, "sequence_information.json")
    store.write(path, json.dumps(documents, indent=1).encode())


def write_input_problems(store: Datasource, run_id: str, problems: Mapping[str, str]) -> None:
    """Stores the reason by location of every input file that was left out."""
    path = run_path(run_id, "input_problems.json")
    store.write(path, json.dumps(dict(problems), indent=1).encode())


def _write(store: Datasource, path: str, document: dict[str, Any]) -> None:
    store.write(path, json.dumps({"version": RECORD_VERSION, **document}, indent=1).encode())
