"""Decodes in a child process with a deadline and a memory bound.

For videos whose decoding in-process died before. The child gets the path of a local file and
sends plain numbers and pixels back; nothing it sends is unpickled or run. The parent's side is
here, the child's in `isolated_child.py`, and what they speak in `wire.py`.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from math import prod
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.errors import CorruptVideoError, FrameChangedError
from lightly_pipeline.video import reasons
from lightly_pipeline.video.child import refuse_asked_to_end, start_child
from lightly_pipeline.video.report import DecodeReport
from lightly_pipeline.video.sampling import ALL_FRAMES, FrameSampling
from lightly_pipeline.video.types import (
    NO_PICTURES,
    DecodedFrame,
    DecodeLimits,
    FrameIndex,
    FrameInput,
    FrameRow,
    Pictures,
    UntaggedMatrix,
    VideoInfo,
)
from lightly_pipeline.video.wire import receive

if TYPE_CHECKING:
    from lightly_pipeline.video.fetch import FetchedFrame

_CHILD = "lightly_pipeline.video.isolated_child"


class IsolatedVideo:
    """A video that is only ever touched by a child process; the interface of `Video`.

    Args:
        path: A local file.
        deadline_s: Wall time of waiting for the child after which it is killed, for each call.
        memory_bytes: Address space that the child may take (on systems that enforce it).
        index: The index of the video, needed by `fetch`.
        limits: Bounds on what the file may cost.
        untagged_matrix: As in `open_video`.
        video_stream: As in `open_video`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        deadline_s: float,
        memory_bytes: int,
        index: FrameIndex | None = None,
        limits: DecodeLimits | None = None,
        untagged_matrix: UntaggedMatrix = "ffmpeg",
        video_stream: int | None = None,
    ) -> None:
        self._path, self._index = Path(path), index
        self._deadline_s, self._memory_bytes = deadline_s, memory_bytes
        self._limits = limits or DecodeLimits()
        self._untagged, self._video_stream = untagged_matrix, video_stream
        self._info: VideoInfo | None = None
        self._report: DecodeReport | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    @property
    def info(self) -> VideoInfo:
        """What the container says; known once `frames()` has begun."""
        if self._info is None:
            raise RuntimeError("iterate over frames() before asking for the info")
        return self._info

    @property
    def report(self) -> DecodeReport:
        """What the last complete pass met."""
        if self._report is None:
            raise RuntimeError("iterate over frames() to its end before asking for the report")
        return self._report

    def frames(
        self,
        frame_input: FrameInput | None = None,
        sampling: FrameSampling = ALL_FRAMES,
        pictures: Pictures = NO_PICTURES,
    ) -> Iterator[DecodedFrame]:
        """Yields every frame once, or those of a sampling, as `Video.frames`.

        Full pictures are there of the frames in `pictures` alone: the child sends no others.

        Raises:
            CorruptVideoError: Also when the child dies or takes too long.
            DatasourceError: The child was ended from outside.
        """
        request = {
            "frame_input": asdict(frame_input) if frame_input else None,
            "sampling": asdict(sampling),
            "pictures": pictures if pictures == "all" else sorted(pictures),
        }
        for header, payload in self._ask(request):
            if header["kind"] == "info":
                self._info = VideoInfo.from_dict(header["info"])
            elif header["kind"] == "report":
                self._report = DecodeReport.from_dict(header["report"])
            else:
                arrays = _arrays(header["shapes"], payload)
                small = next(arrays) if frame_input else None
                full = next(arrays, None)
                row = FrameRow.from_dict(header["row"])
                yield DecodedFrame(row, small, None if full is None else partial(_given, full))

    def index(self) -> FrameIndex:
        """Returns the index of the whole video, as `Video.index`."""
        if self._index is None:
            rows = [frame.row for frame in self.frames()]
            self._index = FrameIndex(rows, self.report.key_packets)
        return self._index

    def fetch(self, indices: Iterable[int], *, ordered: bool = True) -> Iterator["FetchedFrame"]:
        """Yields exactly these frames, as `Video.fetch`."""
        from lightly_pipeline.video.fetch import in_order

        wanted = [int(index) for index in indices]
        frames = self._fetch(wanted, self.index())
        return in_order(wanted, frames) if ordered else frames

    def _fetch(self, indices: Sequence[int], index: FrameIndex) -> Iterator["FetchedFrame"]:
        from lightly_pipeline.video.fetch import FetchedFrame

        request = {
            "indices": indices,
            "rows": [asdict(row) for row in index.rows],
            "key_packets": index.key_packets,
        }
        for header, payload in self._ask(request):
            row = index.row(header["index"])
            rgb = np.frombuffer(payload, np.uint8).reshape(header["shape"])
            yield FetchedFrame(row.index, row.pts, row.time_s, header["rung"], rgb)

    def _ask(self, request: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Runs a child on a request and yields its messages until it is done."""
        request |= {
            "path": str(self._path),
            "limits": asdict(self._limits),
            "untagged_matrix": self._untagged,
            "video_stream": self._video_stream,
            "memory_bytes": self._memory_bytes,
            "cpu_s": int(self._deadline_s) + 1,
        }
        with start_child(_CHILD) as child:
            try:
                yield from self._messages(child, request)
            finally:
                child.kill()

    def _messages(
        self, child: "subprocess.Popen[bytes]", request: dict[str, Any]
    ) -> Iterator[tuple[dict[str, Any], bytes]]:
        assert child.stdin is not None
        try:
            child.stdin.write(json.dumps(request).encode())
            child.stdin.close()
        except BrokenPipeError:
            pass
        patience = _Patience(child, self._deadline_s)
        while (message := patience.receive()) is not None:
            header, payload = message
            if header["kind"] == "done":
                return
            if header["kind"] == "corrupt":
                raise CorruptVideoError(header["reason"])
            if header["kind"] == "changed":
                raise FrameChangedError(header["indices"])
            yield header, payload
        status = child.wait()
        refuse_asked_to_end(status)
        if patience.is_over or status == -signal.SIGXCPU:
            raise CorruptVideoError(reasons.TOO_SLOW(limit=self._deadline_s))
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        raise CorruptVideoError(reasons.CRASHED(how=how))


def _arrays(shapes: Sequence[Sequence[int]], payload: bytes) -> Iterator[NDArray[np.uint8]]:
    """Yields the arrays that lie one after the other in a payload."""
    start = 0
    for shape in shapes:
        size = prod(shape)
        yield np.frombuffer(payload, np.uint8, size, start).reshape(shape)
        start += size


def _given(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return picture


class _Patience:
    """Waits for a child's messages, and kills it when all waiting together took too long.

    What is done with the frames in between costs the child nothing.
    """

    def __init__(self, child: "subprocess.Popen[bytes]", deadline_s: float) -> None:
        self._child, self._left_s = child, deadline_s
        self.is_over = False

    def receive(self) -> tuple[dict[str, Any], bytes] | None:
        assert self._child.stdout is not None
        started = time.monotonic()
        timer = threading.Timer(max(self._left_s, 0), self._kill)
        timer.daemon = True
        timer.start()
        try:
            return receive(self._child.stdout)
        finally:
            timer.cancel()
            self._left_s -= time.monotonic() - started

    def _kill(self) -> None:
        self.is_over = True
        self._child.kill()
