"""Which stream of a file is read, what is said of the others, and of files without pictures."""

import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video import open_video, reasons
from lightly_pipeline.video.isolated import IsolatedVideo
from lightly_pipeline.video.streams import DECODERS, allowed_decoders
from lightly_pipeline_tests.support.streams import (
    Part,
    encrypted_mp4,
    of,
    packed_bitstream,
    scrambled,
    transport_stream,
)
from lightly_pipeline_tests.support.traits import TRAITS_BY_NAME
from lightly_pipeline_tests.support.videos import VideoFolder, make_video, number_of

N_OF_PART = 600
# More than opening looks at, so that nothing is known of the second part by then.


def numbers(source: Any, **options: Any) -> tuple[list[int], tuple[str, ...]]:
    """Returns the numbers in all pictures, and the warnings."""
    with open_video(source, **options) as video:
        shown = [number_of(frame.to_rgb()) for frame in video.frames()]
        return shown, video.info.warnings + video.report.warnings


def reason(source: Any, **options: Any) -> str:
    with pytest.raises(CorruptVideoError) as caught, open_video(source, **options) as video:
        list(video.frames())
    return caught.value.reason


@pytest.mark.parametrize(
    "parts",
    {
        "pid": [Part(), Part(pid=512, version=1)],
        "pid, with sound": [Part(streams="va"), Part(pid=512, version=1, streams="va")],
        "version alone": [Part(streams="va"), Part(version=1, streams="va")],
        "there and back": [Part(), Part(pid=512, version=1), Part(version=2)],
        "h264": [Part(codec="h264.mp4"), Part(pid=300, version=7, codec="h264.mp4")],
    }.values(),
    ids=lambda parts: f"{len(parts)}-{parts[0].codec}-{parts[0].streams}-{parts[1].pid}",
)
def test_a_recorder_may_change_pids_and_tables(tmp_path: Path, parts: list[Part]) -> None:
    path = transport_stream(tmp_path / "recorded.mpg", parts, N_OF_PART)
    with open_video(path) as video:
        shown = [number_of(frame.to_rgb()) for frame in video.frames()]
        report, warnings = video.report, video.info.warnings + video.report.warnings
        wanted = [3, N_OF_PART - 2, N_OF_PART, N_OF_PART + 77]
        fetched = [number_of(frame.to_rgb()) for frame in video.fetch(wanted)]
    assert warnings == ()
    # FFmpeg holds the last packet before a change back to the end, where it cannot be decoded.
    late = {reasons.LATE_PACKET()}
    assert {error.reason for error in report.errors} <= late
    n_all = len(parts) * N_OF_PART
    assert n_all - report.n_errors <= len(shown) <= n_all
    assert report.n_errors <= len(parts)
    whole = iter(number % 2**10 for number in range(n_all))
    assert all(number in whole for number in shown)
    assert fetched == [shown[number] for number in wanted]


@pytest.mark.parametrize(
    "second",
    [
        Part(pid=512, version=1, program=2),
        Part(pid=512, version=1, program=2, streams="va"),
        Part(pid=512, version=1, codec="h264.mp4"),
        Part(pid=512, version=1, streams="av"),
    ],
    ids=["programme", "programme-with-sound", "codec", "order"],
)
def test_what_is_left_of_a_changed_stream_is_named(tmp_path: Path, second: Part) -> None:
    first = Part(streams="va") if second.streams == "av" else Part()
    path = transport_stream(tmp_path / "recorded.mpg", [first, second], N_OF_PART)
    shown, warnings = numbers(path)
    assert N_OF_PART - 3 <= len(shown) < 2 * N_OF_PART
    assert any("of the file, from byte" in warning for warning in warnings)


@pytest.mark.parametrize("second", [Part(pid=512, version=1), Part(512, 1, streams="va")], ids=str)
def test_a_video_may_begin_late(tmp_path: Path, second: Part) -> None:
    parts = [Part(pid=300, streams="a"), second]
    path = transport_stream(tmp_path / "radio.mpg", parts, N_OF_PART)
    shown, warnings = numbers(path)
    assert shown == [number % 2**10 for number in range(N_OF_PART, 2 * N_OF_PART)]
    assert all("hold nothing of the video" in warning for warning in warnings)


@pytest.mark.parametrize("wanted", [None, 0, 1])
def test_several_cameras_in_one_file_are_a_choice(tmp_path: Path, wanted: int | None) -> None:
    path = TRAITS_BY_NAME["two-streams.mp4"].make(tmp_path)
    with open_video(path, video_stream=wanted) as video:
        rows = [frame.row for frame in video.frames()]
        sizes = {(row.width, row.height) for row in rows}
        assert video.report.video_stream == wanted
        assert [f.index for f in video.fetch([5, 2])] == [5, 2]
        warnings = video.info.warnings
    assert sizes == ({(80, 60)} if wanted == 0 else {(160, 120)})
    assert len(rows) == (30 if wanted == 0 else 60)
    if wanted is None:
        (warning,) = warnings
        assert "holds 2 video streams; stream 1 was read" in warning
        assert "pipeline_config.video_stream" in warning
    else:
        assert warnings == ()
    child = IsolatedVideo(path, deadline_s=60, memory_bytes=4 * 1024**3, video_stream=wanted)
    assert [frame.row for frame in child.frames()] == rows


def test_a_stream_that_is_not_there_is_said(tmp_path: Path) -> None:
    path = TRAITS_BY_NAME["two-streams.mp4"].make(tmp_path)
    assert reason(path, video_stream=2) == reasons.NO_SUCH_STREAM(wanted=2, there="it holds 2")


def test_one_video_stream_beside_sound_needs_no_choice(tmp_path: Path) -> None:
    for name in ("with-sound.mp4", "cover-art.mp4"):
        path = TRAITS_BY_NAME[name].make(tmp_path)
        assert numbers(path)[1] == ()


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_every_allowed_decoder_answers_to_its_name(name: str) -> None:
    try:
        answers_as = av.codec.Codec(name, "r").name
    except av.codec.codec.UnknownCodecError:
        pytest.skip("not in this build of FFmpeg")
    assert answers_as in allowed_decoders()


def test_aliases_add_no_decoder_of_another_codec() -> None:
    """Only the two whose names differ; pictures in containers stay out."""
    assert allowed_decoders() - DECODERS == {"camtasia", "camstudio"}
    assert not allowed_decoders() & {"png", "tiff", "jpeg2000", "gif", "webp", "bmp"}


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("name", ["h264.mp4", "prores.mov", "mpeg4.m4v"])
def test_a_recording_that_was_cut_off_is_named(
    fixture_videos: VideoFolder, name: str, share: float
) -> None:
    content = fixture_videos[name].read_bytes()
    index = content.rindex(b"moov") - 4
    assert reason(io.BytesIO(content[: int(index * share)])) == reasons.INDEX_MISSING()
    assert "moov" in reasons.INDEX_MISSING()


def still_only(path: Path, codec: str) -> Path:
    """Sound with a picture."""
    with av.open(str(path), "w") as container:
        cover = container.add_stream(codec, rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "rgb24" if codec == "png" else "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        sound = container.add_stream("aac", rate=8000)
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        picture.pts = 0
        container.mux(cover.encode(picture))
        container.mux(cover.encode(None))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


@pytest.mark.parametrize("codec", ["mjpeg", "png"])
def test_sound_with_a_picture_is_named(tmp_path: Path, codec: str) -> None:
    assert reason(still_only(tmp_path / "song.mp4", codec)) == reasons.ONLY_STILL_PICTURES()


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mov", "h265.mp4", "av1.mp4", "mpeg4.mp4"])
def test_an_encrypted_video_is_named(tmp_path: Path, name: str) -> None:
    recipe = of(name, 30)
    try:
        path = encrypted_mp4(tmp_path / recipe.name, recipe)
    except (av.FFmpegError, ValueError):
        pytest.skip("FFmpeg encrypts no such stream")
    if b"encv" not in path.read_bytes():
        pytest.skip("FFmpeg left it clear")
    assert reason(path) == reasons.ENCRYPTED(how="cenc")


@pytest.mark.parametrize("codec", ["h264.mp4", "mpeg2.mpg", "h265.mp4"])
def test_a_scrambled_transport_stream_is_named(tmp_path: Path, codec: str) -> None:
    clear = transport_stream(tmp_path / "clear.mpg", [Part(codec=codec)], 60)
    content = scrambled(clear.read_bytes())
    assert "encrypted" in reason(io.BytesIO(content))
    assert len(numbers(clear)[0]) == 60


def test_an_apple_double_file_is_named() -> None:
    twin = bytes.fromhex("0005160700020000") + b"Mac OS X        " + bytes(4000)
    assert reason(io.BytesIO(twin)) == reasons.APPLE_DOUBLE()


def test_times_in_avi_never_step_back(tmp_path: Path, fixture_videos: VideoFolder) -> None:
    for path in (packed_bitstream(tmp_path / "packed.avi"), fixture_videos["h264.avi"]):
        with open_video(path) as video:
            rows = [frame.row for frame in video.frames()]
        times = [row.time_s for row in rows]
        assert [row.pts for row in rows] != sorted(row.pts for row in rows)
        assert times == sorted(times)
        # Off by no more than the pictures that wait for each other.
        assert times == pytest.approx([(i + 1) / 25 for i in range(len(rows))], abs=0.13)


def test_a_whole_plain_video_is_read_without_a_word(tmp_path: Path) -> None:
    for name in ("h264.mp4", "mpeg2.mpg", "vp9.webm"):
        assert numbers(make_video(tmp_path, of(name, 20)))[1] == ()
