"""Reading a video from a bucket takes few requests and hardly more bytes than needed."""

import io
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import av
import pytest

from lightly_pipeline.datasources import ByteRange, S3Datasource, traffic_of
from lightly_pipeline.errors import DatasourceError
from lightly_pipeline.video import FrameIndex, FrameRow, Quality, open_video
from lightly_pipeline.video.plan import byte_ranges, fetch_parts, key_groups
from lightly_pipeline.video.types import KeyPacket
from lightly_pipeline_tests.support.noise import make_noise
from lightly_pipeline_tests.support.s3_servers import make_bucket, store_at

pytestmark = pytest.mark.slow

MB = 1024 * 1024
N_FRAMES = 72
# Demuxer, codec, options.
FILES = {
    "faststart.mp4": ("mp4", "mpeg4", {"movflags": "faststart"}),
    "moov_at_end.mp4": ("mp4", "mpeg4", {}),
    "fragmented.mp4": ("mp4", "mpeg4", {"movflags": "frag_keyframe+empty_moov"}),
    "matroska.webm": ("matroska", "mpeg4", {}),
    "mpeg4.avi": ("avi", "mpeg4", {}),
    "program_stream.mpg": ("mpeg", "mpeg2video", {}),
    "transport_stream.mpg": ("mpegts", "mpeg2video", {}),
}


@pytest.fixture(scope="module")
def bucket(endpoint: str) -> S3Datasource:
    make_bucket(endpoint, "reading")
    return store_at(endpoint, "s3://reading/")


@pytest.fixture(params=FILES)
def stored(request: pytest.FixtureRequest, bucket: S3Datasource, tmp_path: Path) -> str:
    """The name of a video of about 36 MB in the bucket."""
    make_noise(tmp_path / request.param, N_FRAMES, *FILES[request.param])
    bucket.write("video", (tmp_path / request.param).read_bytes())
    return str(request.param)


def test_a_full_pass_reads_the_file_once_in_few_requests(
    bucket: S3Datasource, stored: str, tmp_path: Path
) -> None:
    size = (tmp_path / stored).stat().st_size
    assert size > 30 * MB
    with bucket.open("video") as file, open_video(file) as video:
        assert len(list(video.frames())) == N_FRAMES
        assert not video.report.damaged
        n_requests, n_bytes = traffic_of(file)
    # The bound, which it gives fragmented MP4 and an index at the end more room for.
    assert n_bytes <= 1.1 * size
    assert n_requests <= size / (8 * MB) + 6


@pytest.mark.parametrize("stored", ["moov_at_end.mp4", "matroska.webm", "mpeg4.avi"], indirect=True)
def test_fetching_reads_from_the_key_frames_to_the_frames(
    bucket: S3Datasource, stored: str, tmp_path: Path
) -> None:
    path = tmp_path / stored
    with open_video(path) as video:
        index, container = video.index(), video.info.container
    wanted = [3, 14, 17, 52]
    ranges = byte_ranges(index, container, wanted, path.stat().st_size)
    with (
        bucket.open("video", ranges=ranges) as file,
        open_video(file, index=index) as video,
    ):
        assert [frame.index for frame in video.fetch(wanted)] == wanted
        n_requests, n_bytes = traffic_of(file)
    packets = sorted(row.position for row in index.rows if row.position is not None)
    needed = sum(
        packets[max(group.frames) + 1] - (group.key.position or 0)
        for group in key_groups(index, container, wanted)
    )
    assert n_bytes <= 1.4 * needed
    assert n_requests <= 3 + 10


UNMEASURED = Quality(*[0.0] * len(fields(Quality)))


def indexed(n: int, gop: int, size: int | None = 1000) -> FrameIndex:
    """The index of a video of equally large packets in the order of presentation."""
    rows = [
        FrameRow(i, i, i / 25, i % gop == 0, False, False, 8, 8, i, size and i * size, UNMEASURED)
        for i in range(n)
    ]
    return FrameIndex(rows, [KeyPacket(i, i, i, size and i * size) for i in range(0, n, gop)])


def test_ranges_reach_from_the_key_frame_to_the_packet_after_the_last_frame() -> None:
    video = indexed(100, 10, 2 * MB)
    assert byte_ranges(video, "mov,mp4", [13, 15, 71], 200 * MB) == [
        ByteRange(20 * MB - 1024, 34 * MB),
        ByteRange(140 * MB - 1024, 146 * MB),
    ]
    assert byte_ranges(video, "mov,mp4", [99], 200 * MB) == [ByteRange(180 * MB - 1024, 200 * MB)]


def test_ranges_that_almost_touch_are_one() -> None:
    video = indexed(40_000, 10)
    (first,) = byte_ranges(video, "mov,mp4", [13, 29], 40 * MB)
    assert first == ByteRange(10_000 - 1024, 31_000)


def test_a_small_file_is_read_whole_by_one_request() -> None:
    assert byte_ranges(indexed(100, 10), "mov,mp4", [3], 100_000) == [ByteRange(0, 100_000)]


def test_without_positions_or_for_most_of_the_file_nothing_is_planned() -> None:
    video = indexed(100, 10, 2 * MB)
    assert byte_ranges(video, "mpegts", [3], 200 * MB) == []
    assert byte_ranges(video, "mov,mp4", range(9, 100, 10), 200 * MB) == []
    assert byte_ranges(indexed(100, 10, None), "mov,mp4", [3], 200 * MB) == []


def test_the_index_knows_where_packets_begin(tmp_path: Path) -> None:
    make_noise(tmp_path / "a.mp4", N_FRAMES)
    with av.open(str(tmp_path / "a.mp4")) as container:
        positions = {p.pts: p.pos for p in container.demux(video=0) if p.size}
    with open_video(tmp_path / "a.mp4") as video:
        index: FrameIndex = video.index()
    assert [row.position for row in index.rows] == [positions[row.pts] for row in index.rows]


def test_of_a_sample_ranges_reach_from_the_key_packets() -> None:
    video = indexed(100, 10, 2 * MB)
    sample = FrameIndex(video.rows[3::20], video.key_packets)
    assert byte_ranges(sample, "mov,mp4", [23, 63], 200 * MB) == [
        ByteRange(40 * MB - 1024, 80 * MB),
        ByteRange(120 * MB - 1024, 160 * MB),
    ]


class Failing(io.BytesIO):
    """A store that goes away for good after some reads."""

    def __init__(self, content: bytes, n_good: int) -> None:
        super().__init__(content)
        self.n_good, self.n_failed = n_good, 0

    def read(self, size: int | None = -1) -> bytes:
        if not self.n_good:
            self.n_failed += 1
            raise DatasourceError("the store went away")
        self.n_good -= 1
        return super().read(size)


@pytest.mark.parametrize("name", FILES)
def test_a_store_that_goes_away_is_never_a_shorter_video_and_is_asked_no_more(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    content = make_noise(tmp_path / name, 5, *FILES[name]).read_bytes()
    for n_good in range(100):
        source = Failing(content, n_good)
        try:
            with open_video(source) as video:
                assert len(list(video.frames())) == 5
        except DatasourceError:
            assert source.n_failed == 1
        else:
            assert not source.n_failed
            break
    assert n_good > 5
    assert capfd.readouterr().err == ""


def test_parts_that_are_worth_a_decoder_begin_at_key_frames() -> None:
    video = indexed(3000, 250, 10_000)
    wanted = range(100, 3000, 100)
    parts = fetch_parts(video, "mov,mp4", wanted, 30 * MB)
    assert [frame for part in parts for frame in part] == list(wanted)
    assert len(parts) == 4
    assert all(a[-1] // 250 < b[0] // 250 for a, b in pairwise(parts))


@pytest.mark.parametrize(("container", "size"), [("mpegts", 30 * MB), ("mov,mp4", MB)])
def test_what_is_read_whole_is_one_part(container: str, size: int) -> None:
    video = indexed(3000, 250, 10_000)
    assert fetch_parts(video, container, [2999, 0, 2000], size) == [[0, 2000, 2999]]
