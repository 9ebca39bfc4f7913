"""Full disks, hostile files and names, and what becomes of runs that were scheduled."""

import json
import re
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightly_pipeline import Dataset, LocalDatasource, run
from lightly_pipeline.api import ApiWorkflowClient, DatasetType, DatasourcePurpose
from lightly_pipeline.errors import StoreFullError
from lightly_pipeline.scheduling.worker import work
from lightly_pipeline_tests.reliability.stores.cases import (
    ALWAYS,
    IMAGE,
)
from lightly_pipeline_tests.reliability.stores.conftest import SECRET, MakeChain
from lightly_pipeline_tests.support.chains import N_SAMPLES, Videos, client_of
from lightly_pipeline_tests.support.faults import Fault
from lightly_pipeline_tests.support.s3_servers import (
    ACCESS_KEY,
)
from lightly_pipeline_tests.support.videos import X264, Recipe, make_video

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
OPTIONS: dict[str, Any] = {
    "worker_config": {"upload_report": False},
    "selection_config": {"n_samples": N_SAMPLES},
}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 100 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=100k", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs root to mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_31_a_full_disk_ends_the_run_and_room_lets_it_go_on(
    make_chain: MakeChain, small_disk: Path
) -> None:
    chain = make_chain()
    dataset = Dataset("chain", input=chain.dataset.input, lightly=LocalDatasource(small_disk))
    with pytest.raises(StoreFullError, match=f"cannot write {small_disk}/.*make room") as caught:
        run(dataset, **OPTIONS)
    assert "\n" not in str(caught.value)
    files = [path for path in small_disk.rglob("*") if path.is_file()]
    assert not [path for path in files if "partial" in path.name or path.name == "manifest.json"]
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    result = run(dataset, **OPTIONS)
    manifest = json.loads(Path(result.manifest).read_text())
    chosen = tuple((i["video"], i["frame_index"], i["sha256"]) for i in manifest["images"])
    assert chosen == chain.truths.of(chain.videos()).chosen


def test_31_a_file_larger_than_a_limit_is_named(make_chain: MakeChain, tmp_path: Path) -> None:
    chain = make_chain()
    for path, content in chain.videos().items():
        (tmp_path / "in" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / path).write_bytes(content)
    arguments = ["run", "--input", "in", "--lightly", "out", "--n-samples", "4"]
    done = subprocess.run(
        [sys.executable, "-m", "lightly_pipeline", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000)),
    )
    assert done.returncode == 1
    assert re.search(r"cannot write .*/out/.*: File too large", done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "out").rglob("manifest.json"))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def test_32_hostile_files_are_recorded_and_reach_nothing(
    make_chain: MakeChain, contents: Videos, listener: socket.socket
) -> None:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/video.ts"
    hostile = {
        "concat.mp4": b"ffconcat version 1.0\nfile 'a.mp4'\n",
        "playlist.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n".encode(),
        "playlist.avi": f"#EXTM3U\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n".encode(),
        "session.mov": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\n"
        b"t=0 0\r\nm=video 5004 RTP/AVP 96\r\n",
        "dash.webm": f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema">{url}</MPD>'.encode(),
        "empty.mpg": b"",
        "zeros.mpeg": bytes(3000),
        "half.mp4": contents["a.mp4"][:900],
    }
    chain = make_chain({**contents, **hostile})
    result = chain.run()
    assert result.corrupt_videos.keys() == {*hostile, "broken.mov"}
    assert all(result.corrupt_videos.values())
    chain.check(result)
    with pytest.raises(BlockingIOError):
        listener.accept()


KEYS = (
    "../../x.mp4",
    "../in.mp4",
    "/abs.mp4",
    "a//b.mp4",
    "a/./b.mp4",
    "a/../b.mp4",
    ".mp4/x.mp4",
    "both.mp4",
    "both.mp4/child.mp4",
    "sp ace+plus%20percent.mp4",
    "quote'\"<&>.mp4",
    "caf\u00e9.mp4",
    "cafe\u0301.mp4",
    "Case.mp4",
    "case.mp4",
    "\u65e5\u672c\u8a9e\U0001f3a5.mp4",
    "-rf.mp4",
    "~/home.mp4",
    "C:\\x.mp4",
    "con.mp4",
    f"{'s' * 250}.mp4",
    f"{'d/' * 300}x.mp4",
)


def test_33_hostile_keys_are_processed_and_nothing_is_written_elsewhere(
    make_chain: MakeChain, tmp_path: Path
) -> None:
    names = {
        f"{number:02d}": make_video(
            tmp_path, Recipe("v.mp4", "libx264", 2, options=X264), seed=number
        ).read_bytes()
        for number in range(len(KEYS))
    }
    chain = make_chain({})
    client, place = client_of(chain.direct), chain.direct
    for key, content in zip(KEYS, names.values(), strict=True):
        client.put_object(Bucket=place.bucket, Key=f"{place.prefix}in/{key}", Body=content)
    folder = tmp_path / "deep" / "out"
    dataset = Dataset("chain", input=chain.dataset.input, lightly=LocalDatasource(folder))
    options = {**OPTIONS, "selection_config": {"n_samples": 2 * len(KEYS)}}
    result = run(dataset, **options)
    failed = {*result.corrupt_videos, *result.failed_videos}
    assert result.n_input_videos == len(KEYS)
    assert not failed
    assert {frame.video for frame in result.selected} == set(KEYS)
    images = {frame.image for frame in result.selected}
    assert len(images) == 2 * len(KEYS)
    stored = {path.resolve() for path in tmp_path.rglob("*.png")}
    assert stored == {(folder / image).resolve() for image in images}
    assert all(path.is_relative_to(folder / ".lightly") for path in stored)
    chain.check_input_untouched()


def test_a_scheduled_run_that_a_store_ends_is_told_and_the_next_one_completes(
    make_chain: MakeChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTLY_PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", (chain := make_chain()).proxy.url)
    client = ApiWorkflowClient()
    client.create_dataset("chain", DatasetType.VIDEOS)
    for folder, purpose in (("in", DatasourcePurpose.INPUT), ("out", DatasourcePurpose.LIGHTLY)):
        place = f"{chain.direct.describe()}{folder}/"
        client.set_s3_config(place, "us-east-1", ACCESS_KEY, SECRET, purpose=purpose)

    def schedule() -> str:
        return str(client.schedule_compute_worker_run(**OPTIONS))

    runs = [schedule(), schedule()]
    chain.proxy.add(Fault("status", IMAGE, times=ALWAYS, status=403, code="AccessDenied"))
    assert not work(client._deployment, once=True)
    for run_id in runs:
        info = client.get_compute_worker_run_info(run_id)
        assert info.state == "FAILED"
        assert "the credentials do not allow it" in info.message
        assert SECRET not in info.message
    assert {r.id for r in client.get_compute_worker_runs()} == set(runs)
    chain.proxy.clear()
    runs.append(schedule())
    assert work(client._deployment, once=True)
    assert client.get_compute_worker_run_info(runs[-1]).ended_successfully()
    assert {r.id for r in client.get_compute_worker_runs()} == set(runs)
    chain.check_images()
