"""Decodes one segment of a long video, as a whole pass would have decoded that part.

Reads and decodes; where segments begin and what is made of their results is in `segments.py`. A
segment is free of doubt or there is none: every packet's headers say which picture comes out of
it, just those come out, in order, and nothing is damaged and nothing was said.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import av

from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video import reasons
from lightly_pipeline.video.colour import describe_colour, settle_tags
from lightly_pipeline.video.container import OpenedStream
from lightly_pipeline.video.decode import Pass
from lightly_pipeline.video.frames import decoded_frames
from lightly_pipeline.video.headers import Unclear, headers_of
from lightly_pipeline.video.messages import MessageCapture
from lightly_pipeline.video.numbering import DecodePlan
from lightly_pipeline.video.orientation import orientation_of
from lightly_pipeline.video.pixels import checksum
from lightly_pipeline.video.quality.meter import Periods
from lightly_pipeline.video.segments import (
    Edge,
    IndexedPacket,
    Segment,
    SegmentLength,
    SegmentResult,
    Start,
    plan_segments,
)
from lightly_pipeline.video.types import (
    DecodedFrame,
    DecodeLimits,
    FrameInput,
    KeyPacket,
    UntaggedMatrix,
)

# Containers with an index, codecs whose key frames leave nothing of what was before.
_MOV, _MATROSKA = "mov", "matroska"
_CODECS = ("h264", "hevc", "vp9", "av1", "libdav1d", "prores")
# Of 4:4:4, decoders go by the encoder's release, which it names at the very beginning only.
_FULL_CHROMA = ("444", "gbr")


def find_segments(opened: OpenedStream, length: SegmentLength) -> list[Segment]:
    """Returns the segments of a video, by its container's index alone; often a single one.

    Args:
        opened: The video, opened for seeking; it is of no use afterwards.
        length: How long segments are at least.
    """
    whole = [Segment(0, None, None)]
    container, codec = opened.info.container, opened.info.codec
    is_indexed = _MOV in container or _MATROSKA in container
    full_chroma = any(name in (opened.info.pixel_format or "") for name in _FULL_CHROMA)
    is_odd = opened.is_cut or opened.messages or (codec == "h264" and full_chroma)
    if not is_indexed or codec not in _CODECS or is_odd or not opened.stream.time_base:
        return whole
    if (opened.info.duration_s or 0) < 2 * length.seconds:
        return whole
    try:
        with opened.meter, MessageCapture():
            # Matroska's index is read on the first seek.
            opened.container.seek(0, stream=opened.stream)
            first = next(iter(opened.container.demux(opened.stream)), None)
    except (av.FFmpegError, IndexError):
        return whole
    if first is None or first.pts is None:
        return whole
    packets = [
        IndexedPacket(entry.timestamp, entry.pos, entry.is_keyframe)
        for entry in opened.stream.index_entries
    ]
    return plan_segments(
        packets,
        first.pts,
        Periods(opened.stream.time_base),
        length,
        opened.size_bytes,
        is_whole=_MOV in container,
        n_held=opened.stream.codec_context.has_b_frames,
    )


def segment_frames(
    decoding: "SegmentPass",
    opened: OpenedStream,
    frame_input: FrameInput | None,
    untagged_matrix: UntaggedMatrix,
) -> Iterator[DecodedFrame]:
    """Yields the frames of a segment; their indices count from its begin.

    Args:
        decoding: The pass over the segment.
        opened: The video, opened for seeking.
        frame_input: The small image wanted of each frame; None for rows alone.
        untagged_matrix: How pictures without colour tags are understood.

    Raises:
        Unclear: It is not certain that a whole pass would give the same.
        OSError: From the reader, unchanged.
    """
    try:
        yield from decoded_frames(
            opened, decoding, None, lambda *_: True, frame_input, untagged_matrix
        )
    except CorruptVideoError as error:
        raise Unclear(error.reason) from None


class SegmentPass(Pass):
    """A pass over one segment: it seeks to its begin, and ends with the first frame of the next.

    Raises:
        Unclear: From `frames` and `result`: a whole pass might give something else.
    """

    def __init__(
        self,
        opened: OpenedStream,
        limits: DecodeLimits,
        untagged_matrix: UntaggedMatrix,
        segment: Segment,
    ) -> None:
        super().__init__(opened, limits, untagged_matrix)
        self._begin, self._end = segment.begin, segment.end
        extradata = self._stream.codec_context.extradata
        self._headers = headers_of(opened.info.codec, extradata)
        self._periods = Periods(self._stream.time_base)
        # By pts, of the pictures that are still to come: whether they are key frames.
        self._expected: dict[int, bool] = {}
        self._leading: set[int] = set()
        self._early: set[int] = set()
        self._first_pts: int | None = None
        self._latest: int | None = None
        self._n_own_packets: int | None = None
        self._seam: KeyPacket | None = None
        self._first: Edge | None = None
        self._following: Edge | None = None

    def frames(self, plan: DecodePlan | None = None) -> Iterator[Any]:
        """Yields the segment's own frames, as `Pass.frames` does."""
        del plan
        if self._begin is not None:
            with self._meter, MessageCapture(self._messages):
                self._container.seek(self._begin.target, stream=self._stream)
        for packet in self._packets():
            if packet.size:
                self._read(packet)
            yield from self._accepted(self._own(self._decode(packet)), None)
            if self._following is not None:
                return
        yield from self._accepted(self._own(self._decode(None)), None)

    def result(self) -> SegmentResult:
        """Returns what decoding met, after all frames."""
        report = self.report()
        is_over = (self._following is None) == (self._end is None)
        if report.damaged or not is_over or self._first is None:
            raise Unclear(reasons.DAMAGED_STREAM())
        if self._expected:
            raise Unclear(reasons.OTHER_PICTURES())
        n_own = self._n_packets if self._n_own_packets is None else self._n_own_packets
        own = tuple(packet for packet in report.key_packets if packet.ordinal < n_own)
        return SegmentResult(
            replace(report, n_packets=n_own, key_packets=own),
            replace(self._first, leading=tuple(sorted(self._leading))),
            self._following,
            self._seam,
        )

    def _read(self, packet: Any) -> None:
        """Takes note of what has to come out of a packet."""
        if packet.is_corrupt or self._is_unusable(packet):
            raise Unclear(reasons.DAMAGED_PACKETS())
        try:
            seen = self._headers.look(bytes(packet))
        except IndexError:
            raise Unclear(reasons.CUT_PACKET()) from None
        pts = packet.pts
        if pts is None:
            raise Unclear(reasons.NO_OWN_TIMES())
        is_start = packet.is_keyframe and seen.is_start
        if self._first_pts is None:
            if not is_start or not _is_at(packet, self._begin):
                raise Unclear(reasons.OTHER_START())
            self._first_pts = pts
        elif self._end is not None and self._seam is None and _is_at(packet, self._end):
            if not is_start:
                raise Unclear(reasons.OTHER_START())
            self._seam = self._key_packets[-1]
            self._n_own_packets = self._n_packets - 1
        if packet.is_discard or not seen.is_shown:
            return
        self._expect(pts, is_key=seen.is_key)

    def _expect(self, pts: int, *, is_key: bool | None) -> None:
        assert self._first_pts is not None
        if is_key is None:
            raise Unclear(reasons.KEYS_UNKNOWN())
        end = self._seam.pts if self._seam else None
        if pts < self._first_pts:
            if self._begin is None:
                raise Unclear(reasons.BEGINS_WITH_LEADING())
            self._leading.add(pts)
            return
        if end is not None and pts > end:
            return
        if pts in self._expected or (self._latest is not None and pts <= self._latest):
            raise Unclear(reasons.NO_OWN_TIMES())
        if end is not None and pts < end:
            self._early.add(pts)
        self._expected[pts] = is_key

    def _own(self, frames: list[Any]) -> list[Any]:
        """Returns those of the frames that are the segment's own; takes note of the next one's."""
        own = []
        for frame in frames:
            pts = frame.pts
            if pts is not None and self._first_pts is not None and pts < self._first_pts:
                if self._latest is not None:
                    raise Unclear(reasons.OTHER_ORDER())
                continue
            if self._expected.pop(pts, None) != bool(frame.key_frame):
                raise Unclear(reasons.OTHER_PICTURES())
            if self._latest is not None and pts <= self._latest:
                raise Unclear(reasons.OTHER_ORDER())
            self._latest = pts
            begins = self._periods.begins(pts, is_key=bool(frame.key_frame))
            if self._seam is not None and pts == self._seam.pts:
                if not begins:
                    raise Unclear(reasons.OTHER_START())
                self._following = self._edge(frame, self._seam.pos, self._early)
                break
            if self._first is None:
                self._first = self._edge(frame, self._key_packets[0].pos, ())
            own.append(frame)
        return own

    def _edge(self, frame: Any, position: int | None, leading: Any) -> Edge:
        settle_tags(frame)
        return Edge(
            frame.pts,
            checksum(frame),
            bool(frame.key_frame),
            bool(frame.interlaced_frame),
            str(orientation_of(frame)),
            f"{describe_colour(frame, self._untagged)} {frame.color_primaries} {frame.color_trc}",
            position,
            tuple(sorted(leading)),
        )


def _is_at(packet: Any, start: Start | None) -> bool:
    """Returns whether a packet is the one that a start names."""
    if start is None:
        return True
    if start.position is not None:
        return bool(packet.pos == start.position)
    return bool(packet.is_keyframe and packet.pts == start.pts)
