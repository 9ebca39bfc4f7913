"""Which key frames chosen frames are reached from, and which bytes of the file that takes.

Pure decisions over the index of a video; seeking and decoding is in `fetch.py`.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from lightly_pipeline.datasources.protocol import ByteRange
from lightly_pipeline.video.types import DecodeStart, FrameIndex, FrameRow

_SEEKABLE = ("mov", "matroska", "avi")
# One request for the whole file beats many small ones.
_SMALL_FILE_BYTES = 16 * 1024 * 1024
_MAX_GAP_BYTES = 64 * 1024
_MAX_PLANNED_SHARE = 0.75
# Frames to decode that are worth opening the file once more.
_PART_FRAMES = 400
# A Matroska cluster begins a little before its first packet.
_LEAD_BYTES = 1024
# Demuxers of streams without packet borders have to see the packet after.
_PACKETS_BEYOND = 1


@dataclass(frozen=True, slots=True)
class KeyGroup:
    """Frames that are decoded in one go.

    Attributes:
        key: The key frame at or before them.
        earlier_key: The one before that, from which leading pictures and intra refresh appear.
        frames: Their indices, ascending.
    """

    key: DecodeStart
    earlier_key: DecodeStart
    frames: tuple[int, ...]


def key_groups(index: FrameIndex, container: str, wanted: Iterable[int]) -> list[KeyGroup]:
    """Returns the groups by which frames can be reached by seeking.

    Args:
        index: Of the video; the wanted frames are in it.
        container: FFmpeg's demuxer name.
        wanted: Indices of frames.

    Returns:
        In ascending order; none where seeking finds no way: by demuxer, or for lack of increasing
        presentation times or key frames.
    """
    starts = index.starts()
    seekable = any(name in container for name in _SEEKABLE)
    if not seekable or not starts or not _has_increasing_pts(index.rows):
        return []
    times = [start.pts for start in starts]

    def start_before(frame: int) -> int:
        return max(bisect_right(times, index.row(frame).pts or 0) - 1, 0)

    by_start = groupby(sorted(set(wanted)), key=start_before)
    return [KeyGroup(starts[k], starts[max(k - 1, 0)], tuple(frames)) for k, frames in by_start]


def fetch_parts(
    index: FrameIndex, container: str, wanted: Iterable[int], size_bytes: int
) -> list[list[int]]:
    """Returns wanted frames in parts that are worth a reader and a decoder of their own.

    Args:
        index: Of the video; the wanted frames are in it.
        container: FFmpeg's demuxer name.
        wanted: Indices of frames.
        size_bytes: Of the file.

    Returns:
        Each ascending, one after the other in the video; a single one of a file that is read whole.
    """
    frames = sorted(set(wanted))
    groups = key_groups(index, container, frames)
    if not groups or size_bytes <= _SMALL_FILE_BYTES or not index.is_whole():
        return [frames]
    times = [row.pts or 0 for row in index.rows]
    parts: list[list[int]] = [[]]
    n_decoded = 0
    for group in groups:
        if n_decoded >= _PART_FRAMES:
            parts.append([])
            n_decoded = 0
        parts[-1] += group.frames
        n_decoded += group.frames[-1] - bisect_right(times, group.key.pts) + 2
    return parts


def byte_ranges(
    index: FrameIndex, container: str, wanted: Iterable[int], size_bytes: int
) -> list[ByteRange]:
    """Returns the parts of the file that fetching frames reads, headers and index apart.

    From each key frame to the end of the last wanted frame's packet; parts closer than 64 kB are
    one. A small file is one part.

    Args:
        index: Of the video; the wanted frames are in it.
        container: FFmpeg's demuxer name.
        wanted: Indices of frames.
        size_bytes: Of the file.

    Returns:
        Ascending, without overlap; none when most of the file is needed anyway.
    """
    if size_bytes <= _SMALL_FILE_BYTES:
        return [ByteRange(0, size_bytes)]
    borders = _borders(index)
    ranges: list[ByteRange] = []
    for group in key_groups(index, container, wanted):
        positions = [group.key.position, *(index.row(i).position for i in group.frames)]
        known = [position for position in positions if position is not None]
        if len(known) < len(positions):
            return []
        following = borders[bisect_right(borders, max(known)) :][: 1 + _PACKETS_BEYOND]
        end = following[-1] if len(following) > _PACKETS_BEYOND else size_bytes
        ranges.append(ByteRange(max(min(known) - _LEAD_BYTES, 0), end))
    merged = _merged(ranges)
    planned = sum(end - start for start, end in merged)
    return merged if planned <= _MAX_PLANNED_SHARE * size_bytes else []


def _borders(index: FrameIndex) -> list[int]:
    """Returns the known places of packets in the file, ascending."""
    places = {row.position for row in index.rows} | {packet.pos for packet in index.key_packets}
    return sorted(place for place in places if place is not None)


def _has_increasing_pts(rows: Sequence[FrameRow]) -> bool:
    known = [row.pts for row in rows if row.pts is not None]
    return len(known) == len(rows) and all(a < b for a, b in pairwise(known))


def _merged(ranges: Iterable[ByteRange]) -> list[ByteRange]:
    merged: list[ByteRange] = []
    for start, end in sorted(ranges):
        if merged and start - merged[-1].end < _MAX_GAP_BYTES:
            merged[-1] = ByteRange(merged[-1].start, max(merged[-1].end, end))
        else:
            merged.append(ByteRange(start, end))
    return merged
