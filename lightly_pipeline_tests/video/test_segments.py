"""Where a long video is cut, and which segments make up the whole."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest

from lightly_pipeline.datasources import ByteRange
from lightly_pipeline.video import DecodeReport
from lightly_pipeline.video.headers import Unclear
from lightly_pipeline.video.quality.meter import PERIOD_S, Periods
from lightly_pipeline.video.segments import (
    Edge,
    IndexedPacket,
    Segment,
    SegmentLength,
    SegmentResult,
    joined_report,
    plan_segments,
)
from lightly_pipeline.video.types import KeyPacket

FPS = 25
ANY = SegmentLength(1, 1, 1000)


def packets(n: int, gop: int, first: int = 0) -> list[IndexedPacket]:
    """An index of equally large packets, a key frame every `gop`."""
    return [IndexedPacket(first + i, 1000 * i, i % gop == 0) for i in range(n)]


def plan(
    index: list[IndexedPacket],
    length: SegmentLength = ANY,
    *,
    first_pts: int = 0,
    n_held: int = 0,
    is_whole: bool = True,
) -> list[Segment]:
    periods = Periods(Fraction(1, FPS))
    size = index[-1].position + 1000
    return plan_segments(index, first_pts, periods, length, size, is_whole=is_whole, n_held=n_held)


def starts(segments: list[Segment]) -> list[int]:
    return [segment.begin.pts for segment in segments if segment.begin]


def test_segments_begin_at_the_first_key_frame_of_a_period() -> None:
    found = plan(packets(100 * FPS, 20))
    assert starts(found) == [
        next(pts for pts in range(0, 100 * FPS, 20) if pts >= FPS * PERIOD_S * n) for n in (1, 2, 3)
    ]
    assert [segment.number for segment in found] == [0, 1, 2, 3]
    assert all(a.end == b.begin for a, b in pairwise(found))
    assert found[0].begin is None
    assert found[-1].end is None


def test_every_byte_is_read_and_few_twice() -> None:
    index = packets(200 * FPS, 20)
    size = index[-1].position + 1000
    ranges = [r for segment in plan(index, n_held=2) for r in segment.byte_ranges(size)]
    assert ranges[0].start == 0
    assert ranges[-1].end == size
    twice = [a.end - b.start for a, b in pairwise(ranges)]
    assert all(0 < n <= 15_000 for n in twice)


def test_of_clusters_the_end_is_not_known_beforehand() -> None:
    found = plan(packets(100 * FPS, 1), is_whole=False)
    assert found[1].begin is not None
    assert found[1].begin.position is None
    (read,) = found[0].byte_ranges(10**9)
    assert read.end > found[1].begin.begin


@pytest.mark.parametrize(
    ("length", "n_segments"),
    [
        (SegmentLength(60, 1, 1000), 9),
        (SegmentLength(1, 2_000_000, 1000), 3),
        (SegmentLength(700, 1, 1000), 1),
    ],
    ids=["a minute", "2 MB", "longer than twice the video"],
)
def test_how_long_segments_are(length: SegmentLength, n_segments: int) -> None:
    # Almost 300 s, 7.5 MB.
    assert len(plan(packets(300 * FPS, 10), length)) == n_segments


@pytest.mark.parametrize(("most", "longest"), [(1000, 60), (10, 180)])
def test_segments_get_shorter_towards_the_end(most: int, longest: int) -> None:
    found = plan(packets(30 * 60 * FPS, 10), SegmentLength(60, 1, most))
    begins = [0, *starts(found), 30 * 60 * FPS]
    seconds = [round((b - a) / FPS) for a, b in pairwise(begins)]
    assert seconds[:3] == [longest] * 3
    assert seconds[-8:] == [30] * 8
    assert sorted(seconds, reverse=True) == seconds


def test_a_key_frame_that_may_be_shown_in_another_period_begins_none() -> None:
    index = packets(100 * FPS, 20)
    # At 30 s sharp only by its place in the file; leading pictures may move it.
    index[745] = index[745]._replace(is_key=True)
    assert 760 in starts(plan(index))
    assert not {745, 760} & set(starts(plan(index, n_held=2)))


@pytest.mark.parametrize(
    "index",
    [
        [],
        [IndexedPacket(0, 0, False), *packets(100 * FPS, 20)[1:]],
        [*packets(60 * FPS, 20), *packets(60 * FPS, 20)],
        [*packets(60 * FPS, 20), IndexedPacket(60 * FPS, 5, True)],
        [IndexedPacket(i, 1000 * i, i == 0) for i in range(100 * FPS)],
    ],
    ids=["nothing", "begins in a group", "times begin anew", "places step back", "one key frame"],
)
def test_an_index_that_leaves_doubt_gives_one_segment(index: list[IndexedPacket]) -> None:
    whole = plan_segments(index, 0, Periods(Fraction(1, FPS)), ANY, 10**9, is_whole=True, n_held=0)
    assert whole == [Segment(0, None, None)]
    assert whole[0].byte_ranges(7) == [ByteRange(0, 7)]


def edge(pts: int, checksum: int = 1) -> Edge:
    return Edge(pts, checksum, True, False, "upright", "BT.709", 10 * pts, ())


def results() -> list[SegmentResult]:
    keys = (KeyPacket(0, 0, None, 0), KeyPacket(5, 50, 40, 500))
    report = DecodeReport(10, 10, key_packets=keys, n_interlaced=1, rotation="90 degrees")
    return [
        SegmentResult(report, edge(0), edge(100), KeyPacket(10, 100, 90, 1000)),
        SegmentResult(replace(report, rotation=None), edge(100), None, None),
    ]


def test_reports_of_segments_become_one() -> None:
    report = joined_report(results(), 100)
    assert (report.n_frames, report.n_packets, report.n_interlaced) == (20, 20, 2)
    assert report.rotation == "90 degrees"
    # A packet that was sought has not all of its times; it had them in the reading before.
    assert report.key_packets[2] == KeyPacket(10, 100, 90, 1000)
    assert [packet.ordinal for packet in report.key_packets] == [0, 5, 10, 15]


@pytest.mark.parametrize(
    "other", [edge(101), edge(100, 2), replace(edge(100), leading=(99,))], ids=["pts", "sum", "led"]
)
def test_segments_that_do_not_join_are_none(other: Edge) -> None:
    first, second = results()
    with pytest.raises(Unclear, match="do not join"):
        joined_report([first, replace(second, first=other)], 100)


def test_too_many_frames_are_too_many_together() -> None:
    with pytest.raises(Unclear, match="more than 19 frames"):
        joined_report(results(), 19)
