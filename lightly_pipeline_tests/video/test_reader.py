"""Every promised container and codec: all frames once, the same frames again."""

import io
import os
import random
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from lightly_pipeline.errors import CorruptVideoError, FrameChangedError
from lightly_pipeline.video import DecodeLimits, FrameIndex, FrameInput, FrameRow, open_video
from lightly_pipeline_tests.support.videos import FPS, RECIPES, Recipe, make_video, number_of

BY_NAME = {recipe.name: recipe for recipe in RECIPES}


def rows_of(path: Path) -> tuple[list[FrameRow], FrameIndex]:
    with open_video(path) as video:
        rows = [frame.row for frame in video.frames()]
        return rows, FrameIndex.from_table(rows, video.report.as_dict())


@pytest.mark.parametrize("name", BY_NAME)
def test_all_frames_come_once_in_presentation_order(
    fixture_videos: dict[str, Path], name: str
) -> None:
    recipe = BY_NAME[name]
    with open_video(fixture_videos[name]) as video:
        frames = list(video.frames(FrameInput(*recipe.size, "bicubic")))
        assert not video.report.damaged
    assert [f.row.index for f in frames] == list(range(recipe.n_frames))
    assert [number_of(f.small) for f in frames] == list(range(recipe.n_frames))
    assert {(f.row.width, f.row.height) for f in frames} == {recipe.size}


@pytest.mark.parametrize("name", BY_NAME)
def test_time_is_the_files_own_or_absent(fixture_videos: dict[str, Path], name: str) -> None:
    rows, _ = rows_of(fixture_videos[name])
    if not BY_NAME[name].has_pts:
        assert {(row.pts, row.time_s) for row in rows} == {(None, None)}
        return
    times = [row.time_s - rows[0].time_s for row in rows]
    if name == "h264_in.avi":
        # AVI has no presentation times: what its demuxer gives runs backwards with B-frames.
        times.sort()
    assert times == pytest.approx([i / FPS for i in range(len(rows))], abs=1.5 / FPS)


@pytest.mark.parametrize("name", BY_NAME)
def test_any_set_of_frames_is_fetched_exactly(fixture_videos: dict[str, Path], name: str) -> None:
    path = fixture_videos[name]
    rows, index = rows_of(path)
    rng = random.Random(name)
    with open_video(path) as video:
        for size in (1, 1, 3, 8, len(rows)):
            wanted = sorted(rng.sample(range(len(rows)), size))
            fetched = list(video.fetch([rows[i] for i in wanted], index))
            assert sorted(f.index for f in fetched) == wanted
            assert all(number_of(f.to_rgb()) == f.index for f in fetched)


def test_fetched_pixels_are_those_of_sequential_decoding(fixture_videos: dict[str, Path]) -> None:
    path = fixture_videos["h264.mp4"]
    rows, index = rows_of(path)
    flags = "BICUBIC"
    with av.open(str(path)) as container, open_video(path) as video:
        from av.video.reformatter import Interpolation, VideoReformatter

        accurate = Interpolation[flags] | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
        reformatter = VideoReformatter()
        fetched = {f.index: f.to_rgb() for f in video.fetch(rows, index)}
        for number, frame in enumerate(container.decode(video=0)):
            plain = reformatter.reformat(frame, format="rgb24", interpolation=accurate)
            assert np.array_equal(fetched[number], plain.to_ndarray())


def test_seeking_serves_ordinary_files(fixture_videos: dict[str, Path]) -> None:
    for name in ("h264.mp4", "h264.mov", "h264_one_key.mp4", "vp9.webm", "h265.mp4"):
        rows, index = rows_of(fixture_videos[name])
        with open_video(fixture_videos[name]) as video:
            assert {f.rung for f in video.fetch([rows[30], rows[5]], index)} == {"seek"}


def test_a_changed_file_is_an_error_and_never_another_picture(tmp_path: Path) -> None:
    first = make_video(tmp_path, BY_NAME["h264.mp4"], "a.mp4", seed=1)
    other = make_video(tmp_path, BY_NAME["h264.mp4"], "b.mp4", seed=2)
    rows, index = rows_of(first)
    with open_video(other) as video, pytest.raises(FrameChangedError, match="frames 3, 7"):
        list(video.fetch([rows[7], rows[3]], index))


def test_a_reader_without_name_serves_like_a_path(fixture_videos: dict[str, Path]) -> None:
    path = fixture_videos["h264.mp4"]
    rows, index = rows_of(path)
    source = io.BytesIO(path.read_bytes())
    with open_video(source) as video:
        assert [f.row for f in video.frames()] == rows
        assert [f.index for f in video.fetch([rows[9]], index)] == [9]


def test_an_error_of_the_reader_is_not_called_corruption(fixture_videos: dict[str, Path]) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 8000:
                raise ConnectionResetError("the store went away")
            return super().read(min(size or 0, 4096))

    source = Failing(fixture_videos["h264_10bit.mp4"].read_bytes() * 2)
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
    fixture_videos: dict[str, Path],
) -> None:
    limits = DecodeLimits(max_pixels=100 * 100)
    with (
        pytest.raises(CorruptVideoError),
        open_video(fixture_videos["h264.mp4"], limits=limits) as v,
    ):
        list(v.frames())


def test_an_endless_stream_is_bounded(fixture_videos: dict[str, Path]) -> None:
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
    rows, index = rows_of(turned)
    assert (rows[0].width, rows[0].height) == (120, 160)
    with open_video(turned) as a, open_video(upright) as b:
        rgb = next(a.fetch([rows[5]], index)).to_rgb()
        plain_rows, plain_index = rows_of(upright)
        plain = next(b.fetch([plain_rows[5]], plain_index)).to_rgb()
        small = next(a.frames(FrameInput(60, 80))).small
    assert np.array_equal(rgb, np.rot90(plain, 1))
    assert small.shape == (80, 60, 3)


def test_iphone_and_mov_with_h265_are_told_to_be_slow(fixture_videos: dict[str, Path]) -> None:
    with open_video(fixture_videos["h265.mov"]) as video:
        assert "MOV with H.265" in video.info.warnings[0]
        assert "ffmpeg -i" in video.info.warnings[0]
    with open_video(fixture_videos["h265.mp4"]) as video:
        assert video.info.warnings == ()


def test_containers_are_closed_without_the_collector(fixture_videos: dict[str, Path]) -> None:
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
            rows, index = rows_of(path)
        except CorruptVideoError:
            continue
        wanted = rng.sample(range(len(rows)), min(3, len(rows)))
        with open_video(path) as video:
            fetched = {f.index for f in video.fetch([rows[i] for i in wanted], index)}
        assert fetched == set(wanted), path
