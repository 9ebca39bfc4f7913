"""The outcome of one video: what was found in it, and that its table is complete.

An outcome is written after the table's other files; a table without one does not exist. The
attempt marker beside it tells a crashed attempt from one that was never made. Reading and
writing frame rows is in `frames.py`, embeddings in `embeddings.py`.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import ObjectNotFoundError

OUTCOME_FILE = "outcome.json"
ATTEMPT_FILE = "attempt.json"


@dataclass(frozen=True, slots=True)
class VideoOutcome:
    """What processing one video gave; bad input is an outcome like any other.

    Attributes:
        video: Path of the video relative to the INPUT root.
        fingerprint: Of the video's version, the encoder and the decoder.
        n_frames: Frames of the video; 0 for a corrupt video.
        n_rows: Frames of it in the table: all, or those of the frame sampling.
        n_damaged: How many of these show or refer to concealed parts.
        dim: Length of one embedding.
        corrupt_reason: Why nothing could be decoded; None for a video with frames.
        corrupt_samples: Reason by place, for frames that could not be decoded.
        warnings: Lines for the person who owns the video.
        isolated: Whether a child process decoded it, after an attempt that died.
        seconds: Wall time of decoding and embedding.
        requests: Asked of the store to read the video, repeated ones included; 0 for a folder.
        bytes_read: What they brought.
        info: What the container says (`VideoInfo.as_dict()`).
        report: What decoding said (`DecodeReport.as_dict()`), needed to fetch frames again.
    """

    video: str
    fingerprint: str
    n_frames: int = 0
    n_rows: int = 0
    n_damaged: int = 0
    dim: int = 0
    corrupt_reason: str | None = None
    corrupt_samples: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    isolated: bool = False
    seconds: float = 0.0
    requests: int = 0
    bytes_read: int = 0
    info: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def is_corrupt(self) -> bool:
        """Whether the video gave no frame."""
        return self.corrupt_reason is not None

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


def read_outcome(store: Datasource, folder: str, fingerprint: str) -> VideoOutcome | None:
    """Returns the outcome in `folder` if it is that of `fingerprint`, else None."""
    document = _read_json(store, f"{folder}/{OUTCOME_FILE}")
    if document is None or document.get("fingerprint") != fingerprint:
        return None
    document["warnings"] = tuple(document["warnings"])
    return VideoOutcome(**document)


def write_outcome(store: Datasource, folder: str, outcome: VideoOutcome) -> None:
    """Declares the table in `folder` complete."""
    _write_json(store, f"{folder}/{OUTCOME_FILE}", asdict(outcome))


def begin_attempt(store: Datasource, folder: str, fingerprint: str) -> bool:
    """Leaves the marker of an attempt.

    Returns:
        Whether an earlier attempt left its marker and no outcome: the process died in it (or is
        still in it on another machine), so this one belongs into a child process.
    """
    path = f"{folder}/{ATTEMPT_FILE}"
    earlier = _read_json(store, path) or {}
    died = earlier.get("fingerprint") == fingerprint and earlier.get("running") is True
    _write_json(store, path, {"fingerprint": fingerprint, "running": True})
    return died


def end_attempt(
    store: Datasource, folder: str, fingerprint: str, *, failure: str | None = None
) -> None:
    """Says that an attempt ended without an outcome but alive, so the next one is made as usual.

    The marker is overwritten rather than deleted: LIGHTLY credentials need no delete permission.

    Args:
        store: The LIGHTLY datasource.
        folder: The table's folder.
        fingerprint: Of the version that was attempted.
        failure: What a store refused, for a selection that is to go on without the video.
    """
    document = {"fingerprint": fingerprint, "running": False, "failure": failure}
    _write_json(store, f"{folder}/{ATTEMPT_FILE}", document)


def read_failure(store: Datasource, folder: str, fingerprint: str) -> str | None:
    """Returns why the last attempt at `fingerprint` failed, or None when none did."""
    attempt = _read_json(store, f"{folder}/{ATTEMPT_FILE}") or {}
    return attempt.get("failure") if attempt.get("fingerprint") == fingerprint else None


def _read_json(store: Datasource, path: str) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(store.read(path))
    except ObjectNotFoundError:
        return None
    return document


def _write_json(store: Datasource, path: str, document: dict[str, Any]) -> None:
    store.write(path, json.dumps(document, indent=1).encode())
