"""A child process decodes the same, and its death is an outcome."""

import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from lightly_pipeline.errors import CorruptVideoError, FrameChangedError
from lightly_pipeline.video import FrameIndex, FrameInput, open_video
from lightly_pipeline.video.isolated import IsolatedVideo
from lightly_pipeline_tests.support.decoders import decoding_children
from lightly_pipeline_tests.support.videos import Recipe, VideoFolder, make_video

pytestmark = pytest.mark.slow

GIB = 1024**3


def isolated(
    path: Path,
    deadline_s: float = 60,
    memory_bytes: int = 4 * GIB,
    index: FrameIndex | None = None,
) -> IsolatedVideo:
    return IsolatedVideo(path, deadline_s=deadline_s, memory_bytes=memory_bytes, index=index)


def test_a_child_gives_the_same_frames_report_and_pictures(fixture_videos: VideoFolder) -> None:
    path = fixture_videos["h264.mp4"]
    wanted = FrameInput(64, 64)
    with open_video(path) as plain, isolated(path) as child:
        here, there = list(plain.frames(wanted)), list(child.frames(wanted))
        assert [f.row for f in here] == [f.row for f in there]
        assert all(np.array_equal(a.small, b.small) for a, b in zip(here, there, strict=True))
        assert (plain.info, plain.report) == (child.info, child.report)
        mine = {f.index: f.to_rgb() for f in plain.fetch([33, 3])}
        theirs = {f.index: f.to_rgb() for f in child.fetch([33, 3])}
    assert list(mine) == list(theirs) == [33, 3]
    assert all(np.array_equal(mine[i], theirs[i]) for i in mine)


def test_reasons_come_through(fixture_videos: VideoFolder, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(CorruptVideoError, match="cannot be opened"), isolated(text) as child:
        list(child.frames())
    a, b = fixture_videos["h264.mp4"], fixture_videos["vp9.webm"]
    with open_video(a) as video:
        index = video.index()
    with pytest.raises(FrameChangedError), isolated(b, index=index) as child:
        list(child.fetch([5]))


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = Recipe("long.avi", "mpeg4", 1500, options={"g": "12"})
    return make_video(tmp_path_factory.mktemp("long"), recipe)


def test_a_decoder_that_never_ends_is_stopped(long_video: Path) -> None:
    with pytest.raises(CorruptVideoError, match="decoding exceeded 0 s"):
        list(isolated(long_video, deadline_s=0.3).frames(FrameInput(640, 640, "bicubic")))


def test_a_child_does_not_pay_for_what_is_done_with_its_frames(
    fixture_videos: VideoFolder,
) -> None:
    started = time.monotonic()
    list(isolated(fixture_videos["h264.mp4"]).frames())
    deadline_s = 2 * (time.monotonic() - started) + 1
    for frame in isolated(fixture_videos["h264.mp4"], deadline_s=deadline_s).frames():
        if frame.index == 5:
            time.sleep(deadline_s + 0.1)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="makes a pipe")
def test_a_file_that_never_answers_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    os.mkfifo(path)
    with pytest.raises(CorruptVideoError, match="decoding exceeded 1 s"):
        list(isolated(path, deadline_s=1).frames())


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the child in /proc")
def test_a_decoder_that_hangs_without_working_is_stopped(long_video: Path) -> None:
    frames = isolated(long_video, deadline_s=3).frames(FrameInput(640, 640))
    next(frames)
    for child in decoding_children():
        child.suspend()
    with pytest.raises(CorruptVideoError, match="decoding exceeded 3 s"):
        list(frames)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the child in /proc")
def test_a_decoder_over_its_processor_time_is_said_to_take_too_long(long_video: Path) -> None:
    frames = isolated(long_video, deadline_s=40).frames(FrameInput(640, 640, "bicubic"))
    next(frames)
    for child in decoding_children():
        _, hard = resource.prlimit(child.pid, resource.RLIMIT_CPU)
        resource.prlimit(child.pid, resource.RLIMIT_CPU, (1, hard))
    with pytest.raises(CorruptVideoError, match="decoding exceeded 40 s"):
        list(frames)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the child in /proc")
def test_a_decoder_that_dies_is_named_with_its_signal(long_video: Path) -> None:
    frames = isolated(long_video).frames(FrameInput(640, 640))
    next(frames)
    for child in decoding_children():
        child.send_signal(signal.SIGSEGV)
    with pytest.raises(CorruptVideoError, match=r"decoder crashed \(signal 11\)"):
        list(frames)


@pytest.mark.skipif(not Path("/proc").exists(), reason="address space is bounded on Linux")
def test_a_decoder_that_asks_for_too_much_memory_is_stopped(long_video: Path) -> None:
    with pytest.raises(CorruptVideoError, match=r"crashed|memory"):
        list(isolated(long_video, memory_bytes=64 * 1024**2).frames(FrameInput(64, 64)))
