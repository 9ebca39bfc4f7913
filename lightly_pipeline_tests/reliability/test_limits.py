"""What a machine refuses: memory, room on its disks, and a clock that stays as it was."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest

from lightly_pipeline import Dataset, LocalDatasource, RunResult, run
from lightly_pipeline_tests.support.clock import JumpingClock, can_jump
from lightly_pipeline_tests.support.commands import command
from lightly_pipeline_tests.support.dead_attempts import leave_dead_attempt
from lightly_pipeline_tests.support.videos import BY_NAME, make_video

N_SAMPLES = 6
BIG = (7680, 4320)
# A run over small videos, then one with a large one and little address space more than is used.
TWO_RUNS = """
import resource, shutil, sys
from lightly_pipeline import Dataset, LocalDatasource, run
source, target, big = sys.argv[1:]
data = Dataset("limits", input=LocalDatasource(source), lightly=LocalDatasource(target))
run(data, selection_config={"n_samples": 6})
shutil.move(big, source)
pages = int(open("/proc/self/statm").read().split()[0])
size = pages * resource.getpagesize() + (40 << 20)
resource.setrlimit(resource.RLIMIT_AS, (size, size))
run(data, selection_config={"n_samples": 6})
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    for i in range(3):
        make_video(tmp_path / "in", BY_NAME["h264.mp4"], f"{i}.mp4", seed=i)
    return tmp_path / "in"


def dataset(videos: Path, out: Path) -> Dataset:
    return Dataset("limits", input=LocalDatasource(videos), lightly=LocalDatasource(out))


def arguments(videos: Path, out: Path) -> list[str]:
    places = ["--input", str(videos), "--lightly", str(out)]
    return ["run", *places, "--n-samples", str(N_SAMPLES)]


def again(videos: Path, out: Path) -> RunResult:
    return run(dataset(videos, out), selection_config={"n_samples": N_SAMPLES})


def images(result: RunResult) -> list[str]:
    return [frame.image for frame in result.selected]


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A folder with so much room; skips where nobody may mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_results_disk_is_named_and_nothing_is_lost(videos: Path, tmp_path: Path) -> None:
    reference = again(videos, tmp_path / "reference")
    with small_disk(tmp_path / "out", 100) as out:
        with command(*arguments(videos, out)) as process:
            assert process.ended() == 1
        said = [words for words in process.errors.splitlines() if "No space left" in words]
        assert all(str(out) in line and "make room, and run again" in line for line in said)
        # Not a line for every video.
        assert not [line for line in said if line.startswith("warning")]
        assert not list(out.rglob(".lightly-partial-[!l]*"))
        subprocess.run(["mount", "-o", "remount,size=20m", str(out)], check=True)
        assert images(again(videos, out)) == images(reference)


def test_a_full_temporary_disk_is_named(videos: Path, tmp_path: Path) -> None:
    leave_dead_attempt(dataset(videos, tmp_path / "out"), "0.mp4")
    with small_disk(tmp_path / "temporary", 4) as temporary:
        environment = {"TMPDIR": str(temporary)}
        with command(*arguments(videos, tmp_path / "out"), environment=environment) as process:
            assert process.ended() == 1
        assert f"{temporary}/" in process.errors
        assert "(TMPDIR)" in process.errors
        assert "make room, and run again" in process.errors
        assert not list(temporary.iterdir())
    reference = again(videos, tmp_path / "reference")
    assert images(again(videos, tmp_path / "out")) == images(reference)


def test_files_that_may_not_grow_end_the_run_with_their_name(videos: Path, tmp_path: Path) -> None:
    bounds = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (8192, 8192))"
    with command(*arguments(videos, tmp_path / "out"), bounds=bounds) as process:
        assert process.ended() == 1
    assert "Traceback" not in process.errors
    assert str(tmp_path / "out") in process.errors
    assert "File too large" in process.errors
    reference = again(videos, tmp_path / "reference")
    assert images(again(videos, tmp_path / "out")) == images(reference)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="bounds memory on Linux")
def test_a_video_for_which_memory_is_short_is_not_called_corrupt(
    videos: Path, tmp_path: Path
) -> None:
    out, big = tmp_path / "out", make_grey_video(tmp_path / "big.avi")
    script = [sys.executable, "-c", TWO_RUNS, str(videos), str(out), str(big)]
    # One arena: each thread would reserve one of its own.
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert "DatasourceError: could not process 1 of the videos" in done.stderr
    assert f"{big.name}: there was not enough memory for it" in done.stderr
    # Where there is enough, nothing is held against the video.
    result = again(videos, out)
    assert result.n_decoded_videos == 1
    assert not result.corrupt_videos


def make_grey_video(path: Path) -> Path:
    """Encodes two large pictures of one colour, which is soon done."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, options={"threads": "1"})
        stream.width, stream.height, stream.pix_fmt = *BIG, "yuv420p"
        for number in range(2):
            frame = av.VideoFrame(*BIG, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([128]) * plane.buffer_size)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_child_that_the_system_kills_costs_its_video_alone(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    video = make_video(videos, BY_NAME["h265.hevc"], "long.hevc", seed=1)
    video.write_bytes(video.read_bytes() * 200)
    leave_dead_attempt(dataset(videos, out), video.name)
    with command(*arguments(videos, out)) as process:
        process.until(process.children)
        for child in process.children():
            os.kill(child.pid, signal.SIGKILL)
        assert process.ended() == 0, process.errors
    result = again(videos, out)
    assert list(result.corrupt_videos) == [video.name]
    assert "signal 9" in result.corrupt_videos[video.name]
    assert result.n_selected == N_SAMPLES


def test_a_child_that_is_asked_to_end_says_nothing_about_its_video(
    videos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    video = make_video(videos, BY_NAME["h265.hevc"], "long.hevc", seed=1)
    video.write_bytes(video.read_bytes() * 100)
    leave_dead_attempt(dataset(videos, out), video.name)
    with command(*arguments(videos, out)) as process:
        process.until(process.children)
        for child in process.children():
            child.terminate()
        assert process.ended() == 1
    assert "ended from outside (SIGTERM)" in process.errors
    assert not again(videos, out).corrupt_videos


@pytest.mark.skipif(not can_jump(), reason="needs Linux and a C compiler")
@pytest.mark.parametrize("hours", [2, -2])
def test_a_clock_that_is_set_in_mid_run_changes_nothing(
    videos: Path, tmp_path: Path, hours: int
) -> None:
    video = make_video(videos, BY_NAME["h265.hevc"], "long.hevc", seed=1)
    video.write_bytes(video.read_bytes() * 60)
    clock, out = JumpingClock(tmp_path / "clock"), tmp_path / "out"
    with command(*arguments(videos, out), environment=clock.environment) as process:
        process.until(lambda: list(out.glob(".lightly/tables/*/*/*/.lightly-partial-*")))
        clock.jump(hours * 3600)
        assert process.ended() == 0, process.errors
    # The next run is one of the true time.
    result = again(videos, out)
    assert images(result) == images(again(videos, tmp_path / "reference"))
    assert result.n_decoded_videos == 0
    assert [path.stem for path in sorted(out.glob(".lightly/tags/*"))] == [
        "initial-tag",
        "tag-0002",
    ]


@pytest.mark.parametrize("hours", [2, -2])
def test_a_beat_by_a_clock_that_is_wrong_keeps_no_video_from_being_read(
    videos: Path, tmp_path: Path, hours: int
) -> None:
    data = dataset(videos, tmp_path / "out")
    leave_dead_attempt(data, "0.mp4", hours=hours, is_second=False)
    result = run(data, selection_config={"n_samples": N_SAMPLES})
    assert images(result) == images(again(videos, tmp_path / "reference"))
