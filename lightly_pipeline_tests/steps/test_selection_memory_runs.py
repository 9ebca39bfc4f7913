"""Runs that hold embeddings in half the memory choose the same frames, as a user runs them."""

import json
import logging
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lightly_pipeline import Dataset, RunResult, build_definitions, run
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.selection.vectors import matrix
from lightly_pipeline_tests.support.selections import (
    DIVERSITY,
    chosen,
    local_dataset,
    selection,
    strategy,
)

pytestmark = pytest.mark.slow

HALF = {"selection_memory": "half"}
SHARP = {"type": "METADATA", "key": "lightly.sharpness"}
APART = strategy("DIVERSITY", {"type": "EMBEDDINGS"}, stopping_condition_minimum_distance=0.2)
CASES: dict[str, dict[str, Any]] = {
    "diverse": {"selection_config": selection(30)},
    "all of them": {"selection_config": selection(120)},
    "apart": {"selection_config": selection(120, APART)},
    "diverse and sharp": {"selection_config": selection(40, DIVERSITY, strategy("WEIGHTS", SHARP))},
    "typical": {
        "selection_config": selection(20, strategy("TYPICALITY", {"type": "EMBEDDINGS"})),
    },
    "any length": {
        "selection_config": selection(30),
        "worker_config": {"normalize_embeddings": False},
    },
    "sequences": {
        "selection_config": selection(20),
        "worker_config": {"selected_sequence_length": 5},
    },
    "every 4th": {
        "selection_config": selection(20),
        "pipeline_config": {"approximate_diversity": {"every_nth": 4}},
    },
}


@pytest.fixture
def dataset(prepared_folder: Path) -> Dataset:
    return local_dataset(prepared_folder)


def in_half(dataset: Dataset, blocks: dict[str, Any]) -> RunResult:
    own = {**blocks.get("pipeline_config", {}), **HALF}
    return run(dataset, **{**blocks, "pipeline_config": own})


@pytest.mark.parametrize("blocks", CASES.values(), ids=CASES.keys())
def test_the_same_frames_are_chosen(
    dataset: Dataset, blocks: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    full = run(dataset, **blocks)
    with caplog.at_level(logging.INFO):
        half = in_half(dataset, blocks)
    assert chosen(half) == chosen(full)
    assert half.summary == full.summary
    assert f"are kept in a file in {tempfile.gettempdir()}" in caplog.text


def test_frames_of_a_datapool_count_as_chosen(prepared_folder: Path, dataset: Dataset) -> None:
    again = {"use_datapool": True, "datasource": {"process_all": True}}
    blocks = {"worker_config": again, "selection_config": selection(10)}
    first, second = in_half(dataset, blocks), in_half(dataset, blocks)
    at_once = run(dataset, selection_config=selection(20))
    assert chosen(first) + chosen(second) == chosen(at_once)
    assert second.summary["n_preselected"] == 10


def test_without_copies_too_and_no_file_is_left_behind(
    prepared_folder: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy2(prepared_folder / "in" / "a.mp4", prepared_folder / "in" / "z copy.mp4")
    blocks = {
        "selection_config": selection(60),
        "pipeline_config": {"remove_exact_duplicates": True},
    }
    full = run(dataset, **blocks)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "empty"))
    Path(tempfile.gettempdir()).mkdir()
    half = in_half(dataset, blocks)
    assert half.summary["duplicates"]["n_duplicates"] == 40
    assert chosen(half) == chosen(full)
    assert list(Path(tempfile.gettempdir()).iterdir()) == []


def test_a_disk_without_room_ends_the_run_with_what_to_do(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk = matrix.shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(matrix.shutil, "disk_usage", lambda _: full_disk)
    with pytest.raises(LightlyPipelineError, match=r"120 embeddings.*set TMPDIR to a folder on a"):
        in_half(dataset, {"selection_config": selection(5)})


def test_other_words_are_refused(dataset: Dataset) -> None:
    with pytest.raises(InvalidConfigurationError, match="selection_memory"):
        run(dataset, pipeline_config={"selection_memory": "quarter"})


def test_the_command_line_reads_it_from_yaml(prepared_folder: Path) -> None:
    config = prepared_folder / "config.yaml"
    config.write_text("pipeline_config:\n  selection_memory: half\n")
    folders = ["--input", str(prepared_folder / "in"), "--lightly", str(prepared_folder / "out")]
    subprocess.run(
        [
            *(sys.executable, "-m", "lightly_pipeline", "run", *folders),
            *("--n-samples", "5", "--config", str(config)),
        ],
        capture_output=True,
        check=True,
    )
    manifest = next((prepared_folder / "out" / ".lightly" / "runs").glob("*/manifest.json"))
    own = json.loads(manifest.read_text())["config"]["pipeline_config"]
    assert own["selection_memory"] == "half"


def test_it_is_filled_in_at_launch_in_dagster(
    dataset: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    blocks = {"selection_config": selection(8), "pipeline_config": HALF}
    resources = {name: {"config": block} for name, block in blocks.items()}
    with dg.DagsterInstance.ephemeral() as instance, caplog.at_level(logging.INFO):
        job = build_definitions(dataset).resolve_job_def("test_run_job")
        assert job.execute_in_process(
            run_config={"resources": resources}, instance=instance
        ).success
    assert "are kept in a file in" in caplog.text
