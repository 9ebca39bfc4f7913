"""A video as an object: what it is, its frames in one pass, chosen frames again.

Puts the modules beside it together; each of them does one part.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from math import inf
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.video.container import OpenedStream, open_stream
from lightly_pipeline.video.decode import Pass
from lightly_pipeline.video.fetch import FetchedFrame, Fetcher, in_order
from lightly_pipeline.video.numbering import DecodePlan
from lightly_pipeline.video.orientation import UPRIGHT, Orientation
from lightly_pipeline.video.pixels import FullImages, SmallImages, checksum
from lightly_pipeline.video.proof import prove_plan
from lightly_pipeline.video.quality.meter import Glance, QualityMeter
from lightly_pipeline.video.quality.numbers import Quality
from lightly_pipeline.video.sampling import ALL_FRAMES, FrameChooser, FrameSampling
from lightly_pipeline.video.types import (
    DecodedFrame,
    DecodeLimits,
    DecodeReport,
    FrameIndex,
    FrameInput,
    FrameRow,
    UntaggedMatrix,
    VideoInfo,
)

Takes = Callable[[int, float | None, bool], bool]
"""Says of a frame by its index, time and key flag whether it takes part."""
_MEASURED_TOGETHER, _MAX_HELD_PIXELS = 8, 4 * 3840 * 2160


def open_video(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    index: FrameIndex | None = None,
    limits: DecodeLimits | None = None,
    untagged_matrix: UntaggedMatrix = "ffmpeg",
    video_stream: int | None = None,
) -> "Video":
    """Opens a video; use it as a context manager.

        with open_video("video.mp4") as video:
            for frame in video.frames():
                print(frame.index, frame.pts, frame.time_s)
            for frame in video.fetch([24, 7]):
                show(frame.to_rgb())

    Args:
        source: A path, or a seekable binary reader (read, seek and tell are used).
        index: The index that an earlier pass over the same content gave; `fetch` makes one
            without.
        limits: Bounds on what an untrusted file may cost.
        untagged_matrix: How pictures without colour tags are understood: as BT.601, which FFmpeg
            does, or "by_height" as BT.709 from 720 lines on.
        video_stream: Which of several video streams is read, from 0; FFmpeg's choice by default.

    Raises:
        CorruptVideoError: It is not a video this package reads.
    """
    return Video(source, index, limits or DecodeLimits(), untagged_matrix, video_stream)


class Video:
    """An open video.

    Attributes:
        info: What the container says.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        index: FrameIndex | None,
        limits: DecodeLimits,
        untagged_matrix: UntaggedMatrix,
        video_stream: int | None,
    ) -> None:
        self._source, self._limits, self._video_stream = source, limits, video_stream
        self._untagged: UntaggedMatrix = untagged_matrix
        self._index = index
        self._report: DecodeReport | None = None
        self._context: AbstractContextManager[OpenedStream] | None = self._open()
        self._opened: OpenedStream | None = self._context.__enter__()
        self.info: VideoInfo = self._opened.info

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> AbstractContextManager[OpenedStream]:
        return open_stream(self._source, self._limits, video_stream=self._video_stream)

    def close(self) -> None:
        """Closes the file's container; the reader it came from stays open."""
        if self._context is not None:
            context, self._context, self._opened = self._context, None, None
            context.__exit__(None, None, None)

    @property
    def report(self) -> DecodeReport:
        """What the last complete pass met.

        Raises:
            RuntimeError: `frames()` was not exhausted yet.
        """
        if self._report is None:
            raise RuntimeError("iterate over frames() to its end before asking for the report")
        return self._report

    def frames(
        self, frame_input: FrameInput | None = None, sampling: FrameSampling = ALL_FRAMES
    ) -> Iterator[DecodedFrame]:
        """Yields every frame once, or those of a sampling, in presentation order.

        Args:
            frame_input: The small image wanted of each frame; None for rows alone.
            sampling: Which frames are wanted; key frames and windows are all that is decoded
                where the packets' times tell the indices (`report.index_source`).

        Raises:
            CorruptVideoError: No frame could be decoded, or the limits are exceeded; up to seven
                frames before that are not yielded.
            OSError: From the reader, unchanged.
        """
        plan = doubt = None
        if sampling.spares_decoding:
            plan, doubt = prove_plan(
                self._fresh, self.close, sampling, self._limits, self._untagged
            )
        opened = self._fresh()
        decoding = Pass(opened, self._limits, self._untagged)
        takes = FrameChooser(sampling, opened.info.fps).takes
        yield from self._decoded(opened, decoding, plan, takes, frame_input)
        self._report = decoding.report(plan, whole_because=doubt)

    def _decoded(
        self,
        opened: OpenedStream,
        decoding: Pass,
        plan: DecodePlan | None,
        takes: Takes,
        frame_input: FrameInput | None,
    ) -> Iterator[DecodedFrame]:
        """Yields the frames of one pass; how many are held on the way follows from them alone."""
        picture, meter = _CurrentPicture(self._untagged), QualityMeter(self._untagged)
        small = SmallImages(frame_input, self._untagged) if frame_input is not None else None
        for group in _in_groups(self._seen(opened, decoding, plan, takes, small, meter)):
            for each, quality in zip(group, meter.of([s.glance for s in group]), strict=True):
                row = _row(each, quality)
                picture.show(row.index, each.glance.frame, each.glance.orientation)
                yield DecodedFrame(row, each.small, partial(picture.rgb, row.index))
        picture.clear()

    def _again(self, index: FrameIndex) -> Iterator[DecodedFrame]:
        """Repeats the pass that made an index, with as many frames held at every moment.

        What FFmpeg puts where data is missing depends on that.
        """
        indices = {row.index for row in index.rows}
        with self._open() as opened:
            decoding = Pass(opened, self._limits, self._untagged)
            yield from self._decoded(opened, decoding, None, lambda i, *_: i in indices, None)

    @staticmethod
    def _seen(
        opened: OpenedStream,
        decoding: Pass,
        plan: DecodePlan | None,
        takes: Takes,
        small: SmallImages | None,
        meter: QualityMeter,
    ) -> Iterator["_SeenFrame"]:
        """Yields what is taken off the wanted frames while their planes are in the cache."""
        time_base = opened.stream.time_base
        # A quotient of whole numbers is rounded as the fraction is, in a tenth of the time.
        ticks, per_s = (time_base.numerator, time_base.denominator) if time_base else (0, 1)
        # AVI has no times but the places of packets; pictures that wait for others step back there.
        has_places_for_times, latest_s = opened.info.container == "avi", -inf
        for frame in decoding.frames(plan):
            orientation, pts = decoding.orientation, frame.pts
            position = decoding.position_of(frame)
            index = decoding.n_frames - 1 if plan is None else plan.index_by_pts.get(pts)
            time_s = pts * ticks / per_s if pts is not None and time_base else None
            if has_places_for_times and time_s is not None:
                latest_s = time_s = max(time_s, latest_s)
            if index is None or not takes(index, time_s, bool(frame.key_frame)):
                continue
            # First, for it reads from end to end; the others, that do not, find the planes cached.
            proof = checksum(frame)
            image = small.of(frame, orientation) if small else None
            yield _SeenFrame(
                index,
                time_s,
                decoding.is_damaged,
                position,
                proof,
                image,
                meter.glance(frame, orientation),
            )

    def index(self) -> FrameIndex:
        """Returns the index of the whole video: the one given, or made in a pass of its own.

        Raises:
            CorruptVideoError: No frame could be decoded, or the limits are exceeded.
        """
        if self._index is None:
            rows = [frame.row for frame in self.frames()]
            self._index = FrameIndex(rows, self.report.key_packets)
        return self._index

    def fetch(self, indices: Iterable[int], *, ordered: bool = True) -> Iterator[FetchedFrame]:
        """Yields exactly these frames, each proven by its checksum.

        Args:
            indices: Positions among the video's decoded frames.
            ordered: Yield in the order asked for; frames that are reached too early wait in
                memory. Otherwise each one, once, as soon as it is reached, which is ascending
                but for the few that need another way.

        Raises:
            IndexError: There is no such frame.
            FrameChangedError: Some could not be reproduced; the others were yielded before.
            CorruptVideoError: The video cannot be opened any more, or the limits are exceeded.
        """
        wanted = [int(index) for index in indices]
        index = self.index()
        self.close()
        again = partial(self._again, index)
        fetcher = Fetcher(
            self._source, index, self._limits, self._untagged, again, self._video_stream
        )
        frames = fetcher.fetch(wanted)
        return in_order(wanted, frames) if ordered else frames

    def _fresh(self) -> OpenedStream:
        """Returns the stream at its start: the one opened first, or a new one."""
        if self._opened is None or self._report is not None:
            self.close()
            self._context = self._open()
            self._opened = self._context.__enter__()
        opened, self._opened = self._opened, None
        return opened


class _CurrentPicture:
    """The one decoded frame of a pass whose planes are kept."""

    def __init__(self, untagged_matrix: UntaggedMatrix) -> None:
        self._images = FullImages(untagged_matrix)
        self.clear()

    def show(self, index: int, frame: Any, orientation: Orientation) -> None:
        self._index, self._frame, self._orientation = index, frame, orientation

    def clear(self) -> None:
        self._index, self._frame, self._orientation = -1, None, UPRIGHT

    def rgb(self, index: int) -> NDArray[np.uint8]:
        if index != self._index:
            raise RuntimeError(
                f"the pass went on from frame {index}: take its picture before the next frame, "
                f"or fetch([{index}])"
            )
        return self._images.of(self._frame, self._orientation)


class _SeenFrame(NamedTuple):
    """What was taken off a decoded frame at once."""

    number: int
    time_s: float | None
    is_damaged: bool
    position: int | None
    proof: int
    small: NDArray[np.uint8] | None
    glance: Glance


def measured_together(width: int, height: int) -> int:
    """Returns of how many frames the quality numbers are made in one go.

    Fewer of large pictures, for all of them are in memory.
    """
    return max(1, min(_MEASURED_TOGETHER, _MAX_HELD_PIXELS // (width * height)))


def _in_groups(frames: Iterable[_SeenFrame]) -> Iterator[list[_SeenFrame]]:
    group: list[_SeenFrame] = []
    for seen in frames:
        group.append(seen)
        # Sizes may change inside a stream.
        if len(group) >= measured_together(seen.glance.frame.width, seen.glance.frame.height):
            yield group
            group = []
    if group:
        yield group


def _row(seen: _SeenFrame, quality: Quality) -> FrameRow:
    frame = seen.glance.frame
    width, height = seen.glance.size
    return FrameRow(
        seen.number,
        frame.pts,
        seen.time_s,
        bool(frame.key_frame),
        bool(frame.is_corrupt),
        seen.is_damaged,
        width,
        height,
        seen.proof,
        seen.position,
        quality,
    )
