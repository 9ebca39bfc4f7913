"""Which bytes are asked for: sequences of reads against an object in memory."""

import io
import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightly_pipeline.datasources.answers import NoSuchRangeError, RangeAnswer
from lightly_pipeline.datasources.protocol import ByteRange
from lightly_pipeline.datasources.range_reader import MAX_HELD_BYTES, RangeReader
from lightly_pipeline.errors import ObjectChangedError

MB = 1024 * 1024


class Stored:
    """An object that answers range requests and remembers them."""

    def __init__(self, size: int) -> None:
        self.content = random.Random(size).randbytes(size)
        self.etag = "first"
        self.asked: list[ByteRange] = []

    def get(self, first: int, last: int) -> RangeAnswer:
        body = self.content[first : last + 1]
        if not body:
            raise NoSuchRangeError
        self.asked.append(ByteRange(first, first + len(body)))
        return RangeAnswer(
            etag=self.etag,
            content_range=f"bytes {first}-{first + len(body) - 1}/{len(self.content)}",
            length=len(body),
            is_part=True,
            is_page=False,
            md5="",
            body=io.BytesIO(body),
        )

    def open(self, ranges: Sequence[ByteRange] = ()) -> RangeReader:
        return RangeReader(self.get, "object", ranges)


def test_reading_on_asks_for_twice_as_much_up_to_8_mb() -> None:
    stored = Stored(33 * MB)
    reader = stored.open()
    while reader.read_available(100_000):
        pass
    assert [(end - start) / MB for start, end in stored.asked] == [1, 2, 4, 8, 8, 8, 2]
    assert reader.traffic == (7, 33 * MB)


def test_looking_at_the_end_does_not_slow_down_reading_on() -> None:
    stored = Stored(20 * MB)
    reader = stored.open()
    for position in range(0, 20 * MB, MB // 2):
        reader.seek(-10, io.SEEK_END)
        reader.read(10)
        reader.seek(position)
        reader.read(MB // 2)
    assert len(stored.asked) <= 7
    assert reader.traffic.n_bytes == 20 * MB


def test_planned_ranges_are_asked_for_one_by_one_and_nothing_else() -> None:
    stored = Stored(40 * MB)
    planned = [ByteRange(0, 1000), ByteRange(5 * MB + 3, 9 * MB + 7), ByteRange(30 * MB, 31 * MB)]
    reader = stored.open(planned)
    for start, end in planned:
        reader.seek(start)
        position = start
        while position < end:
            position += len(reader.read_available(256 * 1024))
        assert position == end, "a read never goes beyond what was planned"
    assert stored.asked == planned


def test_beside_the_plan_little_is_read() -> None:
    stored = Stored(40 * MB)
    reader = stored.open([ByteRange(10 * MB, 20 * MB)])
    assert stored.asked == [(0, MB // 4)]
    reader.seek(-5, io.SEEK_END)
    assert reader.read() == stored.content[-5:]
    assert stored.asked[1:] == [(40 * MB - MB // 4, 40 * MB)]
    reader.seek(9 * MB + 999_999)
    reader.read_available(1)
    assert stored.asked[2].end == 10 * MB


@settings(max_examples=50)
@given(
    size=st.integers(0, 3 * MB),
    borders=st.lists(st.integers(0, 3 * MB), max_size=6, unique=True).map(sorted),
    reads=st.lists(st.tuples(st.integers(0, 3 * MB), st.integers(0, MB)), max_size=8),
)
def test_any_reads_give_the_content_whatever_was_planned(
    size: int, borders: list[int], reads: list[tuple[int, int]]
) -> None:
    stored = Stored(size)
    ranges = [ByteRange(a, b) for a, b in zip(borders[::2], borders[1::2], strict=False)]
    reader = stored.open([r for r in ranges if r.start < size])
    for position, length in reads:
        reader.seek(position)
        assert reader.read(length) == stored.content[position : position + length]
    covered = sorted(stored.asked)
    assert all(a.end <= b.start for a, b in pairwise(covered)), "no byte twice"


def test_what_is_held_is_bounded() -> None:
    stored = Stored(70 * MB)
    reader = stored.open([ByteRange(0, 70 * MB)])
    reader.read(70 * MB)
    assert sum(len(segment.content) for segment in reader._held) <= MAX_HELD_BYTES
    assert len(stored.asked) == 5


def test_a_store_that_ignores_conditions_cannot_slip_in_another_version() -> None:
    stored = Stored(5 * MB)
    reader = stored.open()
    stored.etag = "second"
    reader.seek(3 * MB)
    with pytest.raises(ObjectChangedError, match="changed while it was read"):
        reader.read(1)
