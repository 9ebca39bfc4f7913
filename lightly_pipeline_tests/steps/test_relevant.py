"""A run looks at the videos that a file names, and takes nothing from other runs."""

import json
from pathlib import Path

import dagster as dg
import pytest

from lightly_pipeline import Dataset, LocalDatasource, build_definitions, run
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.steps.listing import stored_catalog
from lightly_pipeline_tests.support.videos import RECIPES, make_video

pytestmark = pytest.mark.slow

RECIPE = next(recipe for recipe in RECIPES if recipe.name == "h264.mp4")
FILE = ".lightly/relevant_filenames.txt"
ONLY = {"relevant_filenames_file": FILE}
FOUR = {"n_samples": 4}
ALL = ["day/a.mp4", "day/b.mp4", "night/c.mp4"]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    for seed, name in enumerate(ALL):
        make_video(tmp_path / "in", RECIPE, name, seed=seed)
    return Dataset(
        "street", input=LocalDatasource(tmp_path / "in"), lightly=LocalDatasource(tmp_path / "out")
    )


def name_only(dataset: Dataset, *lines: str) -> None:
    dataset.lightly.write(FILE, "\n".join(lines).encode())


def tables(dataset: Dataset) -> int:
    listed = dataset.lightly.list(".lightly/tables/")
    return sum(item.path.endswith("frames.parquet") for item in listed)


def test_only_named_videos_are_decoded_and_chosen_from(dataset: Dataset) -> None:
    name_only(dataset, "day/* day/b*", "night/gone.mp4", "/night/c.mp4", "day/* day/b*")
    result = run(dataset, ONLY, selection_config=FOUR)
    assert {frame.video for frame in result.selected} == {"day/a.mp4"}
    assert (result.n_input_videos, result.n_decoded_videos) == (1, 1)
    assert tables(dataset) == 1
    assert result.summary["relevant_filenames"] == {
        "n_videos": 1,
        "n_listed": 3,
        "n_lines": 4,
        "n_rejected": 1,
        "n_double": 1,
        "n_unmatched": 1,
    }
    assert [warning.partition(":")[0] for warning in result.warnings[FILE]] == [
        "1 of 4 lines are rejected",
        "1 of 4 lines are there twice, and used once",
        "1 of 4 lines are of no file in INPUT",
    ]
    folder = f".lightly/runs/{result.run_id}/"
    manifest = json.loads(dataset.lightly.read(folder + "manifest.json"))
    assert manifest["warnings"] == result.warnings
    assert (
        "1 of 4 lines are rejected: line 3: /night/c.mp4"
        in dataset.lightly.read(folder + "log.txt").decode()
    )


def test_the_catalogue_keeps_all_videos_and_the_next_run_takes_them(dataset: Dataset) -> None:
    name_only(dataset, "night/c.mp4")
    pool = {"use_datapool": True}
    first = run(dataset, ONLY | pool, selection_config=FOUR)
    assert {frame.video for frame in first.selected} == {"night/c.mp4"}
    assert [video.path for video in stored_catalog(dataset).videos] == ALL
    second = run(dataset, pool, selection_config=FOUR)
    assert {frame.video for frame in second.selected} <= {"day/a.mp4", "day/b.mp4"}
    assert second.n_decoded_videos == 2


def test_what_is_missing_or_names_nothing_ends_the_run_before_any_work(dataset: Dataset) -> None:
    with pytest.raises(LightlyPipelineError, match=r"needs .*relevant_filenames.txt.*not exist"):
        run(dataset, ONLY)
    name_only(dataset, "/day/a.mp4", "gone.mp4")
    with pytest.raises(LightlyPipelineError, match=r"names none of the 3 videos .*line 1: /day"):
        run(dataset, ONLY)
    assert tables(dataset) == 0
    for path in ("relevant.txt", "/.lightly/x.txt", ".lightly/../x.txt"):
        with pytest.raises(InvalidConfigurationError, match=r"begins with \.lightly/"):
            run(dataset, {"relevant_filenames_file": path})


def test_in_dagster_a_selection_of_some_videos_leaves_the_partitions_of_all(
    dataset: Dataset,
) -> None:
    name_only(dataset, "day/*")
    definitions = build_definitions(dataset)
    config = {"resources": {"selection_config": {"config": FOUR}}}
    config["resources"]["worker_config"] = {"config": ONLY}
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def("street_run_job")
        assert job.execute_in_process(run_config=config, instance=instance).success
        assert instance.get_dynamic_partitions("street_videos") == ALL
        done = instance.get_materialized_partitions(dg.AssetKey(["street", "frame_embeddings"]))
        assert done == set(ALL[:2])
        # Nobody has decoded the others, and nobody has to.
        selection = definitions.resolve_job_def("street_selection_job")
        assert selection.execute_in_process(run_config=config, instance=instance).success
    assert tables(dataset) == 2
