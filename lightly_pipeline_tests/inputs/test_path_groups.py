"""Metadata from paths: what groups match, and what is refused before any work."""

from pathlib import Path
from typing import Any

import pytest

from lightly_pipeline import Dataset, run
from lightly_pipeline.config import SelectionConfig
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.inputs.path_groups import plan_path_groups
from lightly_pipeline_tests.support.rows import all_frames, row_video
from lightly_pipeline_tests.support.selections import (
    DIVERSITY,
    chosen,
    local_dataset,
    put_schema,
    selection,
    strategy,
)

ROWS = all_frames([row_video("cam1/2026-03-01/front.mp4", 3), row_video("cam2/rear.mp4", 2)])


def read(expression: str, **numeric: bool) -> dict[str, list[Any]]:
    found = plan_path_groups(expression, numeric.items()).read(ROWS)
    return {name: values.tolist() for name, values in found.items()}


def test_groups_of_a_videos_path_hold_for_all_of_its_frames() -> None:
    expression = r"cam(?P<camera>\d+)/((?P<year>\d+)-(?P<month>\d+))?.*/?(?P<view>front|rear)\.mp4$"
    assert read(expression, camera=True, year=False, view=False) == {
        "camera": [1, 1, 1, 2, 2],
        "year": ["2026", "2026", "2026", None, None],
        "view": ["front"] * 3 + ["rear"] * 2,
    }


def test_what_no_path_has_is_looked_for_in_names_of_frames() -> None:
    assert read(r"(?P<name>[^/]+)-(?P<index>\d+)-mp4\.png$", name=False, index=True) == {
        "name": ["front"] * 3 + ["rear"] * 2,
        "index": [0, 1, 2, 0, 1],
    }


def test_an_expression_that_is_slow_to_fail_is_searched_once_per_video() -> None:
    """Each search takes some milliseconds; per frame it would take minutes."""
    rows = all_frames([row_video(f"{'ab' * 40}{i}.mp4", 200_000) for i in range(2)])
    slow = r"(?P<all>(?:.*)(?:.*)x|.*)mp4$"
    values = plan_path_groups(slow, [("all", False)]).read(rows)["all"]
    assert set(values.tolist()) == {f"{'ab' * 40}{i}." for i in range(2)}


def test_what_is_no_number_is_named_with_the_first_frames() -> None:
    message = r"group view gives no number for 5 of 5 frames \(cam1/.*front\.mp4 frame 0: 'front',"
    with pytest.raises(LightlyPipelineError, match=message):
        read("(?P<view>front|rear)", view=True)
    with pytest.raises(
        LightlyPipelineError, match=r"for 2 of 5 frames \(cam2/rear.mp4 frame 0: None"
    ):
        read(r"cam(?P<camera>1)?", camera=True)
    for text in ("nan", "inf", "1_0", "٣"):
        rows = all_frames([row_video(f"{text}.mp4", 1)])
        with pytest.raises(LightlyPipelineError, match="gives no number"):
            plan_path_groups(r"(?P<x>.+)\.mp4", [("x", True)]).read(rows)


def test_an_expression_that_is_found_nowhere_is_an_error_with_what_was_searched() -> None:
    message = r"is found in no path .*first are cam1/2026-03-01/front\.mp4 and .*front-0-mp4\.png"
    with pytest.raises(LightlyPipelineError, match=message):
        read("(?P<x>camera)", x=False)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("cam(?P<x>", r"lightly_path_regex.* no regular expression: .* at position 3"),
        ("cam(.*)", r"lightly_path_regex.* has no named group, such as"),
        ("(?P<1>x)", r"no regular expression: .*'1' at position 4"),
    ],
)
def test_a_bad_expression_is_refused(expression: str, message: str) -> None:
    block = {**selection(3), "lightlyPathRegex": expression}
    with pytest.raises(InvalidConfigurationError, match=message):
        SelectionConfig.from_block(block, "selection_config")


@pytest.fixture
def dataset(prepared_folder: Path) -> Dataset:
    return local_dataset(prepared_folder)


def by(key: str, kind: str = "BALANCE", **options: Any) -> dict[str, Any]:
    return strategy(kind, {"type": "METADATA", "key": key}, **options)


@pytest.mark.slow
def test_a_run_balances_by_folders_and_weighs_by_numbers(dataset: Dataset) -> None:
    folders = {"lightly_path_regex": "^(?P<folder>a|sub)"}
    config = selection(20, by("folder", target={"a": 0.25, "sub": 0.75})) | folders
    videos = [video for video, _ in chosen(run(dataset, selection_config=config))]
    assert videos.count("a.mp4") == 5
    late = selection(2, by("index", "WEIGHTS")) | {"lightly_path_regex": r"-(?P<index>\d+)-"}
    indices = [index for _, index in chosen(run(dataset, selection_config=late))]
    assert indices == [39, 39]
    few = by("index", "THRESHOLD", threshold=3, operation="SMALLER")
    early = selection(50, DIVERSITY, few) | {"lightly_path_regex": r"-(?P<index>\d+)-"}
    assert len(chosen(run(dataset, selection_config=early))) == 9


@pytest.mark.slow
def test_mistakes_in_keys_end_a_run_before_any_work(dataset: Dataset) -> None:
    regex = {"lightly_path_regex": "(?P<folder>sub)"}
    misspelt = selection(3, by("foldre", distribution="UNIFORM")) | regex
    with pytest.raises(InvalidConfigurationError, match=r"neither a group .*did you mean folder\?"):
        run(dataset, selection_config=misspelt)
    both = selection(3, by("folder", distribution="UNIFORM"), by("folder", "WEIGHTS")) | regex
    with pytest.raises(InvalidConfigurationError, match="folder is text for BALANCE and a number"):
        run(dataset, selection_config=both)
    put_schema(dataset.lightly, folder=("CATEGORICAL_STRING", "x"), wet=("NUMERIC_INT", 1))
    twice = selection(3, by("folder", distribution="UNIFORM")) | regex
    with pytest.raises(
        InvalidConfigurationError, match=r"folder is a group .* and a path in .*schema"
    ):
        run(dataset, selection_config=twice)
    # Another key of the schema is read beside groups.
    put_schema(dataset.lightly, wet=("NUMERIC_INT", 1))
    mixed = selection(3, by("folder", distribution="UNIFORM"), by("wet", "WEIGHTS")) | regex
    assert len(chosen(run(dataset, selection_config=mixed))) == 3
