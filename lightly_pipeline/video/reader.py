"""A video as an object: what it is, its frames in one pass, chosen frames again.

Puts the modules beside it together; each of them does one part.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from types import TracebackType
from typing import BinaryIO, Self

from lightly_pipeline.video.container import OpenedStream, open_stream
from lightly_pipeline.video.decode import Pass
from lightly_pipeline.video.fetch import FetchedFrame, Fetcher, in_order
from lightly_pipeline.video.frames import decoded_frames
from lightly_pipeline.video.proof import prove_plan
from lightly_pipeline.video.report import DecodeReport
from lightly_pipeline.video.sampling import ALL_FRAMES, FrameChooser, FrameSampling
from lightly_pipeline.video.types import (
    NO_PICTURES,
    DecodedFrame,
    DecodeLimits,
    FrameIndex,
    FrameInput,
    Pictures,
    UntaggedMatrix,
    VideoInfo,
)


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
        self,
        frame_input: FrameInput | None = None,
        sampling: FrameSampling = ALL_FRAMES,
        pictures: Pictures = NO_PICTURES,
    ) -> Iterator[DecodedFrame]:
        """Yields every frame once, or those of a sampling, in presentation order.

        Args:
            frame_input: The small image wanted of each frame; None for rows alone.
            sampling: Which frames are wanted; key frames and windows are all that is decoded
                where the packets' times tell the indices (`report.index_source`).
            pictures: Frames that will be asked for their full picture; here any may be.

        Raises:
            CorruptVideoError: No frame could be decoded, or the limits are exceeded; up to seven
                frames before that are not yielded.
            OSError: From the reader, unchanged.
        """
        del pictures
        plan = doubt = None
        if sampling.spares_decoding:
            plan, doubt = prove_plan(
                self._fresh, self.close, sampling, self._limits, self._untagged
            )
        opened = self._fresh()
        decoding = Pass(opened, self._limits, self._untagged)
        takes = FrameChooser(sampling, opened.info.fps).takes
        yield from decoded_frames(opened, decoding, plan, takes, frame_input, self._untagged)
        self._report = decoding.report(plan, whole_because=doubt)

    def _again(self, index: FrameIndex) -> Iterator[DecodedFrame]:
        """Repeats the pass that made an index, with as many frames held at every moment.

        What FFmpeg puts where data is missing depends on that.
        """
        indices = {row.index for row in index.rows}
        with self._open() as opened:
            decoding = Pass(opened, self._limits, self._untagged)
            yield from decoded_frames(
                opened, decoding, None, lambda i, *_: i in indices, None, self._untagged
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
