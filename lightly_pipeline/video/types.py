"""What passes in and out of the video layer, as plain data.

No decoding happens here and nothing heavy is imported: encoders and tables share these types.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Resampler = Literal["area", "bilinear", "bicubic"]


@dataclass(frozen=True, slots=True)
class FrameInput:
    """The small RGB image that an encoder wants of every frame.

    Attributes:
        width: Pixels, of the upright frame; the aspect ratio is not kept.
        height: Pixels.
        resampler: swscale's filter, used with accurate rounding and full chroma.
    """

    width: int
    height: int
    resampler: Resampler = "area"


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Bounds on what an untrusted file may cost.

    Attributes:
        max_pixels: Largest picture, width times height (default 8192 x 4320).
        max_frames: Frames after which a stream is taken for endless.
        max_errors_in_a_row: Undecodable packets after which the rest is given up.
    """

    max_pixels: int = 8192 * 4320
    max_frames: int = 2_000_000
    max_errors_in_a_row: int = 1000


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One decoded frame in the index of its video.

    Attributes:
        index: Position in presentation order among the decoded frames, from 0.
        pts: Presentation time in the stream's time base; None where the file has none.
        time_s: `pts` in seconds; None where the file has none.
        keyframe: The decoder's flag.
        width: Of the upright frame, pixels.
        height: Of the upright frame, pixels.
        checksum: xxh3_64 of the visible bytes of all planes, with size and format mixed in.
    """

    index: int
    pts: int | None
    time_s: float | None
    keyframe: bool
    width: int
    height: int
    checksum: int


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """One frame of a pass over a video: its row and its small image (H, W, 3) uint8, if wanted."""

    row: FrameRow
    small: NDArray[np.uint8] | None


class KeyPacket(NamedTuple):
    """A packet that decoding can start from: its place among the packets, and its times."""

    ordinal: int
    pts: int | None
    dts: int | None
    pos: int | None


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What the container says about the stream that is read.

    Attributes:
        container: FFmpeg's demuxer name.
        codec: Name of the decoder.
        pixel_format: Of the decoded planes.
        width: Coded pixels, before rotation.
        height: Coded pixels, before rotation.
        time_base: Seconds per pts unit, as a fraction.
        fps: Average rate by the container; None when unknown.
        duration_s: By the container; None when unknown.
        stream: Which of how many video streams is read.
        warnings: Lines for the owner of the video.
    """

    container: str
    codec: str
    pixel_format: str | None
    width: int
    height: int
    time_base: str
    fps: float | None
    duration_s: float | None
    stream: str
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Returns JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "VideoInfo":
        """Returns the info that `as_dict` described."""
        return cls(**{**values, "warnings": tuple(values["warnings"])})


@dataclass(frozen=True, slots=True)
class PacketError:
    """A packet that gave no frame, and why."""

    packet: int
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
        n_flagged: Frames that the decoder itself flags as corrupt.
        rotation: The display matrix that was applied, as "a b c d" signs; None for upright.
        key_packets: Where decoding can start.
        decoder: Releases of PyAV and FFmpeg.
    """

    n_frames: int
    n_packets: int
    n_errors: int = 0
    errors: tuple[PacketError, ...] = ()
    messages: dict[str, int] = field(default_factory=dict)
    n_flagged: int = 0
    rotation: str | None = None
    key_packets: tuple[KeyPacket, ...] = ()
    decoder: str = ""

    @property
    def damaged(self) -> bool:
        """Whether anything was wrong with the stream."""
        return bool(self.n_errors or self.n_flagged or self.messages)

    def corrupt_samples(self, video: str) -> dict[str, str]:
        """Returns the reason by place of everything that could not be decoded."""
        samples = {f"{video} (packet {e.packet})": e.reason for e in self.errors}
        if self.n_errors > len(self.errors):
            more = self.n_errors - len(self.errors)
            samples[f"{video} (other packets)"] = f"{more} more packets could not be decoded"
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
                "key_packets": tuple(KeyPacket(*packet) for packet in values["key_packets"]),
            }
        )


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """What fetching frames again needs to know about the whole video.

    Attributes:
        pts: Of every frame, in index order.
        key_indices: Frames the decoder flags as key frames, ascending.
        key_packets: Packets that decoding can start from, in file order.
    """

    pts: tuple[int | None, ...]
    key_indices: tuple[int, ...]
    key_packets: tuple[KeyPacket, ...]

    @classmethod
    def from_table(cls, rows: Sequence[FrameRow], report: Mapping[str, Any]) -> "FrameIndex":
        """Returns the index of a stored table: all its rows and its `DecodeReport.as_dict()`."""
        return cls(
            tuple(row.pts for row in rows),
            tuple(row.index for row in rows if row.keyframe),
            tuple(KeyPacket(*packet) for packet in report["key_packets"]),
        )

    def has_increasing_pts(self) -> bool:
        """Returns whether every frame has a pts greater than the one before."""
        known = [pts for pts in self.pts if pts is not None]
        rising = all(a < b for a, b in pairwise(known))
        return len(known) == len(self.pts) and rising

    def key_before(self, index: int) -> int:
        """Returns the position in `key_indices` of the last key frame at or before `index`."""
        return max(bisect_right(self.key_indices, index) - 1, 0)
