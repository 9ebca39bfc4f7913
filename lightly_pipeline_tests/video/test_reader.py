"""Frames of one pass and frames fetched again, whole files and broken ones."""

import io
import os
import random
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from lightly_pipeline.errors import CorruptVideoError, FrameChangedError
from lightly_pipeline.video import DecodeLimits, FrameIndex, FrameInput, open_video
from lightly_pipeline_tests.support.videos import (
    BY_NAME,
    Recipe,
    VideoFolder,
    make_video,
    number_of,
)


def index_of(path: Path) -> FrameIndex:
    with open_video(path) as video:
        return video.index()


def test_fetched_pixels_are_those_of_sequential_decoding(fixture_videos: VideoFolder) -> None:
    with open_video(fixture_videos["h264.mp4"]) as video:
        passing = {f.index: f.to_rgb() for f in video.frames()}
        fetched = {f.index: f.to_rgb() for f in video.fetch(passing)}
    assert passing.keys() == fetched.keys()
    assert all(np.array_equal(passing[i], fetched[i]) for i in passing)


def test_frames_are_fetched_in_the_order_asked_for(fixture_videos: VideoFolder) -> None:
    wanted = [7, 30, 2, 30, 2]
    path = fixture_videos["h264.mp4"]
    with open_video(path, index=index_of(path)) as video:
        fetched = list(video.fetch(wanted))
        assert [f.index for f in fetched] == [number_of(f.to_rgb()) for f in fetched] == wanted
        assert [f.index for f in video.fetch(wanted, ordered=False)] == [2, 7, 30]
        rows = video.index().rows
    assert [(f.pts, f.time_s) for f in fetched] == [(rows[i].pts, rows[i].time_s) for i in wanted]


def test_a_frame_that_does_not_exist_is_named(fixture_videos: VideoFolder) -> None:
    with open_video(fixture_videos["h264.mp4"]) as video:
        with pytest.raises(IndexError, match="no frame 40: the video has frames 0 to 39"):
            list(video.fetch([3, 40]))
        with pytest.raises(IndexError, match="no frame -1"):
            list(video.fetch([-1]))
        assert list(video.fetch([])) == []


def test_a_picture_of_a_pass_is_there_until_the_next_frame(fixture_videos: VideoFolder) -> None:
    with open_video(fixture_videos["h264.mp4"]) as video:
        frames = video.frames()
        first = next(frames)
        assert number_of(first.to_rgb()) == 0
        second = next(frames)
        assert (second.index, second.pts, second.time_s) == (1, second.row.pts, second.row.time_s)
        with pytest.raises(RuntimeError, match=r"went on from frame 0.*fetch\(\[0\]\)"):
            first.to_rgb()


def test_seeking_serves_ordinary_files(fixture_videos: VideoFolder) -> None:
    for name in ("h264.mp4", "h264.mov", "vp9.webm", "h265.mp4"):
        with open_video(fixture_videos[name]) as video:
            assert {f.rung for f in video.fetch([30, 5])} == {"seek"}


def test_a_changed_file_is_an_error_and_never_another_picture(tmp_path: Path) -> None:
    first = make_video(tmp_path, BY_NAME["h264.mp4"], "a.mp4", seed=1)
    other = make_video(tmp_path, BY_NAME["h264.mp4"], "b.mp4", seed=2)
    with (
        open_video(other, index=index_of(first)) as video,
        pytest.raises(FrameChangedError, match="frames 3, 7"),
    ):
        list(video.fetch([7, 3]))


def test_a_reader_without_name_serves_like_a_path(fixture_videos: VideoFolder) -> None:
    path = fixture_videos["h264.mp4"]
    index = index_of(path)
    with open_video(io.BytesIO(path.read_bytes())) as video:
        assert [f.row for f in video.frames()] == index.rows
        assert [f.index for f in video.fetch([9])] == [9]


def test_an_error_of_the_reader_is_not_called_corruption(fixture_videos: VideoFolder) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 8000:
                raise ConnectionResetError("the store went away")
            return super().read(min(size or 0, 4096))

    source = Failing(fixture_videos["mjpeg.mov"].read_bytes())
    with pytest.raises(ConnectionResetError), open_video(source) as video:
        list(video.frames())


@pytest.fixture
def truncated(tmp_path: Path) -> Path:
    recipe = Recipe(
        "x.mp4",
        "libx264",
        40,
        options=BY_NAME["h264.mp4"].options,
        mux_options={"movflags": "faststart"},
    )
    content = make_video(tmp_path, recipe).read_bytes()
    path = tmp_path / "truncated.mp4"
    path.write_bytes(content[: len(content) * 6 // 10])
    return path


def test_a_truncated_video_keeps_its_good_frames(truncated: Path) -> None:
    with open_video(truncated) as video:
        frames = list(video.frames(FrameInput(160, 120, "bicubic")))
        assert video.report.damaged
        assert video.report.messages
    assert 10 < len(frames) < 40
    assert [number_of(f.small) for f in frames[:-2]] == list(range(len(frames) - 2))


def test_damage_is_reported_the_same_every_time(truncated: Path) -> None:
    reports = []
    for _ in range(3):
        with open_video(truncated) as video:
            list(video.frames())
            reports.append(video.report)
    assert reports[0] == reports[1] == reports[2]


def hostile_files() -> Iterator[tuple[str, bytes]]:
    yield "empty.mp4", b""
    yield "text.mp4", b"This is not a video.\n" * 50
    yield "zeros.avi", bytes(5000)
    yield "playlist.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n"
    yield "concat.mp4", b"ffconcat version 1.0\nfile 'secret.mp4'\n"
    yield (
        "session.mp4",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        b"m=video 5004 RTP/AVP 96\r\n",
    )
    yield "subtitles.avi", b"1\n00:00:00,000 --> 00:00:01,000\nhello\n"
    yield "picture.mp4", b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.mark.parametrize(
    ("name", "content"), list(hostile_files()), ids=lambda v: v if isinstance(v, str) else ""
)
def test_what_is_no_video_is_refused_with_a_reason(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with path.open("rb") as file:
        for source in (path, file):
            with pytest.raises(CorruptVideoError) as caught, open_video(source) as video:
                list(video.frames())
            assert caught.value.reason


def test_a_picture_too_large_is_refused_before_it_is_decoded(
    fixture_videos: VideoFolder,
) -> None:
    limits = DecodeLimits(max_pixels=100 * 100)
    with (
        pytest.raises(CorruptVideoError),
        open_video(fixture_videos["h264.mp4"], limits=limits) as v,
    ):
        list(v.frames())


def test_an_endless_stream_is_bounded(fixture_videos: VideoFolder) -> None:
    limits = DecodeLimits(max_frames=10)
    with (
        open_video(fixture_videos["h264.mp4"], limits=limits) as video,
        pytest.raises(CorruptVideoError, match="more than 10 frames"),
    ):
        list(video.frames())


def test_audio_alone_is_a_corrupt_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(CorruptVideoError, match="no video stream"):
        open_video(path)


def test_a_missing_file_is_not_called_corrupt(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_video(tmp_path / "nothing.mp4")


def test_rotation_of_the_container_is_applied(tmp_path: Path) -> None:
    recipe = BY_NAME["h264.mp4"]
    upright = make_video(tmp_path, recipe, "upright.mp4")
    turned = tmp_path / "turned.mp4"
    with av.open(str(upright)) as source, av.open(str(turned), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(90)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    with open_video(turned) as a, open_video(upright) as b:
        assert (a.index().rows[0].width, a.index().rows[0].height) == (120, 160)
        rgb = next(a.fetch([5])).to_rgb()
        plain = next(b.fetch([5])).to_rgb()
        small = next(a.frames(FrameInput(60, 80))).small
    assert np.array_equal(rgb, np.rot90(plain, 1))
    assert small.shape == (80, 60, 3)


def test_iphone_and_mov_with_h265_are_told_to_be_slow(fixture_videos: VideoFolder) -> None:
    with open_video(fixture_videos["h265.mov"]) as video:
        assert "MOV with H.265" in video.info.warnings[0]
        assert "ffmpeg -i" in video.info.warnings[0]
    with open_video(fixture_videos["h265.mp4"]) as video:
        assert video.info.warnings == ()


def test_containers_are_closed_without_the_collector(fixture_videos: VideoFolder) -> None:
    import gc

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc")
    path = fixture_videos["h264.mp4"]
    for _ in range(20):
        open_video(path).close()
    gc.disable()
    try:
        before = resident()
        for _ in range(100):
            with open_video(path) as video:
                next(video.frames())
        assert resident() - before < 20e6
    finally:
        gc.enable()


def test_all_samples_are_decoded_or_have_a_reason(samples: Path) -> None:
    rng = random.Random(0)
    files = sorted(
        p
        for p in samples.rglob("*")
        if p.suffix.lower() in (".mp4", ".mov", ".webm", ".mpg", ".avi")
    )
    for path in rng.sample(files, 25):
        if path.stat().st_size > 600_000:
            continue
        try:
            index = index_of(path)
        except CorruptVideoError:
            continue
        wanted = rng.sample(range(len(index.rows)), min(3, len(index.rows)))
        with open_video(path, index=index) as video:
            assert [f.index for f in video.fetch(wanted)] == wanted, path
