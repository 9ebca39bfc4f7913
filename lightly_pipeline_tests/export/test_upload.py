"""The chosen frames of one long video are fetched by several readers at once."""

from dataclasses import replace
from pathlib import Path

import pytest

from lightly_pipeline import Dataset, LocalDatasource
from lightly_pipeline.runs.result import RunResult
from lightly_pipeline.steps.listing import list_catalog
from lightly_pipeline.steps.processing import process_videos
from lightly_pipeline.steps.selecting import select_frames
from lightly_pipeline.steps.setup import Run, resolve_config
from lightly_pipeline.steps.uploading import upload_frames
from lightly_pipeline.video import plan
from lightly_pipeline_tests.support.noise import make_noise
from lightly_pipeline_tests.support.s3_servers import make_bucket, store_at
from lightly_pipeline_tests.support.selections import selection

pytestmark = pytest.mark.slow


def images_of(store: Path) -> dict[str, bytes]:
    folder = store / ".lightly" / "frames"
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*.png")}


def test_parts_of_a_video_give_the_same_images_and_read_no_more(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bucket(endpoint, "parts")
    bucket = store_at(endpoint, "s3://parts/")
    video = make_noise(tmp_path / "noise.mp4", 72, n_pictures=72)
    assert video.stat().st_size > 30_000_000
    bucket.write("noise.mp4", video.read_bytes())
    dataset = Dataset("d", input=bucket, lightly=LocalDatasource(tmp_path / "one"))
    config = resolve_config(dataset, {"num_threads": 2}, None, selection(5))
    run = Run(dataset, config, "r")
    processed = process_videos(run, list_catalog(run))
    select_frames(run, processed)
    whole = upload_frames(run).result
    monkeypatch.setattr(plan, "_PART_FRAMES", 5)
    parts = _again(run, tmp_path / "one", tmp_path / "two")
    assert parts.n_selected == whole.n_selected == 5
    assert images_of(tmp_path / "two") == images_of(tmp_path / "one")
    assert parts.requests > whole.requests
    assert parts.bytes_read <= 1.05 * whole.bytes_read + 256 * 1024


def _again(run: Run, done: Path, empty: Path) -> RunResult:
    """Uploads the images of a run once more, to where there are none yet."""
    for file in done.rglob("*"):
        name = file.relative_to(done)
        if file.is_file() and "frames" not in name.parts and file.name != "images.json":
            (empty / name).parent.mkdir(parents=True, exist_ok=True)
            (empty / name).write_bytes(file.read_bytes())
    return upload_frames(
        replace(run, dataset=replace(run.dataset, lightly=LocalDatasource(empty)))
    ).result
