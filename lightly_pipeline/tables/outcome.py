"""The outcome of one video: what was found in it, and that its table is complete.

An outcome is written after the table's other files; a table without one does not exist. Frame rows
are in `frames.py`, embeddings in `embeddings.py`, the marker of an attempt in `attempt.py`.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lightly_pipeline.datasources import Datasource, Traffic, read_document
from lightly_pipeline.datasources.retries import described_retries
from lightly_pipeline.errors import DamagedDocumentError, ObjectNotFoundError
from lightly_pipeline.logs import fields, logger_of
from lightly_pipeline.telemetry import metrics
from lightly_pipeline.video import VideoInfo
from lightly_pipeline.video.report import DecodeReport

if TYPE_CHECKING:
    from lightly_pipeline.tables.writing import Written

_logger = logger_of(__name__)
OUTCOME_FILE = "outcome.json"


@dataclass(frozen=True, slots=True)
class VideoOutcome:
    """What processing one video gave; bad input is an outcome like any other.

    Attributes:
        video: Path of the video relative to the INPUT root.
        fingerprint: Of the video's version, the encoder and the decoder.
        n_frames: Frames of the video; 0 for a corrupt video.
        n_rows: Frames of it in the table: all, or those of the frame sampling.
        n_damaged: How many of these show or refer to concealed parts.
        n_embedded: How many of these have an embedding of their own.
        dim: Length of one embedding.
        corrupt_reason: Why nothing could be decoded; None for a video with frames.
        corrupt_samples: Reason by place, for frames that could not be decoded.
        warnings: Lines for the person who owns the video.
        isolated: Whether a child process decoded it, after an attempt that died.
        seconds: Wall time of decoding and embedding.
        requests: Asked of the store to read the video, repeated ones included; 0 for a folder.
        bytes_read: What they brought.
        retries: How many requests were asked again meanwhile, by cause.
        waited_s: How long threads have waited before, together.
        info: What the container says (`VideoInfo.as_dict()`).
        report: What decoding said (`DecodeReport.as_dict()`), needed to fetch frames again.
    """

    video: str
    fingerprint: str
    n_frames: int = 0
    n_rows: int = 0
    n_damaged: int = 0
    n_embedded: int = 0
    dim: int = 0
    corrupt_reason: str | None = None
    corrupt_samples: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    isolated: bool = False
    seconds: float = 0.0
    requests: int = 0
    bytes_read: int = 0
    retries: dict[str, int] = field(default_factory=dict)
    waited_s: float = 0.0
    info: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def is_corrupt(self) -> bool:
        """Whether the video gave no frame."""
        return self.corrupt_reason is not None

    def with_traffic(self, more: Traffic) -> "VideoOutcome":
        """Returns the outcome with more requests and bytes."""
        requests, bytes_read = self.requests + more.n_requests, self.bytes_read + more.n_bytes
        return replace(self, requests=requests, bytes_read=bytes_read)

    def unusable_reason(self, *, with_damaged: bool) -> str | None:
        """Returns why a selection gets nothing of the video; None when it gets something.

        Args:
            with_damaged: Whether damaged frames may be chosen.
        """
        if self.is_corrupt or with_damaged or not self.n_rows or self.n_damaged < self.n_rows:
            return self.corrupt_reason
        first = next(iter(self.report["damage"]), None)
        why = f" ({first['reason']})" if first else ""
        return f"all {self.n_rows} frames are damaged{why}"

    @property
    def is_doubtful(self) -> bool:
        """Whether it says anything bad of the bytes, which a store may have given wrongly."""
        if self.is_corrupt or self.corrupt_samples:
            return True
        return bool(self.report) and DecodeReport.from_dict(self.report).damaged


def described(
    blank: VideoOutcome, info: VideoInfo, report: DecodeReport, written: "Written", dim: int
) -> VideoOutcome:
    """Returns an outcome with what a pass over the video gave."""
    return replace(
        blank,
        n_frames=report.n_frames,
        n_rows=written.n_rows,
        n_damaged=written.n_damaged,
        n_embedded=written.n_embedded,
        dim=dim,
        corrupt_samples=report.corrupt_samples(blank.video),
        warnings=blank.warnings + info.warnings + report.warnings,
        info=info.as_dict(),
        report=report.as_dict(),
    )


def read_outcome(store: Datasource, folder: str, fingerprint: str) -> VideoOutcome | None:
    """Returns the outcome in `folder` if it is that of `fingerprint`, else None."""

    def parsed(document: dict[str, Any]) -> VideoOutcome | None:
        if document["fingerprint"] != fingerprint:
            return None
        return VideoOutcome(**{**document, "warnings": tuple(document["warnings"])})

    try:
        return read_document(store, f"{folder}/{OUTCOME_FILE}", parsed, "an outcome")
    except ObjectNotFoundError:
        return None
    except DamagedDocumentError as error:
        _logger.warning("%s: the video is processed again", error)
        return None


def write_outcome(store: Datasource, folder: str, outcome: VideoOutcome) -> None:
    """Declares the table in `folder` complete."""
    store.write(f"{folder}/{OUTCOME_FILE}", json.dumps(asdict(outcome), indent=1).encode())


def log_outcome(outcome: VideoOutcome) -> None:
    """Says in the log, and to who counts, what became of a video."""
    _count(outcome)
    if outcome.corrupt_reason is not None:
        _logger.warning(
            "%s: corrupt video: %s",
            outcome.video,
            outcome.corrupt_reason,
            extra=fields(**_facts(outcome), reason=outcome.corrupt_reason),
        )
        return
    for warning in outcome.warnings:
        _logger.warning("%s: %s", outcome.video, warning, extra=fields(video=outcome.video))
    rate = outcome.n_rows / outcome.seconds if outcome.seconds else float("nan")
    parts = [
        f"{outcome.n_rows} frames",
        f"{outcome.n_embedded} of them embedded",
        f"{rate:.0f} frames/s",
        f"{len(outcome.corrupt_samples)} corrupt samples",
        described_retries(outcome.retries, outcome.waited_s),
    ]
    _logger.info(
        "%s: %s",
        outcome.video,
        ", ".join(part for part in parts if part),
        extra=fields(**_facts(outcome)),
    )


def _facts(outcome: VideoOutcome) -> dict[str, Any]:
    """Returns what a line about a video says in figures."""
    return {
        "video": outcome.video,
        "outcome": "corrupt" if outcome.is_corrupt else "decoded",
        "frames": outcome.n_rows,
        "embedded_frames": outcome.n_embedded,
        "damaged_frames": outcome.n_damaged,
        "corrupt_samples": len(outcome.corrupt_samples),
        "seconds": outcome.seconds,
        "frames_per_s": round(outcome.n_rows / outcome.seconds, 1) if outcome.seconds else None,
        "requests": outcome.requests,
        "bytes_read": outcome.bytes_read,
        "retries": sum(outcome.retries.values()),
        "retry_causes": outcome.retries or None,
        "waited_s": outcome.waited_s,
    }


def _count(outcome: VideoOutcome) -> None:
    facts = _facts(outcome)
    known = {k: v for k, v in facts.items() if isinstance(v, str | int | float)}
    metrics.past("video", outcome.seconds, known)
    metrics.count("videos", 1, outcome=facts["outcome"])
    metrics.count("video.duration", outcome.seconds, outcome=facts["outcome"])
    metrics.count("frames", outcome.n_rows, stage="decoded")
    metrics.count("frames", outcome.n_embedded, stage="embedded")
    metrics.count("read.requests", outcome.requests)
    metrics.count("read.bytes", outcome.bytes_read)
