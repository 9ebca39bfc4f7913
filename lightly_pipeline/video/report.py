"""What a pass over a video met: what was wrong, and how its pictures were understood.

Plain data, and its lines for people; tables store it. Finding it out is `decode.py`'s.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from lightly_pipeline.video import reasons
from lightly_pipeline.video.types import KeyPacket, UntaggedMatrix


@dataclass(frozen=True, slots=True)
class PacketError:
    """A packet that gave no frame, and why."""

    packet: int
    reason: str


@dataclass(frozen=True, slots=True)
class FrameGap:
    """A place where frames are missing, as far as the times of the others tell.

    Attributes:
        after: Index of the frame before it.
        n_missing: Frames that a regular rate would have there.
        duration_s: From the frame before to the frame after.
    """

    after: int
    n_missing: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class DamagedFrames:
    """Damaged frames that follow each other.

    Attributes:
        first: Index of the first.
        last: Index of the last.
        n_frames: How many of those between were looked at.
        reason: The most frequent reasons.
    """

    first: int
    last: int
    n_frames: int
    reason: str


@dataclass(frozen=True, slots=True)
class DecodeReport:
    """What a whole pass over a video met.

    Attributes:
        n_frames: Frames decoded.
        n_packets: Packets read.
        n_errors: Packets that could not be decoded.
        errors: The first of them.
        messages: FFmpeg's own complaints, without addresses and numbers, and their counts.
        n_flagged: Frames that the decoder itself flags as corrupt (`FrameRow.corrupt`).
        n_damaged: Frames that show or refer to concealed parts (`FrameRow.damaged`).
        damage: Which; the first of them.
        truncated: Whether the file ends before its content does.
        gaps: Where frames are missing in a damaged video; the first of them.
        n_interlaced: Frames of two interlaced fields, which are kept as they are woven.
        rotation: How pictures were turned by their display matrix; None for upright.
        colour: How the first picture's numbers were understood, with what was assumed.
        untagged_matrix: The policy by which it was; fetching needs the same.
        index_source: What the frames' indices were told by: "decoding" of the whole video, or the
            times of its "packets", where only a part was decoded.
        whole_because: Why the whole video was decoded for a sampling that can spare it elsewhere.
        video_stream: Which of the video streams was asked for; fetching needs the same.
        warnings: Lines for the owner of the video.
        key_packets: Where decoding can start.
        decoder: Releases of PyAV and FFmpeg.
    """

    n_frames: int
    n_packets: int
    n_errors: int = 0
    errors: tuple[PacketError, ...] = ()
    messages: dict[str, int] = field(default_factory=dict)
    n_flagged: int = 0
    n_damaged: int = 0
    damage: tuple[DamagedFrames, ...] = ()
    truncated: bool = False
    gaps: tuple[FrameGap, ...] = ()
    n_interlaced: int = 0
    rotation: str | None = None
    colour: str = ""
    untagged_matrix: UntaggedMatrix = "ffmpeg"
    index_source: Literal["decoding", "packets"] = "decoding"
    whole_because: str | None = None
    video_stream: int | None = None
    warnings: tuple[str, ...] = ()
    key_packets: tuple[KeyPacket, ...] = ()
    decoder: str = ""

    @property
    def damaged(self) -> bool:
        """Whether anything was wrong with the stream."""
        return bool(
            self.n_errors or self.n_flagged or self.n_damaged or self.messages or self.truncated
        )

    def corrupt_samples(self, video: str) -> dict[str, str]:
        """Returns the reason by place of everything that could not be decoded."""
        samples = {f"{video} (packet {e.packet})": e.reason for e in self.errors}
        if self.n_errors > len(self.errors):
            more = self.n_errors - len(self.errors)
            samples[f"{video} (other packets)"] = reasons.MORE_PACKETS(n=more)
        for run in self.damage:
            single = run.first == run.last
            frames = f"frame {run.first}" if single else f"frames {run.first} to {run.last}"
            samples[f"{video} ({frames})"] = reasons.DAMAGED_FRAMES(how=run.reason)
        more = self.n_damaged - sum(run.n_frames for run in self.damage)
        if more:
            samples[f"{video} (other frames)"] = reasons.MORE_FRAMES(n=more)
        for gap in self.gaps:
            reason = reasons.FRAMES_MISSING(n=gap.n_missing, duration_s=gap.duration_s)
            samples[f"{video} (after frame {gap.after})"] = reason
        if self.truncated:
            samples[f"{video} (end)"] = reasons.TRUNCATED()
        return samples

    def as_dict(self) -> dict[str, Any]:
        """Returns JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "DecodeReport":
        """Returns the report that `as_dict` described."""
        return cls(
            **{
                **values,
                "errors": tuple(PacketError(**error) for error in values["errors"]),
                "damage": tuple(DamagedFrames(**run) for run in values["damage"]),
                "warnings": tuple(values["warnings"]),
                "gaps": tuple(FrameGap(**gap) for gap in values["gaps"]),
                "key_packets": tuple(KeyPacket(*packet) for packet in values["key_packets"]),
            }
        )
