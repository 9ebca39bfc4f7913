"""Sensor, automation and daemon do by themselves what a person would press buttons for."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lightly_pipeline import Dataset, LocalDatasource
from lightly_pipeline_tests.support.dagster_server import IMPATIENT, ROOT, Dagster, running_dagster
from lightly_pipeline_tests.support.stores import refuse_table
from lightly_pipeline_tests.support.videos import RECIPES, make_video

BY_NAME = {recipe.name: recipe for recipe in RECIPES}
WAIT_S = 400

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1500)]


@pytest.fixture
def street(tmp_path: Path) -> Dataset:
    """Two good videos, listed by nobody yet, and one whose table the store refuses."""
    make_video(tmp_path / "in", BY_NAME["h264.mp4"], "a.mp4", seed=1)
    make_video(tmp_path / "in", BY_NAME["cinepak.avi"], "b.avi", seed=2)
    make_video(tmp_path / "in", BY_NAME["vp9.webm"], "hopeless.webm", seed=3)
    dataset = Dataset(
        "street", input=LocalDatasource(tmp_path / "in"), lightly=LocalDatasource(tmp_path / "out")
    )
    refuse_table(dataset, "hopeless.webm")
    return dataset


@pytest.fixture
def dagster(street: Dataset, tmp_path: Path) -> Iterator[Dagster]:
    if not (ROOT / "workspace.yaml").exists():
        pytest.skip("not in a checkout")
    (tmp_path / "datasets.yaml").write_text(
        "datasets:\n  street:\n    input: in\n    lightly: out\n    automation: true\n"
        "    selection_config: {n_samples: 6}\n"
    )
    short = {**IMPATIENT, "LIGHTLY_PIPELINE_TICK_SECONDS": "5"}
    with running_dagster(tmp_path / "home", tmp_path / "datasets.yaml", short) as deployment:
        yield deployment


def manifests(dataset: Dataset) -> list[dict[str, Any]]:
    """The manifests of all runs, oldest first."""
    paths = Path(dataset.lightly.describe()).glob(".lightly/runs/*/manifest.json")
    return [json.loads(path.read_text()) for path in sorted(paths, key=os.path.getmtime)]


def tables(dataset: Dataset) -> dict[str, int]:
    """When each video's table was completed."""
    paths = Path(dataset.lightly.describe()).glob(".lightly/tables/*/*/*/outcome.json")
    return {json.loads(path.read_text())["video"]: path.stat().st_mtime_ns for path in paths}


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {WAIT_S} s: {what}"
        time.sleep(1)


def past_the_hour() -> None:
    """Waits where the next hour is about to begin: hopeless videos are tried again then."""
    left = 3600 - time.time() % 3600
    if left < 120:
        time.sleep(left + 90)


def run_count(dagster: Dagster) -> int:
    count: int = dagster.ask("{ runsOrError { ... on Runs { count } } }")["runsOrError"]["count"]
    return count


def test_new_and_replaced_videos_are_processed_and_then_selected_once(
    dagster: Dagster, street: Dataset
) -> None:
    eventually(lambda: len(manifests(street)) == 1, "a selection of what was there at the start")
    first = manifests(street)[0]
    assert {image["video"] for image in first["images"]} == {"a.mp4", "b.avi"}
    assert set(first["failed_videos"]) == {"hopeless.webm"}
    before = tables(street)

    folder = Path(street.input.describe())
    make_video(folder, BY_NAME["mpeg2.mpg"], "new.mpg", seed=8)
    make_video(folder, BY_NAME["h264.mp4"], "a.mp4", seed=9)
    eventually(lambda: len(manifests(street)) == 2, "a selection after one new and one replaced")
    after = tables(street)
    assert set(after) == {"a.mp4", "b.avi", "new.mpg"}
    assert after["b.avi"] == before["b.avi"]
    assert after["a.mp4"] > before["a.mp4"]

    # Nothing changes, and a listing that finds nothing new starts nothing.
    past_the_hour()
    assert dagster.ended(dagster.launch("street_catalog_job", {})) == "SUCCESS"
    n_runs = run_count(dagster)
    time.sleep(25)
    assert run_count(dagster) == n_runs
    assert len(manifests(street)) == 2
