"""What a run tells whoever started it.

Values only; the files that a run leaves are in `records.py`.
"""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from lightly_pipeline.errors import MissingExtraError
from lightly_pipeline.layout import shown_path

if TYPE_CHECKING:
    import pandas as pd

# pandas' types by column, so that a column without any value has one, too.
_COLUMNS = {
    "video": "string",
    "frame_index": "int64",
    "time_s": "Float64",
    "pts": "Int64",
    "image": "string",
    "width": "int32",
    "height": "int32",
    "distance": "Float64",
    "decided_by": "string",
}


@dataclass(frozen=True, slots=True)
class SelectedFrame:
    """One chosen frame and its image.

    Attributes:
        video: Path of the video relative to the INPUT root.
        frame_index: Position among the video's decoded frames, from 0.
        time_s: Presentation time in seconds.
        image: Path of the image in the LIGHTLY datasource; of a chosen image its own, in INPUT.
        rank: Position in the order of picks, from 0.
        pts: Presentation time in the stream's time base.
        width: Of the image, pixels.
        height: Of the image, pixels.
        distance: Euclidean distance to the nearest frame chosen before; None for the first.
        decided_by: The strategy that decided the pick, such as "DIVERSITY of EMBEDDINGS".
    """

    video: str
    frame_index: int
    time_s: float | None
    image: str
    rank: int
    pts: int | None
    width: int
    height: int
    distance: float | None
    decided_by: str | None


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did.

    Of an image dataset, an image is what a video is otherwise, and its only frame.

    Attributes:
        run_id: Id of the run; its files are in `.lightly/runs/<run_id>/`.
        n_input_videos: Videos listed, corrupt ones included.
        n_input_frames: Frames that took part in the selection.
        n_selected: Images stored.
        selected: The chosen frames in the order of picks.
        corrupt_videos: Reason by path of every video that gave no frame.
        corrupt_samples: Reason by place of what is damaged or could not be decoded.
        n_damaged_frames: Frames of all videos that show or refer to concealed parts.
        missing_frames: Reason by frame of what was chosen and is not stored: it could not be
            decoded again, and there was no other to take its place. The run fell short.
        failed_videos: Reason by path of every video that was left out: a store would not give or
            take it, or it expires too soon.
        warnings: Lines for the owner of a video, of a file that names videos or of an option, by
            its path or name.
        n_decoded_videos: Videos that had to be decoded for their tables; 0 when all were there. One
            of which segments were there, from a run that was killed, counts as one.
        requests: Asked of the INPUT store to read videos, repeated ones included.
        bytes_read: What they brought.
        retries: How many requests to either store were asked again, by cause.
        waited_s: How long threads have waited before they asked again, together.
        seconds: Wall time by step.
        manifest: Location of the manifest.
        images: Location of the folder that all images of the dataset are in; INPUT of an image
            dataset.
        summary: What the selection achieved.
        tag: Name of the tag that holds the chosen frames.
        report: Location of the page that shows the run; None where there is none.
        coverage: With a report, by choice ("this choice", "random", "evenly in time", or of images
            "evenly by name"): "median" and "largest" distance of a candidate to its nearest
            chosen frame.
        kind: "video" or "image": of what the dataset is.
    """

    run_id: str
    n_input_videos: int
    n_input_frames: int
    n_selected: int
    selected: tuple[SelectedFrame, ...]
    corrupt_videos: dict[str, str]
    corrupt_samples: dict[str, str]
    n_decoded_videos: int
    seconds: dict[str, float]
    manifest: str
    images: str
    failed_videos: dict[str, str] = field(default_factory=dict)
    n_damaged_frames: int = 0
    missing_frames: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, list[str]] = field(default_factory=dict)
    requests: int = 0
    bytes_read: int = 0
    retries: dict[str, int] = field(default_factory=dict)
    waited_s: float = 0.0
    summary: dict[str, Any] = field(default_factory=dict)
    tag: str | None = None
    report: str | None = None
    coverage: dict[str, dict[str, float]] = field(default_factory=dict)
    kind: Literal["video", "image"] = "video"

    def as_dict(self) -> dict[str, Any]:
        """Returns the result as JSON-able values."""
        return asdict(self)

    def to_pandas(self) -> "pd.DataFrame":
        """Returns the chosen frames as a table: a row per frame, by rank.

        Columns are the fields of `SelectedFrame`, with missing values where those are None.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise MissingExtraError("to_pandas()", "pandas") from None
        rows = [asdict(frame) | {"video": shown_path(frame.video)} for frame in self.selected]
        table = pd.DataFrame(rows, columns=["rank", *_COLUMNS])
        return table.set_index(table.pop("rank").astype("int64")).astype(_COLUMNS)
