"""Damaged videos: what is good is kept, what is missing is told, the same every time."""

import io
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import av.logging
import pytest

from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video import DecodedFrame, DecodeLimits, DecodeReport, FrameInput, open_video
from lightly_pipeline.video.messages import MessageCapture
from lightly_pipeline_tests.support.videos import BY_NAME, Recipe, make_video, number_of

pytestmark = pytest.mark.slow

N = 60
WHOLE: dict[str, Recipe] = {
    "faststart.mp4": replace(
        BY_NAME["h264.mp4"], n_frames=N, mux_options={"movflags": "faststart"}
    ),
    "fragmented.mp4": replace(
        BY_NAME["h264.mp4"], n_frames=N, mux_options={"movflags": "frag_keyframe+empty_moov"}
    ),
    "h265.mov": replace(BY_NAME["h265.mov"], n_frames=N, mux_options={"movflags": "faststart"}),
    "prores.mov": replace(BY_NAME["prores.mov"], n_frames=N, mux_options={"movflags": "faststart"}),
    "vp8.webm": replace(BY_NAME["vp8.webm"], n_frames=N),
    "vp9.webm": replace(BY_NAME["vp9.webm"], n_frames=N),
    "av1.webm": replace(BY_NAME["av1.webm"], n_frames=N),
    "mpeg4.avi": replace(BY_NAME["mpeg4.avi"], n_frames=N),
    "mpeg2.mpg": replace(BY_NAME["mpeg2.mpg"], n_frames=N),
    "h264.ts": replace(BY_NAME["h264.mp4"], n_frames=N),
    "h265.hevc": replace(BY_NAME["h265.hevc"], n_frames=N),
}
# MPEG and raw streams say nowhere how long they are.
KNOWS_ITS_LENGTH = ("mp4", "mov", "webm", "avi")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    folder = tmp_path_factory.mktemp("whole")
    contents: dict[str, bytes] = {}

    def content_of(name: str) -> bytes:
        if name not in contents:
            contents[name] = make_video(folder, WHOLE[name], name).read_bytes()
        return contents[name]

    return content_of


def cut(content: bytes) -> bytes:
    return content[: len(content) * 6 // 10]


def with_hole(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(600) + content[middle + 600 :]


def decoded(content: bytes) -> tuple[list[DecodedFrame], DecodeReport]:
    with open_video(io.BytesIO(content)) as video:
        return list(video.frames(FrameInput(160, 120, "bicubic"))), video.report


@pytest.mark.parametrize("name", WHOLE)
def test_a_truncated_video_keeps_its_good_frames(whole: Callable[[str], bytes], name: str) -> None:
    frames, report = decoded(cut(whole(name)))
    assert 5 < len(frames) < 45
    numbers = [number_of(f.small) for f in frames]
    assert numbers[:-2] == list(range(len(frames) - 2))
    assert report.damaged
    assert report.truncated == name.endswith(KNOWS_ITS_LENGTH)
    if report.truncated:
        assert "truncated" in report.corrupt_samples("a/b.mp4")["a/b.mp4 (end)"]


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_video_is_not_called_damaged(whole: Callable[[str], bytes], name: str) -> None:
    frames, report = decoded(whole(name))
    assert len(frames) == N
    assert not report.damaged
    assert report.corrupt_samples(name) == {}


@pytest.mark.parametrize("name", [n for n in WHOLE if n != "h265.mov"])
def test_frames_around_a_hole_are_kept_and_fetched_exactly(
    whole: Callable[[str], bytes], name: str
) -> None:
    content = with_hole(whole(name))
    frames, _ = decoded(content)
    numbers = [number_of(f.small) for f in frames]
    assert numbers[:4] == [0, 1, 2, 3]
    assert numbers[-8:] == list(range(N - 8, N))
    with open_video(io.BytesIO(content)) as video:
        wanted = [len(frames) - 1, 0, len(frames) // 2, len(frames) // 2 + 1]
        fetched = list(video.fetch(wanted))
    assert [f.index for f in fetched] == wanted
    assert [number_of(f.to_rgb()) for f in fetched] == [numbers[i] for i in wanted]


def test_missing_frames_are_a_gap_that_is_named(whole: Callable[[str], bytes]) -> None:
    frames, report = decoded(with_hole(whole("vp9.webm")))
    numbers = [number_of(f.small) for f in frames]
    (gap,) = report.gaps
    assert numbers[: gap.after + 1] == list(range(gap.after + 1))
    assert numbers[gap.after + 1] == gap.after + 1 + gap.n_missing
    assert gap.duration_s == pytest.approx((gap.n_missing + 1) / 25, abs=0.002)
    samples = report.corrupt_samples("v.webm")
    assert f"{gap.n_missing} frames missing" in samples[f"v.webm (after frame {gap.after})"]


def test_an_undecodable_packet_is_named_with_its_reason(whole: Callable[[str], bytes]) -> None:
    _, report = decoded(with_hole(whole("fragmented.mp4")))
    assert report.n_errors == 4
    assert [error.packet for error in report.errors] == [25, 26, 27, 28]
    assert {error.reason for error in report.errors} == {"Invalid data found when processing input"}
    assert report.gaps
    assert any("packet 25" in place for place in report.corrupt_samples("v.mp4"))


def test_pictures_with_parts_missing_carry_the_decoders_flag(
    whole: Callable[[str], bytes],
) -> None:
    frames, report = decoded(with_hole(whole("faststart.mp4")))
    assert [f.row.corrupt for f in frames].count(True) == report.n_flagged == 1


def test_messages_hold_nothing_that_differs_between_repetitions(
    whole: Callable[[str], bytes],
) -> None:
    _, report = decoded(cut(whole("faststart.mp4")))
    assert report.messages == {
        "h264: Invalid NAL unit size (# > #).": 1,
        "h264: missing picture in access unit with size #": 1,
        "mov,mp4,m4a,3gp,3g2,mj2: stream #, offset #: partial file": 1,
    }


def test_a_file_that_says_ever_new_things_fills_no_report() -> None:
    messages: Counter[str] = Counter()
    with MessageCapture(messages):
        for number in range(200):
            text = "".join("abcdefghij"[int(digit)] for digit in str(number))
            av.logging.log(av.logging.ERROR, "decoder", f"no {text} at {number}, 0x{number:x}")
    assert len(messages) == 51
    assert messages["other messages"] == 150
    assert messages["decoder: no b at #, #"] == 1


def test_two_damaged_videos_in_two_threads_give_the_same_reports_twenty_times(
    whole: Callable[[str], bytes],
) -> None:
    contents = [cut(whole("faststart.mp4")), with_hole(whole("mpeg2.mpg"))]
    alone = [decoded(content)[1] for content in contents]
    assert all(report.messages for report in alone)
    together: list[list[DecodeReport]] = [[], []]

    def decode(place: int) -> None:
        for _ in range(20):
            together[place].append(decoded(contents[place])[1])

    threads = [threading.Thread(target=decode, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place, report in enumerate(alone):
        assert together[place] == [report] * 20


def test_what_a_video_ended_with_is_not_missing_from_the_next(
    whole: Callable[[str], bytes],
) -> None:
    """PyAV leaves out a message that equals the last one, whatever video that was of."""
    content = cut(whole("vp9.webm"))
    reports = [decoded(content)[1] for _ in range(3)]
    assert reports[0].truncated
    assert reports[0] == reports[1] == reports[2]


def test_nothing_is_printed(whole: Callable[[str], bytes], tmp_path: Path) -> None:
    paths = []
    for name in ("faststart.mp4", "vp9.webm", "mpeg2.mpg", "h264.ts"):
        for change in (cut, with_hole):
            paths.append(tmp_path / f"{change.__name__}-{name}")
            paths[-1].write_bytes(change(whole(name)))
    paths.append(tmp_path / "text.mp4")
    paths[-1].write_text("no video")
    script = (
        "import sys\n"
        "from lightly_pipeline.errors import CorruptVideoError\n"
        "from lightly_pipeline.video import FrameInput, open_video\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n"
        "        with open_video(path) as video:\n"
        "            n = sum(1 for _ in video.frames(FrameInput(64, 64)))\n"
        "            list(video.fetch([n - 1, 0, n // 2]))\n"
        "    except CorruptVideoError:\n"
        "        pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, paths)],
        capture_output=True,
        check=True,
        env=os.environ,
    )
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_stream_of_undecodable_packets_is_given_up(whole: Callable[[str], bytes]) -> None:
    content = with_hole(whole("fragmented.mp4"))
    limits = DecodeLimits(max_errors_in_a_row=3)
    with open_video(io.BytesIO(content), limits=limits) as video:
        frames = list(video.frames())
        assert video.report.errors[-1].reason == "given up after 3 undecodable packets in a row"
    assert 20 < len(frames) < N


def test_a_video_without_frames_says_what_was_there(whole: Callable[[str], bytes]) -> None:
    content = whole("fragmented.mp4")
    header_only = content[: content.index(b"moof") - 4]
    with pytest.raises(CorruptVideoError, match=r"no frames \(0 packets, 0 errors"):
        decoded(header_only)
