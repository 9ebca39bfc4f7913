"""A video as an object: what it is, its frames in one pass, chosen frames again.

Puts the modules beside it together; each of them does one part.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from types import TracebackType
from typing import Any, BinaryIO, Self

from lightly_pipeline.video.container import OpenedStream, open_stream
from lightly_pipeline.video.decode import Pass
from lightly_pipeline.video.fetch import FetchedFrame, Fetcher
from lightly_pipeline.video.orientation import Orientation
from lightly_pipeline.video.pixels import SmallImages, checksum
from lightly_pipeline.video.types import (
    DecodedFrame,
    DecodeLimits,
    DecodeReport,
    FrameIndex,
    FrameInput,
    FrameRow,
    VideoInfo,
)


def open_video(
    source: str | os.PathLike[str] | BinaryIO, *, limits: DecodeLimits | None = None
) -> "Video":
    """Opens a video; use it as a context manager.

    Args:
        source: A path, or a seekable binary reader (read, seek and tell are used).
        limits: Bounds on what an untrusted file may cost.

    Raises:
        CorruptVideoError: It is not a video this package reads.
    """
    return Video(source, limits or DecodeLimits())


class Video:
    """An open video.

    Attributes:
        info: What the container says.
    """

    def __init__(self, source: str | os.PathLike[str] | BinaryIO, limits: DecodeLimits) -> None:
        self._source, self._limits = source, limits
        self._report: DecodeReport | None = None
        self._context: AbstractContextManager[OpenedStream] | None = open_stream(source, limits)
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

    def frames(self, frame_input: FrameInput | None = None) -> Iterator[DecodedFrame]:
        """Yields every frame once, in presentation order.

        Args:
            frame_input: The small image wanted of each frame; None for rows alone.

        Raises:
            CorruptVideoError: No frame could be decoded, or the limits are exceeded.
            OSError: From the reader, unchanged.
        """
        opened = self._fresh()
        decoding = Pass(opened, self._limits)
        time_base = opened.stream.time_base
        small = SmallImages(frame_input) if frame_input is not None else None
        for frame in decoding.frames():
            orientation = decoding.orientation
            row = _row(decoding.n_frames - 1, frame, orientation, time_base)
            yield DecodedFrame(row, small.of(frame, orientation) if small else None)
        self._report = decoding.report()

    def fetch(self, rows: Sequence[FrameRow], index: FrameIndex) -> Iterator[FetchedFrame]:
        """Yields exactly the frames of `rows`, each proven by its checksum.

        Args:
            rows: Rows of the wanted frames as an earlier pass gave them.
            index: The index of the whole video.

        Raises:
            FrameChangedError: Some could not be reproduced; the others were yielded before.
        """
        self.close()
        return Fetcher(self._source, index, self._limits).fetch(rows)

    def _fresh(self) -> OpenedStream:
        """Returns the stream at its start: the one opened first, or a new one."""
        if self._opened is None or self._report is not None:
            self.close()
            self._context = open_stream(self._source, self._limits)
            self._opened = self._context.__enter__()
        opened, self._opened = self._opened, None
        return opened


def _row(index: int, frame: Any, orientation: Orientation, time_base: Fraction | None) -> FrameRow:
    pts = frame.pts
    width, height = orientation.size(frame.width, frame.height)
    time_s = float(pts * time_base) if pts is not None and time_base is not None else None
    return FrameRow(index, pts, time_s, bool(frame.key_frame), width, height, checksum(frame))
