"""Workers execute what clients in other processes schedule, whatever happens to either."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from lightly_pipeline.api import ApiWorkflowClient, DatasetType, DatasourcePurpose
from lightly_pipeline.scheduling import database as database_module
from lightly_pipeline.scheduling.scheduled_run import EXPIRY_MS
from lightly_pipeline_tests.support.clients import BY_NAME, add_dataset
from lightly_pipeline_tests.support.page_script import BUCKET, REGION, page_script
from lightly_pipeline_tests.support.s3_servers import (
    ACCESS_KEY,
    SECRET_KEY,
    has_swift,
    swift_server,
)
from lightly_pipeline_tests.support.videos import make_video

WAIT_S = 600
SCHEDULE = """
import sys
from lightly_pipeline.api import ApiWorkflowClient
for number in range(5):
    for name in ("first set", "second set"):
        client = ApiWorkflowClient(token="any")
        client.set_dataset_id_by_name(name)
        amount = int(sys.argv[1]) + number
        print(client.schedule_compute_worker_run(selection_config={"n_samples": amount}), amount)
"""

pytestmark = pytest.mark.integration


@contextmanager
def worker(*arguments: str, environment: dict[str, str] | None = None) -> Iterator[Any]:
    """A worker in a process of its own; it must end well when it is told to."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lightly_pipeline", "worker", *arguments],
        env={**os.environ, **(environment or {})},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)


def until(true: Callable[[], bool], interval_s: float = 0.02) -> None:
    while not true():
        time.sleep(interval_s)


@pytest.fixture
def long_client(tmp_path: Path) -> ApiWorkflowClient:
    """A client with a video that takes a moment."""
    recipe = replace(BY_NAME["mpeg4.avi"], n_frames=2500)
    make_video(tmp_path / "in", recipe, "long.avi")
    client = ApiWorkflowClient()
    add_dataset(client, "long one", tmp_path / "in", tmp_path / "out")
    return client


@pytest.mark.usefixtures("state")
def test_two_clients_schedule_twenty_runs_on_two_datasets_at_once(
    client: ApiWorkflowClient, videos: Path, tmp_path: Path
) -> None:
    for name in ("first set", "second set"):
        add_dataset(client, name, videos, tmp_path / name)
    with worker() as one, worker() as two:
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", SCHEDULE, start], stdout=subprocess.PIPE, text=True
            )
            for start in ("1", "21")
        ]
        asked = dict(
            line.split() for process in processes for line in process.communicate()[0].splitlines()
        )
        assert len(asked) == 20
        for run_id in asked:
            assert client.wait_for_run(run_id, timeout_s=WAIT_S).ended_successfully()
    assert (one.returncode, two.returncode) == (0, 0)
    found = {}
    for name, dataset in (("first set", "first__20set"), ("second set", "second__20set")):
        folder = tmp_path / name / ".lightly" / "runs"
        runs = [run.name for run in folder.iterdir() if run.is_dir()]
        assert len(runs) == 10
        for run_id in runs:
            text = (folder / run_id / "manifest.json").read_text()
            manifest = json.loads(text)
            assert manifest["dataset"] == dataset
            found[run_id] = str(len(manifest["images"]))
    assert found == asked
    # Every run had one executor, and a dataset one run at a time.
    for run in client.get_compute_worker_runs():
        _, changes, _ = client._deployment.queue.watch(run.id, 0)
        assert [info.state for info in changes].count("STARTED") == 1


def test_a_worker_that_is_stopped_gives_its_run_back(long_client: ApiWorkflowClient) -> None:
    run_id = long_client.schedule_compute_worker_run(selection_config={"n_samples": 5})
    with worker() as process:
        until(lambda: long_client.get_compute_worker_run_info(run_id).state == "EMBEDDING")
        process.terminate()
        process.wait(60)
    info = long_client.get_compute_worker_run_info(run_id)
    assert info.state == "OPEN"
    assert "was stopped; waiting to be taken by another one" in info.message
    assert long_client.wait_for_run(run_id, run_in_process=True).ended_successfully()


@pytest.mark.usefixtures("state")
def test_the_run_of_a_killed_worker_is_taken_by_another_one(
    long_client: ApiWorkflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = long_client.schedule_compute_worker_run(selection_config={"n_samples": 5})
    with worker() as process:
        until(lambda: long_client.get_compute_worker_run_info(run_id).state == "EMBEDDING")
        process.kill()
    assert long_client.get_compute_worker_run_info(run_id).state == "EMBEDDING"
    # A minute and a half later ...
    later = database_module.now_ms() + EXPIRY_MS + 60_000
    monkeypatch.setattr(database_module, "now_ms", lambda: later)
    _, run = long_client._deployment.queue.claim(run_id, "another one")
    assert run is not None
    assert run.silences == 1


def test_a_worker_ends_when_nothing_is_left_and_says_whether_all_went_well(
    client: ApiWorkflowClient, tmp_path: Path
) -> None:
    good = client.schedule_compute_worker_run(selection_config={"n_samples": 5})
    labelled = client.schedule_compute_worker_run(runs_on=["gpu"])
    with worker("--once") as process:
        assert process.wait(WAIT_S) == 0
    assert client.get_compute_worker_run_info(good).ended_successfully()
    assert client.get_compute_worker_run_info(labelled).state == "OPEN"
    client.set_local_config(str(tmp_path / "nowhere"), purpose=DatasourcePurpose.INPUT)
    with worker("--once", "--labels", "berlin, gpu") as process:
        assert process.wait(WAIT_S) == 1
    assert client.get_compute_worker_run_info(labelled).state == "FAILED"


def test_a_worker_ends_after_a_run_that_asks_for_it(client: ApiWorkflowClient) -> None:
    stop = {"shutdown_when_job_finished": True}
    first = client.schedule_compute_worker_run(stop, selection_config={"n_samples": 5})
    second = client.schedule_compute_worker_run()
    with worker() as process:
        assert process.wait(WAIT_S) == 0
    assert client.get_compute_worker_run_info(first).ended_successfully()
    assert client.get_compute_worker_run_info(second).state == "OPEN"


@pytest.fixture
def store(tmp_path: Path, videos: Path) -> Iterator[dict[str, str]]:
    """Environment that leads to a store with the page's bucket; it holds no credentials."""
    if not has_swift():
        pytest.skip("Swift is not installed (Linux only)")
    (tmp_path / "swift").mkdir()
    with swift_server(tmp_path / "swift", REGION) as url:
        bucket = s3(url)
        bucket.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        for file in videos.rglob("*.*"):
            bucket.upload_file(str(file), BUCKET, f"input/{file.relative_to(videos)}")
        yield {"AWS_ENDPOINT_URL_S3": url}


def s3(url: str) -> Any:
    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
    return boto3.client("s3", endpoint_url=url, region_name=REGION, **keys)


def test_the_page_s_script_with_a_worker(
    store: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with worker(environment=store):
        done = subprocess.run(
            [sys.executable, "-c", page_script()],
            capture_output=True,
            text=True,
            env={**os.environ, **store},
            timeout=WAIT_S,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    states = [line.split()[0] for line in done.stdout.splitlines()]
    assert states.count("COMPLETED") == 2
    assert states[-1] == "COMPLETED"
    listed = s3(store["AWS_ENDPOINT_URL_S3"]).list_objects_v2(
        Bucket=BUCKET, Prefix="lightly/.lightly/frames/"
    )
    images = {item["Key"].removeprefix("lightly/.lightly/frames/") for item in listed["Contents"]}
    assert len(images) == 50
    assert all(image.endswith(".png") for image in images)

    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", store["AWS_ENDPOINT_URL_S3"])
    client = ApiWorkflowClient()
    client.set_dataset_id_by_name("dataset-name")
    exported = client.export_filenames_and_read_urls_by_tag_name("initial-tag")
    assert {row["fileName"] for row in exported} == images
    assert exported[0]["datasourceUrl"].startswith("s3://bucket/lightly/.lightly/frames/")
    with urllib.request.urlopen(exported[0]["readUrl"], timeout=30) as answer:
        assert answer.read(8) == b"\x89PNG\r\n\x1a\n"
    outside = [f for f in home.rglob("*") if f.is_file() and f.parent.name != "credentials"]
    assert not any(SECRET_KEY.encode() in file.read_bytes() for file in outside)
    assert SECRET_KEY not in done.stdout + done.stderr

    # With the wrong key the run fails and says so, without showing any.
    client.create_dataset("wrong key", DatasetType.VIDEOS)
    for purpose in (DatasourcePurpose.INPUT, DatasourcePurpose.LIGHTLY):
        client.set_s3_config("s3://bucket/input/", REGION, ACCESS_KEY, "no-secret", purpose=purpose)
    run_id = client.schedule_compute_worker_run()
    info = client.wait_for_run(run_id, run_in_process=True)
    assert info.state == "FAILED"
    assert "the secret key does not belong to the access key" in info.message
    assert "no-secret" not in info.message
