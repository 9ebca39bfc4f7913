"""Videos that will be deleted soon are left out, or end the run before any work."""

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import dagster as dg
import pytest

from lightly_pipeline import (
    Dataset,
    LocalDatasource,
    RunResult,
    S3Datasource,
    build_definitions,
    run,
)
from lightly_pipeline.console import describe
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.steps.expiring import OPTION
from lightly_pipeline_tests.support.faults import Fault, FaultyStore, faulty
from lightly_pipeline_tests.support.s3_servers import make_bucket, store_at
from lightly_pipeline_tests.support.selections import H264
from lightly_pipeline_tests.support.videos import make_video

pytestmark = pytest.mark.slow

DAY_S = 24 * 3600
FOUR = {"n_samples": 4}
THIRTY = {"input_lifetime_days": 30}
ALL = ("new.mp4", "old.mp4", "older.mp4")


def rule(strategy: str = "SKIP", days: float = 7) -> dict:
    wanted = {"min_days_to_expiration": days, "handling_strategy": strategy}
    return {"datasource": {"input_expiration": wanted}}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Videos that were written 1, 25 and 40 days ago."""
    for seed, (name, age_days) in enumerate(zip(ALL, (1, 25, 40), strict=True)):
        path = make_video(tmp_path / "in", H264, name, seed=seed)
        written = time.time() - age_days * DAY_S
        os.utime(path, (written, written))
    return Dataset(
        "street", input=LocalDatasource(tmp_path / "in"), lightly=LocalDatasource(tmp_path / "out")
    )


def videos_of(result: RunResult) -> set[str]:
    return {frame.video for frame in result.selected}


def tables(dataset: Dataset) -> int:
    listed = dataset.lightly.list(".lightly/tables/")
    return sum(item.path.endswith("frames.parquet") for item in listed)


def test_files_that_are_deleted_soon_are_left_out_counted_and_told(dataset: Dataset) -> None:
    result = run(dataset, rule(), selection_config=FOUR, pipeline_config=THIRTY)
    assert videos_of(result) == {"new.mp4"}
    assert tables(dataset) == 1
    assert result.n_input_videos == 3
    assert result.summary["input_expiration"] == {"n_videos": 1, "n_skipped": 2, "n_undated": 0}
    soon, gone = result.failed_videos["old.mp4"], result.failed_videos["older.mp4"]
    assert "in 5.0 days: sooner than min_days_to_expiration, 7" in soon
    assert gone.startswith("expired ")
    assert f"old.mp4: {soon}" in describe(result)
    folder = f".lightly/runs/{result.run_id}/"
    assert json.loads(dataset.lightly.read(folder + "manifest.json"))["failed_videos"] == {
        "old.mp4": soon,
        "older.mp4": gone,
    }
    assert soon in dataset.lightly.read(folder + "report.html").decode()
    log = dataset.lightly.read(folder + "log.txt").decode()
    assert "2 of 3 videos expire too soon: left out" in log


def test_a_run_that_is_to_abort_does_so_before_anything_is_decoded(dataset: Dataset) -> None:
    with pytest.raises(LightlyPipelineError, match=r"2 of 3 videos expire too soon .*old\.mp4"):
        run(dataset, rule("ABORT"), selection_config=FOUR, pipeline_config=THIRTY)
    with pytest.raises(LightlyPipelineError, match="3 of 3 videos expire too soon"):
        run(dataset, rule(days=30), selection_config=FOUR, pipeline_config=THIRTY)
    assert tables(dataset) == 0
    with_all = run(
        dataset,
        rule("ABORT", days=0),
        selection_config=FOUR,
        pipeline_config={"input_lifetime_days": 41},
    )
    assert with_all.summary["input_expiration"]["n_videos"] == 3


def test_where_nothing_says_when_files_expire_all_take_part_and_a_warning_says_so(
    dataset: Dataset,
) -> None:
    result = run(dataset, rule("ABORT"), selection_config=FOUR)
    assert result.failed_videos == {}
    assert result.summary["input_expiration"] == {"n_videos": 3, "n_skipped": 0, "n_undated": 3}
    assert "nothing says when the 3 videos expire" in result.warnings[OPTION][0]


def test_a_rule_that_makes_no_sense_is_refused(dataset: Dataset) -> None:
    wrong = {
        "missing": {"datasource": {"input_expiration": {"min_days_to_expiration": 7}}},
        "'SKIP' or 'ABORT'": rule("IGNORE"),
        "greater than or equal to 0": rule(days=-1),
    }
    for message, worker in wrong.items():
        with pytest.raises(InvalidConfigurationError, match=message):
            run(dataset, worker)
    with pytest.raises(InvalidConfigurationError, match="input_lifetime_days goes with"):
        run(dataset, pipeline_config=THIRTY)


def test_a_datapool_remembers_no_video_that_was_left_out(dataset: Dataset) -> None:
    pool = {"use_datapool": True}
    first = run(dataset, rule() | pool, selection_config=FOUR, pipeline_config=THIRTY)
    assert videos_of(first) == {"new.mp4"}
    second = run(dataset, pool, selection_config=FOUR)
    assert videos_of(second) <= {"old.mp4", "older.mp4"}


def test_in_dagster_a_selection_leaves_them_out_and_nothing_counts_as_broken(
    dataset: Dataset,
) -> None:
    definitions = build_definitions(dataset)
    blocks = {"worker_config": rule(), "pipeline_config": THIRTY, "selection_config": FOUR}
    config = {"resources": {name: {"config": block} for name, block in blocks.items()}}
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def("street_run_job")
        assert job.execute_in_process(run_config=config, instance=instance).success
        # Another run decodes all; the selection goes by the rule all the same.
        run(dataset, selection_config=FOUR)
        selection = definitions.resolve_job_def("street_selection_job")
        done = selection.execute_in_process(run_config=config, instance=instance)
        assert done.success
        checks = {check.check_name: check for check in done.get_asset_check_evaluations()}
        assert checks["few_broken_videos"].passed
    manifest = json.loads(dataset.lightly.read(f".lightly/runs/{done.run_id}/manifest.json"))
    assert {image["video"] for image in manifest["images"]} == {"new.mp4"}
    assert set(manifest["failed_videos"]) == {"old.mp4", "older.mp4"}


@pytest.fixture
def proxy(endpoint: str) -> Iterator[FaultyStore]:
    with faulty(endpoint) as store:
        yield store


def expires_in(days: float) -> dict[str, str]:
    date = format_datetime(datetime.now(UTC) + timedelta(days=days), usegmt=True)
    return {"x-amz-expiration": f'expiry-date="{date}", rule-id="clean up"'}


def test_a_bucket_s_lifecycle_rules_are_asked_for(dataset: Dataset, proxy: FaultyStore) -> None:
    make_bucket(proxy.url, "expiring")
    videos: S3Datasource = store_at(proxy.url, "s3://expiring/in/")
    for item in dataset.input.list():
        videos.write(item.path, dataset.input.read(item.path))
    # The rules of the bucket, as AWS tells them of each object.
    proxy.add(Fault("with", "HEAD .*new", times=9, headers=expires_in(days=90)))
    proxy.add(Fault("with", "HEAD .*old.mp4", times=9, headers=expires_in(days=3)))
    result = run(
        Dataset("street", input=videos, lightly=dataset.lightly), rule(), selection_config=FOUR
    )
    assert set(result.failed_videos) == {"old.mp4"}
    assert "in 3.0 days" in result.failed_videos["old.mp4"]
    assert result.summary["input_expiration"] == {"n_videos": 2, "n_skipped": 1, "n_undated": 1}
    # The earlier date counts: all were written just now.
    aged = run(
        Dataset("street", input=videos, lightly=dataset.lightly),
        rule("SKIP", days=40),
        selection_config=FOUR,
        pipeline_config={"input_lifetime_days": 50},
    )
    assert set(aged.failed_videos) == {"old.mp4"}
    assert aged.summary["input_expiration"]["n_undated"] == 0
