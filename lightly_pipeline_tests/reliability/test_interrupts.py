"""Ctrl-C ends every command soon, with one line and exit code 130, whatever it waits for.

Whatever is waited for here lasts longer than the tests wait for the end.
"""

import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightly_pipeline import Dataset, LocalDatasource
from lightly_pipeline_tests.support.commands import (
    SOON_S,
    Command,
    all_gone,
    command,
    proxied_bucket,
)
from lightly_pipeline_tests.support.dead_attempts import leave_dead_attempt
from lightly_pipeline_tests.support.faults import Fault, FaultyStore
from lightly_pipeline_tests.support.videos import BY_NAME, make_video

BUCKET = "interrupted"
PLACES = ("--input", f"s3://{BUCKET}/in/", "--lightly", f"s3://{BUCKET}/out/")
LINE = "run the same command again to go on where it stopped"

pytestmark = [pytest.mark.slow, pytest.mark.integration]


@pytest.fixture(scope="module")
def proxy(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyStore]:
    """A proxy in front of a store with one video."""
    with proxied_bucket(endpoint, BUCKET) as (store, bucket):
        video = make_video(tmp_path_factory.mktemp("in"), BY_NAME["h264.mp4"], "a.mp4")
        bucket.upload_file(str(video), "in/a.mp4")
        yield store


@pytest.fixture
def long_video(tmp_path: Path) -> Path:
    """The folder of a video that takes minutes."""
    video = make_video(tmp_path / "in", BY_NAME["h265.hevc"], "long.hevc", seed=1)
    video.write_bytes(video.read_bytes() * 800)
    return tmp_path / "in"


def interrupted(process: Command, *, times: int = 1) -> None:
    """Presses Ctrl-C and looks at the end: soon, one line, the exit code, no child left."""
    children = process.children()
    for _ in range(times):
        process.signal(signal.SIGINT, group=True)
    assert process.ended(SOON_S) == 130, process.errors
    assert all_gone(children)
    said = process.errors.splitlines()
    assert sum(LINE in line for line in said) == 1, process.errors
    assert "Traceback" not in process.errors
    assert "KeyboardInterrupt" not in process.errors


@pytest.mark.parametrize("times", [1, 2])
def test_inside_a_long_decode(long_video: Path, tmp_path: Path, times: int) -> None:
    out = tmp_path / "out"
    with command("run", "--input", str(long_video), "--lightly", str(out)) as process:
        process.until(lambda: list(out.glob(".lightly/tables/*/*/*/.lightly-partial-*")))
        interrupted(process, times=times)
    assert not list(out.rglob("outcome.json"))


HELD = {
    "while listing": "GET /interrupted/?\\?",
    "while a video is read": "GET /interrupted/in/",
    "while a table is stored": "PUT .*/outcome.json",
    "while images are stored": "PUT .*/frames/",
    "while the report is stored": "PUT .*/report.html",
}


@pytest.mark.parametrize("match", HELD.values(), ids=HELD.keys())
def test_while_a_store_never_answers(proxy: FaultyStore, match: str) -> None:
    proxy.clear()
    held = Fault("hang", match, times=100)
    proxy.add(held)
    with command("run", *PLACES, "--n-samples", "4") as process:
        process.until(lambda: held.times < 100)
        interrupted(process)
    proxy.clear()


def test_while_a_failing_store_is_tried_again(proxy: FaultyStore) -> None:
    proxy.clear()
    refused = Fault("status", "GET /interrupted/in/", times=1000)
    # Once the first look at the store is over, and an attempt at the video has begun.
    proxy.add(Fault("first", "PUT .*attempt.json", action=lambda: proxy.add(refused)))
    with command("run", *PLACES[:2], "--lightly", f"s3://{BUCKET}/refused/") as process:
        process.until(lambda: refused.times < 997)
        interrupted(process)
    # It was not cut off: the next attempt begins as if there had been none.
    assert proxy.count("PUT .*attempt.json") == 2
    proxy.clear()


def test_while_a_child_decodes_which_says_nothing_about_the_video(
    long_video: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    data = Dataset("a", input=LocalDatasource(long_video), lightly=LocalDatasource(out))
    leave_dead_attempt(data, "long.hevc")
    with command("run", "--input", str(long_video), "--lightly", str(out)) as process:
        process.until(lambda: list(out.glob(".lightly/tables/*/*/*/.lightly-partial-*")))
        process.until(process.children)
        interrupted(process)
    assert not list(out.rglob("outcome.json"))


def test_a_child_ends_with_a_parent_that_is_killed(long_video: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    data = Dataset("a", input=LocalDatasource(long_video), lightly=LocalDatasource(out))
    leave_dead_attempt(data, "long.hevc")
    with command("run", "--input", str(long_video), "--lightly", str(out)) as process:
        process.until(process.children)
        children = process.children()
        process.signal(signal.SIGKILL)
        process.ended()
        assert all_gone(children)


def test_while_frames_are_exported(proxy: FaultyStore, tmp_path: Path) -> None:
    proxy.clear()
    with command("run", *PLACES, "--n-samples", "4") as process:
        assert process.ended() == 0, process.errors
    held = Fault("hang", "GET .*/frames/", times=100)
    proxy.add(held)
    arguments = ["--to", "coco", "--tag", "initial-tag", "--out", str(tmp_path / "coco")]
    with command("export", *arguments, *PLACES[2:]) as process:
        process.until(lambda: held.times < 100)
        interrupted(process)
    proxy.clear()


def test_while_weights_are_fetched(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked, is_over = threading.Event(), threading.Event()

        def take() -> None:
            with silent.accept()[0]:
                asked.set()
                is_over.wait(600)

        threading.Thread(target=take, daemon=True).start()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        proxies = {"https_proxy": url, "HTTPS_PROXY": url, "TORCH_HOME": str(tmp_path)}
        with command("encoder", "fetch", "resnet18", environment=proxies) as process:
            process.until(asked.is_set)
            interrupted(process)
        is_over.set()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_worker_that_waits_for_runs(tmp_path: Path, number: int, code: int) -> None:
    home = {"LIGHTLY_PIPELINE_HOME": str(tmp_path / "home")}
    with command("worker", environment=home) as process:
        process.until(lambda: list((tmp_path / "home").glob("*.sqlite")))
        process.signal(number, group=True)
        assert process.ended(SOON_S) == code
    assert "Traceback" not in process.errors
    assert process.errors.count("stopped; a run in progress was given back") == 1
