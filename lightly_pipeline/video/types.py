"""What passes in and out of the video layer, as plain data.

No decoding happens here and nothing heavy is imported: encoders and tables share these types. What
a pass met is in `report.py`.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.video.boxes import PixelBoxes
from lightly_pipeline.video.quality.numbers import Quality

Resampler = Literal["area", "bilinear", "bicubic"]
UntaggedMatrix = Literal["ffmpeg", "by_height"]
Pictures = frozenset[int] | Literal["all"]
"""Indices of frames whose full pictures are wanted."""
NO_PICTURES: Pictures = frozenset()
# Longer against shorter edge of a scaled frame whose middle is cut out.
MAX_ASPECT = 8


@dataclass(frozen=True, slots=True)
class FrameInput:
    """The small RGB image that an encoder wants of every frame.

    Attributes:
        width: Pixels of the upright image.
        height: Pixels.
        resampler: swscale's filter, used with accurate rounding and full chroma.
        shorter_edge: Pixels that the frame's shorter edge is scaled to, its aspect ratio kept,
            before the middle is cut out. None squeezes the whole frame into the image: nothing is
            cut off, and the aspect ratio is lost.
    """

    width: int
    height: int
    resampler: Resampler = "area"
    shorter_edge: int | None = None

    def scaled_size(self, width: int, height: int) -> tuple[int, int]:
        """Returns the (width, height) that an upright frame of this size is scaled to.

        Beyond `MAX_ASPECT` to 1 a frame is squeezed, so that a strip of a picture stays small.
        """
        if self.shorter_edge is None:
            return self.width, self.height
        aspect = min(max(width, height) / min(width, height), MAX_ASPECT)
        longer = int(self.shorter_edge * aspect)
        wide, high = (longer, self.shorter_edge) if width > height else (self.shorter_edge, longer)
        return max(wide, self.width), max(high, self.height)

    def middle(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Returns the (height, width, 3) in the middle of an upright scaled image, as a view."""
        top = (image.shape[0] - self.height) // 2
        left = (image.shape[1] - self.width) // 2
        return image[top : top + self.height, left : left + self.width]

    def describe(self) -> str:
        """Returns a stable text that differs whenever the image may differ."""
        cut = "" if self.shorter_edge is None else f" of {self.shorter_edge}"
        return f"{self.width}x{self.height}{cut} {self.resampler}"


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Bounds on what an untrusted file may cost.

    Time is the processor time of FFmpeg in the decoding thread: a slow store, a busy machine and
    whoever takes the frames cost a video nothing.

    Attributes:
        max_pixels: Largest picture, width times height (default 8192 x 4320).
        max_frames: Frames after which a stream is taken for endless.
        max_errors_in_a_row: Undecodable packets after which the rest is given up.
        min_time_s: Time that every video has.
        time_per_playing_s: Seconds for each second of playing time.
        max_time_without_frame_s: Time after which a decoder is taken for stuck.
        max_reads: Bytes read, as a multiple of the file's size.
        min_read_bytes: Bytes that every video may read.
    """

    max_pixels: int = 8192 * 4320
    max_frames: int = 2_000_000
    max_errors_in_a_row: int = 1000
    min_time_s: float = 120.0
    time_per_playing_s: float = 20.0
    max_time_without_frame_s: float = 30.0
    max_reads: float = 16.0
    min_read_bytes: int = 64 * 1024**2

    def allowed_time_s(self, size_bytes: int, duration_s: float | None = None) -> float:
        """Returns how long decoding may take.

        Args:
            size_bytes: Of the file; it plays at least as long as at 1 Mbit/s, for many files name
                no duration.
            duration_s: By the container, if known.
        """
        playing_s = max(size_bytes * 8 / 1e6, duration_s or 0.0)
        return max(self.min_time_s, self.time_per_playing_s * playing_s)


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One decoded frame in the index of its video.

    Attributes:
        index: Position in presentation order among the decoded frames, from 0.
        pts: Presentation time in the stream's time base; None where the file has none.
        time_s: `pts` in seconds, in AVI without the steps back that it has there; None where the
            file has none.
        keyframe: The decoder's flag.
        corrupt: The decoder's flag of a picture with parts missing.
        damaged: Whether it shows concealed parts, or refers to a picture that does.
        width: Of the upright frame, pixels.
        height: Of the upright frame, pixels.
        checksum: xxh3_64 of the visible bytes of all planes, with size and format mixed in.
        position: Byte of the file at which its packet begins; None where that is not known.
        quality: What the picture looks like.
    """

    index: int
    pts: int | None
    time_s: float | None
    keyframe: bool
    corrupt: bool
    damaged: bool
    width: int
    height: int
    checksum: int
    position: int | None
    quality: Quality

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "FrameRow":
        """Returns the row that `dataclasses.asdict` described."""
        return cls(**{**values, "quality": Quality(**values["quality"])})


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """One frame of a pass over a video.

    Attributes:
        row: Its place in the index.
        small: Its small image, shape (height, width, 3), if one was asked for.
    """

    row: FrameRow
    small: NDArray[np.uint8] | None
    _full: Callable[[], NDArray[np.uint8]] | None = None
    _crops: Callable[[PixelBoxes], list[NDArray[np.uint8]]] | None = None

    @property
    def index(self) -> int:
        """Position in presentation order among the decoded frames, from 0."""
        return self.row.index

    @property
    def pts(self) -> int | None:
        """Presentation time in the stream's time base; None where the file has none."""
        return self.row.pts

    @property
    def time_s(self) -> float | None:
        """Presentation time in seconds; None where the file has none."""
        return self.row.time_s

    def to_rgb(self) -> NDArray[np.uint8]:
        """Returns the upright picture, shape (height, width, 3), uint8, contiguous.

        Raises:
            RuntimeError: The pass went on since: a frame keeps its picture only while it is the
                current one, for else a list of frames would hold a whole video in memory.
        """
        if self._full is None:
            raise RuntimeError(f"frame {self.index} gives no full picture here; fetch it")
        return self._full()

    def crops(self, boxes: PixelBoxes) -> list[NDArray[np.uint8]]:
        """Returns the pixels in boxes, shape (height, width, 3) each, as `to_rgb` has them there.

        Args:
            boxes: Of the upright picture.

        Raises:
            RuntimeError: As `to_rgb`.
        """
        if self._crops is not None:
            return self._crops(boxes)
        rgb = self.to_rgb()
        return [rgb[y : y + height, x : x + width] for x, y, width, height in boxes.tolist()]


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
        pixel_aspect: Width of a pixel by its height, as a fraction; pictures are not stretched.
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
    pixel_aspect: str
    stream: str
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Returns JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "VideoInfo":
        """Returns the info that `as_dict` described."""
        return cls(**{**values, "warnings": tuple(values["warnings"])})


class DecodeStart(NamedTuple):
    """A picture that decoding can start from: its time, and its packet's place in the file."""

    pts: int
    position: int | None


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """What fetching frames again needs to know about the video.

    Attributes:
        rows: Of every frame, or of those that were sampled, in index order.
        key_packets: Packets that decoding can start from, in file order.
    """

    rows: Sequence[FrameRow]
    key_packets: Sequence[KeyPacket]

    @classmethod
    def from_table(cls, rows: Sequence[FrameRow], report: Mapping[str, Any]) -> "FrameIndex":
        """Returns the index of a stored table: all its rows and its `DecodeReport.as_dict()`."""
        return cls(rows, tuple(KeyPacket(*packet) for packet in report["key_packets"]))

    def row(self, index: int) -> FrameRow:
        """Returns the row of a frame.

        Raises:
            IndexError: There is none.
        """
        place = bisect_left(self.rows, index, key=lambda row: row.index)
        if place < len(self.rows) and self.rows[place].index == index:
            return self.rows[place]
        known = f"frames 0 to {len(self.rows) - 1}"
        if not self.is_whole():
            known = f"{len(self.rows)} frames in its sample"
        raise IndexError(f"there is no frame {index}: the video has {known}")

    def is_whole(self) -> bool:
        """Returns whether there is a row of every frame up to the last one."""
        return bool(self.rows) and len(self.rows) == self.rows[-1].index + 1

    def starts(self) -> list[DecodeStart]:
        """Returns where decoding can start, by ascending pts; none where a start has no pts."""
        found: list[tuple[int | None, int | None]] = (
            [(row.pts, row.position) for row in self.rows if row.keyframe]
            if self.is_whole()
            else [(packet.pts, packet.pos) for packet in self.key_packets]
        )
        starts = [DecodeStart(pts, position) for pts, position in found if pts is not None]
        return sorted(starts, key=lambda start: start.pts) if len(starts) == len(found) else []
