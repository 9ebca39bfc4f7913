"""Where a long video can be cut into segments, and whether the segments make up the whole.

Pure decisions on numbers; a segment is decoded in `segment.py`. A segment begins at a key frame at
which decoding can start and at which the numbers of frames begin anew (`quality.meter.Periods`),
and ends where the next begins: the first frame of that one is decoded by both. Where anything
leaves room for doubt there are no segments but `Unclear`, and the video is decoded in one pass.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

from lightly_pipeline.datasources.protocol import ByteRange
from lightly_pipeline.video import reasons
from lightly_pipeline.video.headers.seen import Unclear
from lightly_pipeline.video.quality.meter import PERIOD_S, Periods
from lightly_pipeline.video.report import DecodeReport
from lightly_pipeline.video.types import KeyPacket

# Packets from the begin of the next segment on until its first frame comes out, beside those that
# are shown before it or wait for each other; more are read where that is not enough.
_PACKETS_BEYOND = 2
# Pictures that are shown before a key frame that comes before them in the file.
_LEADING = 8
# As many bytes, where their places are not known; more are asked for as they are needed.
_BYTES_BEYOND = 256 * 1024
# A segment is no longer than this share of what is left, down to half a length: measured on two
# cores, eight minutes in seven equal segments kept one of them busy alone for a third of the time.
_SHARE_OF_REST = 1 / 6


@dataclass(frozen=True, slots=True)
class SegmentLength:
    """How long segments are.

    Each costs some frames more than one pass and another opening of the file, so that short ones do
    not pay; and a run that was killed decodes one again, so that long ones do not, either. The last
    ones are shorter, so that threads end together.

    Attributes:
        seconds: Playing time, to the nearest period; half of it towards the end.
        n_bytes: Of the file, at least.
        most: So many of that playing time at most; more seconds in longer videos.
    """

    seconds: float = 60.0
    n_bytes: int = 8 * 1024 * 1024
    most: int = 120


class IndexedPacket(NamedTuple):
    """A packet by a container's index.

    Attributes:
        timestamp: By which it is sought; that of its presentation but for a constant.
        position: Where it, or the cluster it is in, begins in the file.
        is_key: Whether decoding can start there, as the container says.
    """

    timestamp: int
    position: int
    is_key: bool


class Start(NamedTuple):
    """Where a segment begins.

    Attributes:
        pts: Of its first frame, as far as the index tells.
        target: What to seek to: behind it, but before the next key frame.
        position: Of its packet; None where the index has that of its cluster, but the exact pts.
        begin: First byte of the file that it needs.
        reached: Byte of the file by which its first frame is out.
    """

    pts: int
    target: int
    position: int | None
    begin: int
    reached: int


class Segment(NamedTuple):
    """A part of a video: from one start to the next; None stands for the file's own ends."""

    number: int
    begin: Start | None
    end: Start | None

    def byte_ranges(self, size_bytes: int) -> list[ByteRange]:
        """Returns which parts of the file decoding it reads, headers apart."""
        first = self.begin.begin if self.begin else 0
        last = min(self.end.reached, size_bytes) if self.end else size_bytes
        return [ByteRange(first, last)]


@dataclass(frozen=True, slots=True)
class Edge:
    """What is known of a frame at which two segments meet, on either side.

    Attributes:
        pts: Its time.
        checksum: Of its planes, with size and format.
        is_key: The decoder's flag.
        is_interlaced: The decoder's flag.
        orientation: How it has to be turned.
        colour: How its numbers are understood.
        position: Of its packet.
        leading: Times of pictures that come after it in the file and before it on the screen.
    """

    pts: int
    checksum: int
    is_key: bool
    is_interlaced: bool
    orientation: str
    colour: str
    position: int | None
    leading: tuple[int, ...]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Edge":
        """Returns the edge that `dataclasses.asdict` described."""
        return cls(**{**values, "leading": tuple(values["leading"])})


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """What decoding a segment met; it is free of damage, or there would be none.

    Attributes:
        report: Of its own frames and packets, counted from its own begin.
        first: Its first frame.
        following: The first frame of the next segment; None at the end of the video.
        seam: The packet of that frame, as the demuxer gave it while it read on.
    """

    report: DecodeReport
    first: Edge
    following: Edge | None
    seam: KeyPacket | None

    def as_dict(self) -> dict[str, Any]:
        """Returns JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "SegmentResult":
        """Returns the result that `as_dict` described."""
        following, seam = values["following"], values["seam"]
        return cls(
            DecodeReport.from_dict(values["report"]),
            Edge.from_dict(values["first"]),
            Edge.from_dict(following) if following else None,
            KeyPacket(*seam) if seam else None,
        )


def plan_segments(
    packets: Sequence[IndexedPacket],
    first_pts: int,
    periods: Periods,
    length: SegmentLength,
    size_bytes: int,
    *,
    is_whole: bool,
    n_held: int,
) -> list[Segment]:
    """Returns the segments of a video; a single one where there is no place to cut it.

    Args:
        packets: Of the stream by the container's index, in file order.
        first_pts: Time of the first packet.
        periods: Where the numbers of frames begin anew.
        length: How long they are at least.
        size_bytes: Of the file.
        is_whole: Whether the index names every packet by its own place and the time of decoding,
            not only clusters with key frames by that of the presentation.
        n_held: Pictures that a decoder holds back until those shown before them are there.
    """
    steps = pairwise(packets)
    if not packets or any(a.timestamp >= b.timestamp or a.position > b.position for a, b in steps):
        return [Segment(0, None, None)]
    shift = first_pts - packets[0].timestamp
    keys = [n for n, packet in enumerate(packets) if packet.is_key]
    # Where groups are open, a key frame is shown later than its place says by as many pictures.
    frame_time = (packets[-1].timestamp - packets[0].timestamp) // max(len(packets) - 1, 1)
    slack = _LEADING * frame_time if is_whole and n_held else 0
    starts: list[Start] = []
    for place in _cuts(packets, keys, shift, slack, periods, length):
        packet = packets[keys[place]]
        pts = packet.timestamp + shift
        if not is_whole:
            starts.append(Start(pts, pts, None, packet.position, packet.position + _BYTES_BEYOND))
            continue
        following = keys[place + 1] if place + 1 < len(keys) else keys[place]
        middle = (packets[following].timestamp - packet.timestamp) // 2
        beyond = keys[place] + _PACKETS_BEYOND + (n_held + _LEADING if n_held else 0)
        reached = packets[beyond].position if beyond < len(packets) else size_bytes
        starts.append(Start(pts, pts + middle, packet.position, packet.position, reached))
    edges = [None, *starts, None]
    return [Segment(n, begin, end) for n, (begin, end) in enumerate(pairwise(edges))]


def _cuts(
    packets: Sequence[IndexedPacket],
    keys: Sequence[int],
    shift: int,
    slack: int,
    periods: Periods,
    length: SegmentLength,
) -> list[int]:
    """Returns the places among the key packets at which segments begin, the first one apart."""
    if not keys or keys[0]:
        return []
    last = packets[-1]
    cuts: list[int] = []
    begin = packets[0]
    whole_s = max(length.seconds, periods.seconds(last.timestamp - begin.timestamp) / length.most)
    for place, (before, at) in enumerate(pairwise(keys), start=1):
        packet = packets[at]
        time_before, time = packets[before].timestamp + shift, packet.timestamp + shift
        is_new = periods.number(time_before + slack) < periods.number(time)
        if not is_new or periods.number(time) < periods.number(time + slack):
            continue
        rest_s = _SHARE_OF_REST * periods.seconds(last.timestamp - begin.timestamp)
        least_s = min(whole_s, max(rest_s, length.seconds / 2))
        is_long = _is_long(begin, packet, periods, least_s, length.n_bytes)
        if is_long and _is_long(packet, last, periods, length.seconds / 2, length.n_bytes):
            cuts.append(place)
            begin = packet
    return cuts


def _is_long(
    begin: IndexedPacket, end: IndexedPacket, periods: Periods, seconds: float, n_bytes: int
) -> bool:
    # A period's first key frame may come early or late in it.
    playing_s = periods.seconds(end.timestamp - begin.timestamp) + PERIOD_S / 2
    return playing_s >= seconds and end.position - begin.position >= n_bytes


def check_join(before: SegmentResult, after: SegmentResult) -> None:
    """Compares the frame at which two segments meet, decoded from both sides.

    Raises:
        Unclear: It is not the same.
    """
    if before.following != after.first:
        raise Unclear(reasons.EDGES_DIFFER())


def joined_report(results: Sequence[SegmentResult], max_frames: int) -> DecodeReport:
    """Returns the report of a whole pass over the video that the segments make up.

    Args:
        results: Of all segments, in order.
        max_frames: Of a video.

    Raises:
        Unclear: They do not join, or exceed the limit together.
    """
    for before, after in pairwise(results):
        check_join(before, after)
    reports = [result.report for result in results]
    n_frames = sum(report.n_frames for report in reports)
    if n_frames > max_frames:
        raise Unclear(reasons.TOO_MANY_FRAMES(limit=max_frames))
    rotations = {turn for report in reports for turn in (report.rotation or "").split("; ") if turn}
    return replace(
        reports[0],
        n_frames=n_frames,
        n_packets=sum(report.n_packets for report in reports),
        n_interlaced=sum(report.n_interlaced for report in reports),
        rotation="; ".join(sorted(rotations)) or None,
        warnings=tuple(dict.fromkeys(line for report in reports for line in report.warnings)),
        key_packets=tuple(_key_packets(results)),
    )


def _key_packets(results: Sequence[SegmentResult]) -> list[KeyPacket]:
    """Returns the key packets of all segments, numbered through.

    That at a seam is as the segment before saw it: where a container has no dts, demuxers make
    them while they read on.
    """
    packets: list[KeyPacket] = []
    n_before = 0
    seam: KeyPacket | None = None
    for result in results:
        own = result.report.key_packets
        if seam is not None:
            own = (seam._replace(ordinal=0), *own[1:])
        packets += [p._replace(ordinal=p.ordinal + n_before) for p in own]
        n_before += result.report.n_packets
        seam = result.seam
    return packets
