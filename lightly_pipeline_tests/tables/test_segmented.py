"""A long video's table made of segments is that of one pass, and a killed run goes on with them."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lightly_pipeline.datasources import LocalDatasource
from lightly_pipeline.embedding import NO_ENCODER, load_encoder
from lightly_pipeline.tables.build import TableBuilder
from lightly_pipeline.tables.frames import FRAMES_FILE
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline.threads import ContextThreadPool
from lightly_pipeline.video import reasons
from lightly_pipeline.video.quality import meter
from lightly_pipeline.video.segments import SegmentLength
from lightly_pipeline_tests.support.long_streams import FPS, N_FRAMES, LongStream, long_stream
from lightly_pipeline_tests.support.noise import make_noise
from lightly_pipeline_tests.support.s3_servers import make_bucket, store_at
from lightly_pipeline_tests.support.traits import remux
from lightly_pipeline_tests.tables import segments
from lightly_pipeline_tests.tables.segments import (
    ANY_LENGTH,
    NO_LENGTH,
    Listener,
    compared,
    table_of,
)
from lightly_pipeline_tests.video.test_samples import expected_frames

PLAIN = replace(long_stream(0), codec="h264", container="mp4", gop=20, is_open=False, n_between=2)
PLAIN = replace(PLAIN, forced=frozenset(), times="regular", shows="bars", damage="none")
# The numbers of frames begin anew every 30 seconds, so that segments can begin there.
IN_SEGMENT = 30 * FPS


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return PLAIN.make(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "stream",
    [
        PLAIN,
        replace(PLAIN, container="mkv"),
        replace(PLAIN, times="late", shows="flat"),
        replace(PLAIN, codec="h265", gop=33, is_open=True),
        replace(PLAIN, codec="h265", container="mkv", is_open=True),
        replace(PLAIN, codec="vp9", container="webm"),
        replace(PLAIN, codec="av1", times="variable"),
        replace(PLAIN, codec="prores", container="mov", shows="flat"),
    ],
    ids=lambda stream: f"{stream.codec}.{stream.container}",
)
def test_the_table_is_that_of_one_pass(stream: LongStream, tmp_path: Path) -> None:
    table = compared(stream.make(tmp_path))
    assert table.n_segments > 1
    assert table.one_pass_because is None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_the_table_of_any_stream_is_that_of_one_pass(seed: int, tmp_path: Path) -> None:
    compared(long_stream(seed).make(tmp_path))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_tables_of_all_samples_are_those_of_one_pass(
    samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter, "PERIOD_S", 1)
    tables = [
        compared(samples / name, SegmentLength(1, 1))
        for name, n_frames in expected_frames(samples).items()
        if n_frames <= 2000
    ]
    assert sum(table.n_segments > 0 and table.one_pass_because is None for table in tables) >= 10


@pytest.mark.parametrize("damage", ["zeros", "lost packets"])
def test_a_damaged_video_goes_back_to_one_pass_and_says_so(damage: str, tmp_path: Path) -> None:
    stream = replace(PLAIN, damage=damage, seed=3)
    table = compared(stream.make(tmp_path))
    assert table.one_pass_because is not None
    assert table.outcome["corrupt_samples"]


def test_without_an_encoder_segments_make_the_same_table_too(plain: Path) -> None:
    table = compared(plain, encoder=load_encoder(NO_ENCODER))
    assert table.n_segments > 1
    assert table.files[0] == compared(plain).files[0]


def test_parameters_that_change_in_mid_stream_send_it_back_to_one_pass(tmp_path: Path) -> None:
    stream = replace(PLAIN, is_open=True, forced=frozenset())
    table = compared(stream.make(tmp_path))
    # Where each group refers to the one before, decoding can start nowhere.
    assert table.one_pass_because == reasons.BEGINS_IN_GROUP()


def builder(path: Path, store: Path, length: SegmentLength = ANY_LENGTH) -> TableBuilder:
    return TableBuilder(
        LocalDatasource(path.parent),
        LocalDatasource(store),
        lambda: segments._ENCODER,
        "id",
        "ffmpeg",
        segment_length=length,
    )


def build(
    tables: TableBuilder, name: str, on_frames: Callable[[int], object], n_threads: int = 1
) -> VideoOutcome:
    video = tables.source.stat(name)
    assert video is not None
    with ContextThreadPool(n_threads) as pool:
        return tables.build(video, Listener(on_frames), pool.spare)  # type: ignore[arg-type]


def killed(path: Path, store: Path, when_stored: int) -> None:
    """Builds a table in a process that kills itself when so many segments are stored."""
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from lightly_pipeline_tests.tables.test_segmented import build, builder\n"
        "path, store, wanted = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])\n"
        "def on_frames(n):\n"
        "    stored = [f for f in store.rglob('*.zip')]\n"
        "    if len(stored) >= wanted:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "build(builder(path, store), path.name, on_frames)\n"
    )
    command = [sys.executable, "-c", code, str(path), str(store), str(when_stored)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL


def test_a_killed_run_goes_on_with_the_segments_that_are_done(plain: Path, tmp_path: Path) -> None:
    # Each is killed in the segment after.
    for n_stored in (1, 2):
        killed(plain, tmp_path, n_stored)
    counts: list[int] = []
    outcome = build(builder(plain, tmp_path), plain.name, counts.append)
    # Counted in steps of 16.
    assert sum(counts) <= N_FRAMES - 2 * IN_SEGMENT + 32
    assert (outcome.n_frames, outcome.isolated) == (N_FRAMES, False)
    whole = table_of(plain, tmp_path / "whole", NO_LENGTH)
    (frames,) = (f for f in tmp_path.rglob(FRAMES_FILE) if "whole" not in f.parts)
    assert frames.read_bytes() == whole.files[0]
    # What is not needed any more takes no room.
    assert not any(f.stat().st_size for f in tmp_path.rglob("*.zip"))


def test_a_segment_that_crashes_twice_goes_to_a_child_process(plain: Path, tmp_path: Path) -> None:
    for _ in range(2):
        killed(plain, tmp_path, 1)
    outcome = build(builder(plain, tmp_path), plain.name, lambda _: None)
    assert (outcome.n_frames, outcome.isolated) == (N_FRAMES, True)


def test_segments_of_another_version_or_cut_off_are_made_again(plain: Path, tmp_path: Path) -> None:
    killed(plain, tmp_path, 2)
    first, second = sorted(tmp_path.rglob("*.zip"))
    first.write_bytes(second.read_bytes())
    second.write_bytes(second.read_bytes()[:500])
    counts: list[int] = []
    build(builder(plain, tmp_path), plain.name, counts.append)
    assert sum(counts) >= N_FRAMES


def test_free_threads_help(plain: Path, tmp_path: Path) -> None:
    seen: set[int] = set()
    several = threading.Event()

    def on_frames(n: int) -> None:
        seen.add(threading.get_ident())
        if len(seen) > 1:
            several.set()
        several.wait(60)

    outcome = build(builder(plain, tmp_path), plain.name, on_frames, n_threads=2)
    assert outcome.n_frames == N_FRAMES
    assert several.is_set()


def test_an_interrupt_ends_all_threads(plain: Path, tmp_path: Path) -> None:
    class StoppedError(BaseException):
        pass

    def on_frames(n: int) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        build(builder(plain, tmp_path), plain.name, on_frames, n_threads=2)
    assert build(builder(plain, tmp_path), plain.name, lambda _: None).n_frames == N_FRAMES


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seventy pictures of a quarter of a megabyte, a second each; the index lies behind them."""
    path = tmp_path_factory.mktemp("noise") / "last.mov"
    ten_bits = "yuv422p10le"
    return make_noise(path, 70, "mov", "prores_aw", fps=1, pixel_format=ten_bits, size=(416, 320))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["first.mov", "last.mov"])
def test_a_bucket_is_asked_for_hardly_more_than_by_one_pass(
    endpoint: str, noise: Path, name: str, tmp_path: Path
) -> None:
    options = {"movflags": "faststart"} if name == "first.mov" else {}
    remux(noise, tmp_path / name, mux_options=options)
    make_bucket(endpoint, "segments")
    bucket = store_at(endpoint, "s3://segments/")
    size = (tmp_path / name).stat().st_size
    assert size > 10_000_000
    bucket.write(name, (tmp_path / name).read_bytes())
    costs = []
    # Two segments of 7 and 9 MB: about the smallest that there are.
    for place, length in enumerate((NO_LENGTH, SegmentLength(30, 6 * 1024 * 1024))):
        tables = replace(builder(tmp_path / name, tmp_path / str(place), length), source=bucket)
        outcome = build(tables, name, lambda _: None, n_threads=2)
        assert outcome.n_frames == 70
        costs.append(outcome.bytes_read)
    assert any((tmp_path / "1").rglob("*.zip"))
    assert costs[1] <= 1.05 * costs[0]
