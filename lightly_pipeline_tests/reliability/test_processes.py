"""A run that is killed, or asked to end, at any step: the next one ends as if nothing had been."""

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightly_pipeline import Dataset, RunResult, run
from lightly_pipeline.runs.verification import verify_run
from lightly_pipeline_tests.support.commands import SOON_S, command, proxied_bucket
from lightly_pipeline_tests.support.faults import Fault, FaultyStore
from lightly_pipeline_tests.support.s3_servers import store_at
from lightly_pipeline_tests.support.videos import BY_NAME, make_video

BUCKET = "killed"
N_VIDEOS, N_SAMPLES = 4, 12
SELECTION = {"n_samples": N_SAMPLES}
# A request that only this step makes, and how many of its kind go well before.
STEPS = {
    "listing": ("GET /killed/?\\?.*prefix=in", 0),
    "decoding": ("GET /killed/in/", 5),
    "table written, outcome not": ("PUT .*/outcome.json", 1),
    "selection": ("PUT .*/selection.json", 0),
    "some images stored": ("PUT .*/frames/", 4),
    "all images stored, no manifest": ("PUT .*/manifest.json", 0),
    "manifest, no tag": ("PUT .*/tags/", 0),
    "report": ("PUT .*/report.html", 0),
}

pytestmark = [pytest.mark.slow, pytest.mark.integration]


@pytest.fixture(scope="module")
def proxy(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyStore]:
    """A proxy in front of a store with some videos."""
    with proxied_bucket(endpoint, BUCKET) as (store, bucket):
        folder = tmp_path_factory.mktemp("killed")
        for i in range(N_VIDEOS):
            video = make_video(folder, BY_NAME["h264.mp4"], f"{i}.mp4", seed=i)
            bucket.upload_file(str(video), f"in/{video.name}")
        yield store


@pytest.fixture(scope="module")
def reference(proxy: FaultyStore) -> RunResult:
    """An undisturbed run."""
    return run(dataset(proxy, "reference"), selection_config=SELECTION)


def dataset(proxy: FaultyStore, name: str) -> Dataset:
    return Dataset(
        name,
        input=store_at(proxy.url, f"s3://{BUCKET}/in/"),
        lightly=store_at(proxy.url, f"s3://{BUCKET}/{name}/"),
    )


def documents(data: Dataset, ending: str) -> dict[str, Any]:
    paths = [item.path for item in data.lightly.list(".lightly/") if item.path.endswith(ending)]
    return {path: json.loads(data.lightly.read(path)) for path in paths}


def run_ids(data: Dataset) -> list[str]:
    inside = [item.path.split("/") for item in data.lightly.list(".lightly/runs/")]
    return sorted({parts[2] for parts in inside if len(parts) > 3})


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_a_run_that_ends_at_any_step_is_completed_by_the_next(
    proxy: FaultyStore, reference: RunResult, step: str, number: signal.Signals
) -> None:
    proxy.clear()
    data = dataset(proxy, f"{number.name.lower()}_{list(STEPS).index(step)}")
    match, n_before = STEPS[step]
    is_kill = number is signal.SIGKILL
    released = threading.Event()
    # What a killed process has asked for does not arrive; one that is asked to end has its answer.
    held = Fault("hang", match, skip=n_before)
    if not is_kill:
        held = Fault("first", match, skip=n_before, action=lambda: released.wait(SOON_S))
    proxy.add(held)
    places = [f"s3://{BUCKET}/in/", f"s3://{BUCKET}/{data.name}/"]
    arguments = ["--input", places[0], "--lightly", places[1], "--n-samples", str(N_SAMPLES)]
    with command("run", *arguments) as process:
        process.until(lambda: not held.times)
        process.signal(number)
        released.set()
        assert process.ended(SOON_S) == (-number if is_kill else 128 + number)
    if not is_kill:
        (line,) = [words for words in process.errors.splitlines() if "interrupted" in words]
        assert "run the same command again" in line
        assert "Traceback" not in process.errors
    proxy.clear()

    n_complete = len(documents(data, "/outcome.json"))
    manifests = documents(data, "/manifest.json")
    assert all(verify_run(data.lightly, path.split("/")[2]).is_true for path in manifests)
    # As a scheduler does, which starts a run of its own again under the id that it had.
    again = run(data, selection_config=SELECTION, run_id=next(iter(run_ids(data)), None))
    assert [frame.image for frame in again.selected] == [f.image for f in reference.selected]
    assert hashes(again, data) == hashes(reference, dataset(proxy, "reference"))
    assert again.n_decoded_videos == N_VIDEOS - n_complete
    assert verify_run(data.lightly, again.run_id).is_true
    assert len(documents(data, "/manifest.json")) == 1
    assert len(list(data.lightly.list(".lightly/tags/"))) == 1


def hashes(result: RunResult, data: Dataset) -> list[str]:
    manifest = documents(data, f"/{result.run_id}/manifest.json")
    return [image["sha256"] for document in manifest.values() for image in document["images"]]


def test_a_killed_run_in_a_folder_leaves_no_partial_file_to_the_next(
    tmp_path: Path, reference: RunResult
) -> None:
    long = make_video(tmp_path / "in", BY_NAME["h265.hevc"], "long.hevc", seed=1)
    long.write_bytes(long.read_bytes() * 60)
    out = tmp_path / "out"
    with command("run", "--input", str(tmp_path / "in"), "--lightly", str(out)) as process:
        process.until(lambda: list(out.glob(".lightly/tables/*/*/*/.lightly-partial-*")))
        process.signal(signal.SIGKILL)
        process.ended()
    assert list(out.rglob(".lightly-partial-*"))
    with command("run", "--input", str(tmp_path / "in"), "--lightly", str(out)) as process:
        assert process.ended() == 0, process.errors
    left = [path.name for path in out.rglob(".lightly-partial-*")]
    assert set(left) <= {".lightly-partial-lock"}
