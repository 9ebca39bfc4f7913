"""What the instance is told: only what is new, only what is true, and of runs outside Dagster."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lightly_pipeline import Dataset, LocalDatasource, build_definitions
from lightly_pipeline.api import ApiWorkflowClient
from lightly_pipeline.defs.assets import video_frames
from lightly_pipeline.defs.events import known_versions, new_table_events
from lightly_pipeline.defs.instance import InstanceListener, instance_listener
from lightly_pipeline.defs.partitions import done_partitions
from lightly_pipeline.scheduling.execution import execute
from lightly_pipeline.scheduling.listeners import SafeListeners
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline_tests.support.clients import add_dataset
from lightly_pipeline_tests.support.stores import refuse_table
from lightly_pipeline_tests.support.videos import RECIPES, make_video

BY_NAME = {recipe.name: recipe for recipe in RECIPES}
TABLES = ("video_frames", "frame_embeddings")
FIVE = {"selection_config": {"config": {"n_samples": 5}}}
LEAVING_OUT = {**FIVE, "pipeline_config": {"config": {"allow_incomplete": True}}}

pytestmark = pytest.mark.slow


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    make_video(tmp_path / "in", BY_NAME["mpeg4.avi"], "a.avi", seed=1)
    make_video(tmp_path / "in", BY_NAME["cinepak.avi"], "b.avi", seed=2)
    return Dataset(
        "street", input=LocalDatasource(tmp_path / "in"), lightly=LocalDatasource(tmp_path / "out")
    )


def key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["street", name])


def events_of(result: dg.ExecuteInProcessResult) -> list[tuple[str, str | None]]:
    """The assets and partitions that a run has reported."""
    found = [e.asset_key for e in result.get_asset_materialization_events() if e.asset_key]
    partitions = [e.partition for e in result.get_asset_materialization_events()]
    return [(k.path[-1], p) for k, p in zip(found, partitions, strict=True)]


def test_a_run_reports_new_and_changed_videos_only(
    dataset: Dataset, instance: dg.DagsterInstance
) -> None:
    job = build_definitions(dataset).resolve_job_def("street_run_job")

    def launch() -> list[tuple[str, str | None]]:
        result = job.execute_in_process(run_config={"resources": FIVE}, instance=instance)
        return [event for event in events_of(result) if event[1] is not None]

    per_video = ("videos", *TABLES)
    assert set(launch()) == {(name, video) for name in per_video for video in ("a.avi", "b.avi")}
    assert launch() == []
    make_video(Path(dataset.input.describe()), BY_NAME["mpeg4.avi"], "b.avi", seed=5)
    assert sorted(launch()) == sorted((name, "b.avi") for name in per_video)


def test_checks_are_evaluated_by_the_job_and_compare_with_the_run_before(
    dataset: Dataset, instance: dg.DagsterInstance
) -> None:
    job = build_definitions(dataset).resolve_job_def("street_run_job")
    evaluated: list[dict[str, Any]] = []
    for _ in range(2):
        result = job.execute_in_process(run_config={"resources": FIVE}, instance=instance)
        evaluated.append({e.check_name: e for e in result.get_asset_check_evaluations()})
    assert evaluated[0]["coverage_kept"].description == "no earlier run to compare with"
    assert "in the run before" in evaluated[1]["coverage_kept"].description
    assert all(check.passed for checks in evaluated for check in checks.values())
    names = {"not_empty", "right_size", "few_broken_videos", "few_damaged_frames"}
    assert set(evaluated[0]) == names | {"coverage_kept", "no_exact_copies"}


def test_twenty_thousand_known_videos_are_told_apart_by_one_query(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one look-up a video: only what the instance does not know costs anything."""
    asset = key("video_frames")
    for event in new_table_events(
        instance, [asset], done_partitions([VideoOutcome("a.mp4", "1")], None)
    ):
        instance.report_runless_asset_event(event)
    assert known_versions(instance, asset) == {"a.mp4": "1"}
    outcomes = [VideoOutcome("a.mp4", "1"), VideoOutcome("b.mp4", "1"), VideoOutcome("a.mp4", "2")]
    storage = instance.event_log_storage
    asked: list[object] = []
    query = storage.get_latest_tags_by_partition
    monkeypatch.setattr(
        storage,
        "get_latest_tags_by_partition",
        lambda *arguments: (asked.append(arguments), query(*arguments))[1],
    )
    new = list(new_table_events(instance, [asset], done_partitions(outcomes, None)))
    assert [(e.partition, (e.tags or {})["dagster/data_version"]) for e in new] == [
        ("b.mp4", "1"),
        ("a.mp4", "2"),
    ]
    assert len(asked) == 1


def test_a_refused_video_is_not_shown_as_materialized_and_tried_again(
    dataset: Dataset, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The wait between retries aside.
    monkeypatch.setattr(video_frames, "RETRIES", dg.RetryPolicy(max_retries=1))
    refused = refuse_table(dataset, "b.avi")
    definitions = build_definitions(dataset)
    definitions.resolve_job_def("street_catalog_job").execute_in_process(instance=instance)
    now = datetime(2026, 1, 1, 12, 5)

    def requested(cursor: object, at: datetime) -> tuple[set[str | None], Any]:
        result = dg.evaluate_automation_conditions(
            definitions, instance, cursor=cursor, evaluation_time=at
        )
        return result.get_requested_partitions(key("frame_embeddings")), result.cursor

    wanted, cursor = requested(None, now)
    assert wanted == {"a.avi", "b.avi"}
    job = definitions.resolve_job_def("street_videos_job")
    result = job.execute_in_process(
        run_config={"resources": LEAVING_OUT},
        instance=instance,
        raise_on_error=False,
        tags={
            "dagster/asset_partition_range_start": "a.avi",
            "dagster/asset_partition_range_end": "b.avi",
        },
    )
    assert not result.success
    for name in TABLES:
        assert instance.get_materialized_partitions(key(name)) == {"a.avi"}
    wanted, cursor = requested(cursor, now + timedelta(minutes=5))
    assert wanted == set()
    # Once an hour, not every minute.
    wanted, cursor = requested(cursor, now + timedelta(hours=1))
    assert wanted == {"b.avi"}
    refused.rmdir()
    assert job.execute_in_process(instance=instance, partition_key="b.avi").success
    assert instance.get_materialized_partitions(key("video_frames")) == {"a.avi", "b.avi"}


def scheduled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ApiWorkflowClient, str]:
    """A client in a deployment of its own, with a run that waits."""
    monkeypatch.setenv("LIGHTLY_PIPELINE_HOME", str(tmp_path / "state"))
    client = ApiWorkflowClient()
    add_dataset(client, "street", tmp_path / "in", tmp_path / "out")
    return client, client.schedule_compute_worker_run(selection_config={"n_samples": 5})


def test_a_run_of_a_script_is_reported_to_the_instance(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    client, run_id = scheduled(tmp_path, monkeypatch)
    run = client._deployment.queue.claim(run_id, "script")[1]
    assert run is not None
    execute(client._deployment, run, listener=SafeListeners([InstanceListener()]))
    with dg.DagsterInstance.get() as instance:
        assert instance.get_dynamic_partitions("street_videos") == ["a.avi", "b.avi"]
        for name in ("videos", *TABLES):
            assert instance.get_materialized_partitions(key(name)) == {"a.avi", "b.avi"}
        event = instance.get_latest_materialization_event(key("uploaded_frames"))
        assert event is not None
        assert event.asset_materialization is not None
        assert event.asset_materialization.metadata["images"].value == 5
        assert event.run_id == ""
        for name in ("video_catalog", "selected_frames"):
            assert instance.get_latest_materialization_event(key(name)) is not None
    assert client.get_compute_worker_run_info(run_id).ended_successfully()


def test_failing_to_report_fails_no_run(
    dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "nowhere"))
    client, run_id = scheduled(tmp_path, monkeypatch)
    run = client._deployment.queue.claim(run_id, "script")[1]
    assert run is not None
    with caplog.at_level(logging.WARNING):
        execute(client._deployment, run, listener=SafeListeners([InstanceListener()]))
    assert client.get_compute_worker_run_info(run_id).ended_successfully()
    assert "a run could not be reported" in caplog.text
    assert "nowhere" in caplog.text


def test_nobody_is_told_where_there_is_no_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    assert instance_listener() is None


def test_the_job_leaves_out_a_refused_video_and_does_not_report_it(
    dataset: Dataset, instance: dg.DagsterInstance
) -> None:
    refuse_table(dataset, "b.avi")
    job = build_definitions(dataset).resolve_job_def("street_run_job")
    result = job.execute_in_process(run_config={"resources": LEAVING_OUT}, instance=instance)
    assert result.success
    assert instance.get_materialized_partitions(key("videos")) == {"a.avi", "b.avi"}
    for name in TABLES:
        assert instance.get_materialized_partitions(key(name)) == {"a.avi"}
    broken = {e.check_name: e for e in result.get_asset_check_evaluations()}["few_broken_videos"]
    assert (broken.passed, broken.description) == (False, "1 of 2 videos")
