"""Decodes chosen frames again: exactly those, each proven by its checksum.

A ladder of three rungs, the cheapest first: seek to the key frame before; read from the start but
decode only from the key packet before; repeat the pass that made the index. A frame that no rung
reproduces is an error, never another picture.
"""

import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.errors import CorruptVideoError, FrameChangedError
from lightly_pipeline.video.colour import settle_tags
from lightly_pipeline.video.container import OpenedStream, open_stream
from lightly_pipeline.video.messages import MessageCapture
from lightly_pipeline.video.orientation import orientation_of
from lightly_pipeline.video.pixels import FullImages, checksum
from lightly_pipeline.video.plan import KeyGroup, key_groups
from lightly_pipeline.video.types import (
    DecodedFrame,
    DecodeLimits,
    FrameIndex,
    FrameRow,
    UntaggedMatrix,
)

# Frames that a decoder may hold back for reordering, with room to spare.
_REORDER_ROOM = 80
_NO_SKIP, _SKIP_UNREFERENCED = "DEFAULT", "NONREF"
# Takes the setting when it is opened, and would leave out wanted pictures for good.
_SKIPS_FOR_GOOD = ("libdav1d",)


@dataclass(frozen=True, slots=True)
class FetchedFrame:
    """A frame as it was indexed.

    Attributes:
        index: Position among the video's decoded frames.
        pts: As indexed.
        time_s: As indexed.
        rung: How it was reached: "seek", "skip" or "sequential".
    """

    index: int
    pts: int | None
    time_s: float | None
    rung: str
    _rgb: NDArray[np.uint8]

    def to_rgb(self) -> NDArray[np.uint8]:
        """Returns the upright picture, shape (height, width, 3), uint8, contiguous."""
        return self._rgb


class Fetcher:
    """Fetches frames of one video.

    Args:
        source: The video.
        index: Its index.
        limits: Bounds on what the file may cost.
        untagged_matrix: How pictures without colour tags are understood.
        again: Repeats the pass that made the index.
        video_stream: Which of the video streams is read; None for FFmpeg's choice.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        index: FrameIndex,
        limits: DecodeLimits,
        untagged_matrix: UntaggedMatrix,
        again: Callable[[], Iterator[DecodedFrame]],
        video_stream: int | None = None,
    ) -> None:
        self._video_stream = video_stream
        self._source, self._index, self._limits = source, index, limits
        self._again = again
        self._untagged: UntaggedMatrix = untagged_matrix
        self._images = FullImages(untagged_matrix)
        self._left: dict[int, FrameRow] = {}

    def fetch(self, indices: Iterable[int]) -> Iterator[FetchedFrame]:
        """Yields frames once each, those of one rung in ascending order, one at a time.

        Raises:
            IndexError: There is no such frame.
            FrameChangedError: Some could not be reproduced; the others were yielded before.
            CorruptVideoError: The file cannot be opened any more, or the limits are exceeded.
        """
        self._left = {i: self._index.row(i) for i in sorted(set(indices))}
        if not self._left:
            return
        for rung, seeks in ((self._by_seeking, True), (self._by_skipping, False)):
            with open_stream(
                self._source, self._limits, seeks=seeks, video_stream=self._video_stream
            ) as opened:
                yield from rung(opened)
            if not self._left:
                return
        yield from self._sequentially()
        if not self._left:
            return
        raise FrameChangedError(sorted(self._left))

    def _by_seeking(self, opened: OpenedStream) -> Iterator[FetchedFrame]:
        for group in key_groups(self._index, opened.info.container, self._left):
            yield from self._from_key(opened, group)

    def _from_key(self, opened: OpenedStream, group: KeyGroup) -> Iterator[FetchedFrame]:
        """Decodes from a key frame to the last wanted frame, without the unreferenced between."""
        may_skip = opened.info.codec not in _SKIPS_FOR_GOOD
        attempts = (
            (group.key, _SKIP_UNREFERENCED if may_skip else _NO_SKIP),
            (group.key, _NO_SKIP),
            (group.earlier_key, _NO_SKIP),
        )
        for start, skip in attempts:
            left = {row.pts: row for i in group.frames if (row := self._left.get(i)) is not None}
            if not left:
                return
            try:
                with MessageCapture():
                    opened.container.seek(start.pts, stream=opened.stream)
                for frame in _until_sent(opened, set(left), skip):
                    row = left.get(frame.pts)
                    if row is not None and row.index in self._left:
                        yield from self._accept(frame, [row], "seek")
            except av.FFmpegError:
                # A place that cannot be sought to or decoded from is the next rung's business.
                pass

    def _by_skipping(self, opened: OpenedStream) -> Iterator[FetchedFrame]:
        """Reads all packets, decodes from the key packet before the last one before each run."""
        starts = self._skip_starts()
        if not starts:
            return
        by_checksum: dict[int, list[FrameRow]] = {}
        for row in self._left.values():
            by_checksum.setdefault(row.checksum, []).append(row)
        context = opened.stream.codec_context
        until = -1
        for ordinal, packet in enumerate(_packets(opened)):
            if ordinal in starts:
                if until < ordinal:
                    context.flush_buffers()
                until = max(until, starts[ordinal])
            if ordinal > until:
                opened.meter.note_progress()
                continue
            yield from self._matching(_decode(opened, packet), by_checksum)
            if ordinal == until or packet.size == 0:
                yield from self._matching(_decode(opened, None), by_checksum)
                context.flush_buffers()
            if not self._left:
                return

    def _skip_starts(self) -> dict[int, int]:
        """Returns, by the packet to start at, the packet up to which to decode."""
        ordinals = [packet.ordinal for packet in self._index.key_packets]
        starts: dict[int, int] = {}
        for index in sorted(self._left):
            n_before = bisect_right(ordinals, index)
            if not n_before:
                continue
            start = ordinals[max(n_before - 2, 0)]
            starts[start] = max(starts.get(start, 0), index + _REORDER_ROOM)
        return starts

    def _sequentially(self) -> Iterator[FetchedFrame]:
        """Repeats the pass that made the index: the only way to what FFmpeg has concealed."""
        last = max(self._left)
        try:
            for frame in self._again():
                row = self._left.get(frame.index)
                if row is not None and frame.row.checksum == row.checksum:
                    del self._left[row.index]
                    yield FetchedFrame(row.index, row.pts, row.time_s, "sequential", frame.to_rgb())
                if frame.index >= last:
                    return
        except CorruptVideoError:
            return

    def _matching(
        self, frames: Iterable[Any], by_checksum: Mapping[int, list[FrameRow]]
    ) -> Iterator[FetchedFrame]:
        for frame in frames:
            rows = by_checksum.get(checksum(frame), [])
            yield from self._accept(frame, [r for r in rows if r.index in self._left], "skip")

    def _accept(self, frame: Any, rows: Sequence[FrameRow], rung: str) -> Iterator[FetchedFrame]:
        """Yields `frame` for each row whose checksum it has."""
        if not rows or checksum(frame) != rows[0].checksum:
            return
        settle_tags(frame)
        rgb = self._images.of(frame, orientation_of(frame))
        for row in rows:
            del self._left[row.index]
            yield FetchedFrame(row.index, row.pts, row.time_s, rung, rgb)


def in_order(indices: Sequence[int], frames: Iterable[FetchedFrame]) -> Iterator[FetchedFrame]:
    """Yields `frames`, which come in any order, in the order of `indices`, repetitions included.

    Raises:
        FrameChangedError: From `frames`, after all others were yielded.
    """
    uses = Counter(indices)
    reached: dict[int, FetchedFrame] = {}
    arriving = iter(frames)
    changed: FrameChangedError | None = None
    for index in indices:
        while index not in reached and changed is None:
            try:
                frame = next(arriving)
            except FrameChangedError as error:
                changed = error
            else:
                reached[frame.index] = frame
        if index in reached:
            yield reached[index]
            uses[index] -= 1
            if not uses[index]:
                del reached[index]
    if changed is not None:
        raise changed


def _until_sent(opened: OpenedStream, wanted: set[int | None], skip: str) -> Iterator[Any]:
    """Yields frames from here until every wanted packet was decoded, then the decoder's rest.

    Packets of other frames are sent with `skip`: a decoder may leave out pictures that no other
    refers to, which changes no other picture. The rest comes out by draining, not by decoding on.
    """
    context = opened.stream.codec_context
    try:
        for packet in _packets(opened):
            is_wanted = packet.pts in wanted
            wanted.discard(packet.pts)
            context.skip_frame = _NO_SKIP if is_wanted else skip
            yield from _decode(opened, packet)
            if not wanted:
                break
        yield from _decode(opened, None)
    finally:
        context.skip_frame = _NO_SKIP


def _packets(opened: OpenedStream) -> Iterator[Any]:
    packets = opened.container.demux(opened.stream)
    while True:
        opened.meter.check()
        try:
            with opened.meter, MessageCapture():
                packet = next(packets)
        except (StopIteration, EOFError, IndexError, av.FFmpegError):
            return
        yield packet


def _decode(opened: OpenedStream, packet: Any) -> list[Any]:
    try:
        with opened.meter, MessageCapture():
            frames = list(opened.stream.codec_context.decode(packet))
    except (EOFError, av.FFmpegError, MemoryError):
        return []
    if frames:
        opened.meter.note_progress()
    return frames
