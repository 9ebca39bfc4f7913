"""Runs that choose diverse frames from a part of all, as a user runs them."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from lightly_pipeline import Dataset, RunResult, build_definitions, run
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline_tests.support.selections import (
    DIVERSITY,
    N_FRAMES,
    VIDEOS,
    chosen,
    local_dataset,
    selection,
    strategy,
    vectors_of,
)

pytestmark = pytest.mark.slow

EVERY_4TH = {"approximate_diversity": {"every_nth": 4}}


@pytest.fixture
def dataset(prepared_folder: Path) -> Dataset:
    return local_dataset(prepared_folder)


def choose(dataset: Dataset, n: int, own: dict[str, Any], **worker: Any) -> RunResult:
    return run(dataset, worker_config=worker, selection_config=selection(n), pipeline_config=own)


def radius(folder: Path, frames: list[tuple[str, int]]) -> float:
    everything = vectors_of(folder, [(v, i) for v in VIDEOS for i in range(N_FRAMES)])
    pairs = np.linalg.norm(everything[:, None] - vectors_of(folder, frames)[None], axis=2)
    return float(pairs.min(axis=1).max())


@pytest.mark.parametrize(
    "how",
    [{"every_nth": 4}, {"shard_size": 50}, {"shard_size": 50, "picks_per_shard": 5}],
    ids=["every 4th", "shards", "shards of few picks"],
)
def test_no_frame_is_farther_from_a_chosen_one_than_the_manifest_says(
    prepared_folder: Path, dataset: Dataset, how: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        result = choose(dataset, 8, {"approximate_diversity": how})
    manifest = json.loads(Path(result.manifest).read_text())
    bound = manifest["summary"]["coverage_bound"]
    assert result.n_selected == 8
    assert radius(prepared_folder, chosen(result)) <= bound + 1e-6
    assert manifest["config"]["pipeline_config"]["approximate_diversity"] == how
    assert f"nothing is farther than {bound:.4g}" in caplog.text
    if "every_nth" in how:
        assert all(index % 4 == 0 for _, index in chosen(result))


def test_every_frame_is_the_exact_choice_which_has_no_bound(dataset: Dataset) -> None:
    exact = choose(dataset, 8, {})
    assert exact.summary["coverage_bound"] is None
    same = choose(dataset, 8, {"approximate_diversity": {"every_nth": 1}})
    assert chosen(same) == chosen(exact)
    assert same.summary["coverage_bound"] == exact.summary["coverage_radius"]


def test_frames_of_a_datapool_count_and_are_not_chosen_again(
    prepared_folder: Path, dataset: Dataset
) -> None:
    again = {"use_datapool": True, "datasource": {"process_all": True}}
    first = choose(dataset, 6, {}, **again)
    second = choose(dataset, 6, EVERY_4TH, **again)
    assert not set(chosen(first)) & set(chosen(second))
    assert second.summary["n_preselected"] == 6
    everything = chosen(first) + chosen(second)
    assert radius(prepared_folder, everything) <= second.summary["coverage_bound"] + 1e-6


def test_with_sequences_every_nth_is_of_sequences(dataset: Dataset) -> None:
    result = choose(dataset, 20, EVERY_4TH, selected_sequence_length=5)
    starts = [VIDEOS.index(video) * N_FRAMES + index for video, index in chosen(result)[::5]]
    assert len(starts) == 4
    assert all(start % 20 == 0 for start in starts)
    assert result.summary["coverage_radius"] <= result.summary["coverage_bound"]


def test_other_strategies_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    random = strategy("WEIGHTS", {"type": "RANDOM"})
    with pytest.raises(InvalidConfigurationError, match="approximate_diversity goes with DIVERS"):
        run(
            local_dataset(tmp_path),
            selection_config=selection(5, DIVERSITY, random),
            pipeline_config=EVERY_4TH,
        )


def test_the_command_line_reads_it_from_yaml_and_prints_the_bound(prepared_folder: Path) -> None:
    config = prepared_folder / "config.yaml"
    config.write_text("pipeline_config:\n  approximate_diversity: {shard_size: 50}\n")
    folders = ["--input", str(prepared_folder / "in"), "--lightly", str(prepared_folder / "out")]
    options = ["--n-samples", "5", "--config", str(config)]
    done = subprocess.run(
        [sys.executable, "-m", "lightly_pipeline", "run", *folders, *options],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "coverage bound" in done.stdout


def test_it_is_filled_in_at_launch_and_dagster_shows_the_bound(dataset: Dataset) -> None:
    blocks = {"selection_config": selection(8), "pipeline_config": EVERY_4TH}
    resources = {name: {"config": block} for name, block in blocks.items()}
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_definitions(dataset).resolve_job_def("test_run_job")
        assert job.execute_in_process(
            run_config={"resources": resources}, instance=instance
        ).success
        event = instance.get_latest_materialization_event(dg.AssetKey(["test", "selected_frames"]))
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["coverage_bound"].value > 0
