"""Asset checks fail where a dataset says so, say why, and what to do."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import AssetCheckSeverity

from lightly_pipeline import Dataset, LocalDatasource, build_definitions
from lightly_pipeline.datasets import load_datasets
from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.defs.checks import selection_checks
from lightly_pipeline.defs.overdue import longest_wait_s, silent_s
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.runs.records import ChosenFrame, SelectionRecord
from lightly_pipeline.tables.catalog import Catalog, write_catalog

KEY = dg.AssetKey(["street", "selected_frames"])
HOUR = 3600.0


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def dataset_in(folder: Path, **fields: Any) -> Dataset:
    (folder / "in").mkdir(exist_ok=True)
    return Dataset(
        "street",
        input=LocalDatasource(folder / "in"),
        lightly=LocalDatasource(folder / "out"),
        **fields,
    )


def record(n_corrupt: int = 0, n_damaged: int = 0, radius: float | None = 1.0) -> SelectionRecord:
    """A choice of one frame of a hundred videos with a hundred frames."""
    return SelectionRecord(
        run_id="r",
        dataset="street",
        created="2026-01-01T00:00:00+00:00",
        config={"pipeline_config": {"damaged_frames": "include"}},
        embedding_id="e",
        table_id="t",
        catalog_hash="c",
        image_format="png",
        resize=None,
        frames=(ChosenFrame(0, "a.mp4", 0, None, "DIVERSITY of EMBEDDINGS"),),
        videos={},
        n_input_videos=100,
        n_input_frames=10_000,
        summary={"n_selected": 1, "coverage_radius": radius},
        corrupt_videos={f"{i}.mp4": "no moov" for i in range(n_corrupt)},
        corrupt_samples={},
        failed_videos={},
        n_damaged_frames=n_damaged,
    )


def checked(
    dataset: Dataset, found: SelectionRecord, before: dict[str, Any] | None = None
) -> dict[str, tuple[bool, AssetCheckSeverity]]:
    results = selection_checks(dataset, KEY, found, before or {})
    return {str(r.check_name): (r.passed, r.severity) for r in results}


WARN, ERROR = AssetCheckSeverity.WARN, AssetCheckSeverity.ERROR


@pytest.mark.parametrize(
    ("checks", "n_corrupt", "expected"),
    [
        ({}, 1, (True, WARN)),
        ({}, 2, (False, WARN)),
        ({}, 21, (False, ERROR)),
        ({"corrupt_share": {"warn": 0.3, "error": 0.5}}, 21, (True, WARN)),
        ({"corrupt_share": {"warn": 0.3, "error": 0.5}}, 31, (False, WARN)),
        ({"corruptShare": {"warn": 0, "error": 0.005}}, 1, (False, ERROR)),
    ],
)
def test_corrupt_videos_fail_beyond_the_shares_of_the_dataset(
    tmp_path: Path, checks: dict[str, Any], n_corrupt: int, expected: tuple[bool, Any]
) -> None:
    dataset = dataset_in(tmp_path, checks=checks)
    assert checked(dataset, record(n_corrupt=n_corrupt))["few_broken_videos"] == expected


def test_a_failed_check_shows_figures_limits_and_examples(tmp_path: Path) -> None:
    results = selection_checks(dataset_in(tmp_path), KEY, record(n_corrupt=30), {})
    [check] = [r for r in results if r.check_name == "few_broken_videos"]
    assert check.description == "30 of 100 videos"
    shown = {name: value.value for name, value in check.metadata.items()}
    assert shown["share"] == 0.3
    assert (shown["warn_above"], shown["error_above"]) == (0.01, 0.2)
    assert len(shown["examples"]) == 20
    assert shown["examples"]["0.mp4"] == "no moov"


def test_damaged_frames_have_limits_of_their_own(tmp_path: Path) -> None:
    dataset = dataset_in(tmp_path, checks={"damaged_share": {"warn": 0.5, "error": 0.6}})
    assert checked(dataset, record(n_damaged=5000))["few_damaged_frames"] == (True, WARN)
    assert checked(dataset, record(n_damaged=5001))["few_damaged_frames"] == (False, WARN)
    assert checked(dataset, record(n_damaged=6001))["few_damaged_frames"] == (False, ERROR)


def test_coverage_is_compared_with_the_run_before_and_with_what_is_allowed(tmp_path: Path) -> None:
    before = {"n_selected": 1, "coverage_radius": 0.5}
    plain = checked(dataset_in(tmp_path), record(radius=0.7), before)
    assert plain["coverage_kept"] == (False, WARN)
    assert "coverage_reached" not in plain
    limits = {
        "coverage_growth": {"warn": 1.5, "error": 3},
        "coverage_radius": {"warn": 0.6, "error": 2},
    }
    dataset = dataset_in(tmp_path, checks=limits)
    found = checked(dataset, record(radius=0.7), before)
    assert found["coverage_kept"] == (True, WARN)
    assert found["coverage_reached"] == (False, WARN)
    found = checked(dataset, record(radius=2.1), before)
    assert found["coverage_kept"] == found["coverage_reached"] == (False, ERROR)
    assert checked(dataset, record(radius=None), before)["coverage_reached"][0]


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        ({"corupt_share": {"warn": 0.1}}, "did you mean corrupt_share?"),
        ({"corrupt_share": {"warn": 0.5}}, "warn (0.5) is above error (0.2)"),
        ({"corrupt_share": {"warn": 2}}, "corrupt_share.warn"),
        ({"waiting_hours": {"warn": 0}}, "waiting_hours.warn"),
    ],
)
def test_a_wrong_limit_is_refused_where_it_is_declared(
    tmp_path: Path, checks: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidConfigurationError) as caught:
        dataset_in(tmp_path, checks=checks)
    assert message in str(caught.value)
    file = tmp_path / "datasets.yaml"
    file.write_text(f"datasets: {{street: {{input: in, lightly: out, checks: {checks}}}}}")
    with pytest.raises(InvalidConfigurationError) as caught:
        load_datasets(file)
    assert message in str(caught.value)


def test_yaml_declares_limits_and_freshness(tmp_path: Path) -> None:
    file = tmp_path / "datasets.yaml"
    file.write_text(
        "datasets:\n"
        "  street:\n"
        "    input: in\n"
        "    lightly: out\n"
        "    freshness_hours: 2\n"
        "    selection_freshness_hours: 48\n"
        "    checks:\n"
        "      corrupt_share: {warn: 0.05}\n"
        "      waiting_hours: {warn: 6, error: 24}\n"
    )
    [dataset] = load_datasets(file)
    assert dataset.limits.corrupt_share.warn == 0.05
    assert dataset.limits.corrupt_share.error == 0.2
    graph = build_definitions(dataset).resolve_asset_graph()
    windows = {
        name: graph.get(dg.AssetKey(["street", name])).freshness_policy_or_from_metadata
        for name in ("video_catalog", "uploaded_frames", "selected_frames")
    }
    hours = {n: p and p.fail_window.to_timedelta() / timedelta(hours=1) for n, p in windows.items()}
    assert hours == {"video_catalog": 2, "uploaded_frames": 48, "selected_frames": None}
    names = {key.name for key in graph.asset_check_keys}
    assert "no_video_waits" in names
    assert "videos_arrive" not in names


def test_what_waits_is_judged_by_when_videos_came() -> None:
    def listed(*arrived: float | None) -> Catalog:
        return Catalog(tuple(StoredObject(f"{i}", 1, "e", at) for i, at in enumerate(arrived)))

    now = 100 * HOUR
    assert silent_s(listed(10 * HOUR, 90 * HOUR), now) == 10 * HOUR
    assert silent_s(listed(None), now) is None
    assert longest_wait_s(listed(10 * HOUR, 90 * HOUR, 95 * HOUR), 50 * HOUR, now) == 10 * HOUR
    assert longest_wait_s(listed(10 * HOUR), 50 * HOUR, now) == 0
    assert longest_wait_s(listed(10 * HOUR), 0, now) == 90 * HOUR
    assert longest_wait_s(listed(None), 0, now) is None
    # A clock that is behind the store's makes nothing negative.
    assert silent_s(listed(101 * HOUR), now) == 0


def test_what_is_overdue_is_asked_every_hour_and_fails(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    limits = {"waiting_hours": {"warn": 1, "error": 20}, "arrival_hours": {"error": 5}}
    dataset = dataset_in(tmp_path, checks=limits)
    video = tmp_path / "in" / "a.mp4"
    video.write_bytes(b"x")
    ten_hours_ago = time.time() - 10 * HOUR
    os.utime(video, (ten_hours_ago, ten_hours_ago))
    write_catalog(dataset.lightly, Catalog(tuple(dataset.input.list())))
    definitions = build_definitions(dataset)

    def requested(cursor: object, at: datetime) -> tuple[set[str], Any]:
        result = dg.evaluate_automation_conditions(
            definitions, instance, cursor=cursor, evaluation_time=at
        )
        keys = {r.key for r in result.results if r.true_subset.size}
        return {key.name for key in keys if isinstance(key, dg.AssetCheckKey)}, result.cursor

    noon = datetime(2026, 1, 1, 12, 5)
    _, cursor = requested(None, noon)
    assert requested(cursor, noon + timedelta(minutes=5))[0] == set()
    asked, _ = requested(cursor, noon + timedelta(hours=1))
    assert asked == {"no_video_waits", "videos_arrive"}
    # The dataset's own sensor is the one that asks.
    target = definitions.get_sensor_def("street_automation").asset_selection
    targeted = target.resolve_checks(definitions.resolve_asset_graph())
    assert asked <= {key.name for key in targeted}

    def evaluated() -> dict[str, dg.AssetCheckEvaluation]:
        result = dg.materialize(
            definitions.asset_checks,
            instance=instance,
            selection=dg.AssetSelection.all_asset_checks(),
        )
        return {e.check_name: e for e in result.get_asset_check_evaluations()}

    found = evaluated()
    assert not found["no_video_waits"].passed
    assert found["no_video_waits"].severity is WARN
    assert found["no_video_waits"].description == "the oldest waits for 10 h"
    assert found["videos_arrive"].severity is ERROR
    assert found["videos_arrive"].description == "the last came 10 h ago"
    instance.report_runless_asset_event(dg.AssetMaterialization(KEY))
    found = evaluated()
    assert found["no_video_waits"].passed
    assert found["no_video_waits"].description == "none waits"


def test_a_dataset_that_declares_nothing_has_no_hourly_check(tmp_path: Path) -> None:
    assert not build_definitions(dataset_in(tmp_path)).asset_checks


def test_limits_are_kept_when_a_dataset_is_copied(tmp_path: Path) -> None:
    dataset = dataset_in(tmp_path, checks={"corrupt_share": {"warn": 0.1}})
    assert replace(dataset, automation=True).limits.corrupt_share.warn == 0.1
