"""What a run tells whoever started it.

Values only; the files that a run leaves are in `records.py`.
"""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SelectedFrame:
    """One chosen frame and its image, relative to the LIGHTLY datasource."""

    video: str
    frame_index: int
    time_s: float | None
    image: str


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did.

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
        failed_videos: Reason by path of every video that a store would not give or take, left out.
        warnings: Lines for the owner of a video, by its path.
        n_decoded_videos: Videos that had to be decoded for their tables; 0 when all were there.
        requests: Asked of the INPUT store to read videos, repeated ones included.
        bytes_read: What they brought.
        seconds: Wall time by step.
        manifest: Location of the manifest.
        images: Location of the folder that all images of the dataset are in.
        summary: What the selection achieved.
        tag: Name of the tag that holds the chosen frames.
        report: Location of the page that shows the run; None where there is none.
        coverage: With a report, by choice ("this choice", "random", "evenly in time"): "median" and
            "largest" distance of a candidate to its nearest chosen frame.
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
    summary: dict[str, Any] = field(default_factory=dict)
    tag: str | None = None
    report: str | None = None
    coverage: dict[str, dict[str, float]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Returns the result as JSON-able values."""
        return asdict(self)
