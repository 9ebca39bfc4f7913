"""Dagster runs the same chain, in one launch or in parts."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lightly_pipeline import Dataset, LocalDatasource, build_definitions, run
from lightly_pipeline.datasources import list_videos
from lightly_pipeline.layout import run_path
from lightly_pipeline.tables.fingerprint import catalog_hash
from lightly_pipeline_tests.support.videos import RECIPES, make_video

pytestmark = pytest.mark.slow

BY_NAME = {recipe.name: recipe for recipe in RECIPES}
TEN = {"selection_config": {"config": {"n_samples": 10}}}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    folder = tmp_path / "in"
    make_video(folder, BY_NAME["h264.mp4"], "a.mp4", seed=1)
    make_video(folder, BY_NAME["mpeg2.mpg"], "sub dir/b,c.mpg", seed=2)
    make_video(folder, BY_NAME["cinepak.avi"], "d.avi", seed=3)
    (folder / "broken.mov").write_text("no video")
    return Dataset(
        "street", input=LocalDatasource(folder), lightly=LocalDatasource(tmp_path / "out")
    )


@pytest.fixture
def definitions(dataset: Dataset) -> dg.Definitions:
    return build_definitions(dataset)


def images(dataset: Dataset) -> set[str]:
    return {item.path for item in dataset.lightly.list(".lightly/frames/")}


def expected(dataset: Dataset, tmp_path: Path) -> set[str]:
    other = Dataset("other", input=dataset.input, lightly=LocalDatasource(tmp_path / "other"))
    return {frame.image for frame in run(other, selection_config={"n_samples": 10}).selected}


def test_one_launch_does_it_all_and_reports_every_partition(
    definitions: dg.Definitions, dataset: Dataset, tmp_path: Path
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def("street_run_job")
        result = job.execute_in_process(run_config={"resources": TEN}, instance=instance)
        assert result.success
        assert images(dataset) == expected(dataset, tmp_path)
        keys = instance.get_dynamic_partitions("street_videos")
        assert keys == ["a.mp4", "broken.mov", "d.avi", "sub%20dir/b%2Cc.mpg"]
        for name in ("video_frames", "frame_embeddings", "videos"):
            done = instance.get_materialized_partitions(dg.AssetKey(["street", name]))
            assert done == set(keys)
        event = instance.get_latest_materialization_event(
            dg.AssetKey(["street", "uploaded_frames"])
        )
        metadata = event.asset_materialization.metadata
        assert metadata["images"].value == 10
        assert "data:image/jpeg;base64," in metadata["chosen_frames"].value
        assert len(metadata["chosen_frames"].value) < 100_000


def test_materialize_in_two_calls(
    definitions: dg.Definitions, dataset: Dataset, tmp_path: Path
) -> None:
    """The README's recipe on a fresh instance."""
    resources = definitions.resources
    with dg.DagsterInstance.ephemeral() as instance:
        assets = [a for a in definitions.assets if isinstance(a, dg.AssetsDefinition)]
        catalog, *rest = assets
        dg.materialize([catalog], instance=instance, resources=resources)
        keys = instance.get_dynamic_partitions("street_videos")
        result = dg.materialize(
            rest,
            instance=instance,
            resources=resources,
            run_config={"resources": TEN},
            tags={
                "dagster/asset_partition_range_start": keys[0],
                "dagster/asset_partition_range_end": keys[-1],
            },
        )
        assert result.success
        assert images(dataset) == expected(dataset, tmp_path)
        checks = {e.check_name: e for e in result.get_asset_check_evaluations()}
        # One of the four videos is broken: worth an error mark, and nothing was stopped by it.
        assert {name for name, e in checks.items() if not e.passed} == {"few_broken_videos"}
        assert checks["few_broken_videos"].severity is dg.AssetCheckSeverity.ERROR
        assert len(checks) == 6
        event = instance.get_latest_materialization_event(
            dg.AssetKey(["street", "selected_frames"])
        )
        assert event.asset_materialization.metadata["corrupt_videos"].value == 1


def test_assets_and_jobs_report_what_a_script_reports_and_link_it(
    definitions: dg.Definitions, dataset: Dataset, tmp_path: Path
) -> None:
    other = Dataset("street", input=dataset.input, lightly=LocalDatasource(tmp_path / "other"))
    by_script = run(other, selection_config={"n_samples": 10}, run_id="script")
    documents = [json.loads(other.lightly.read(run_path("script", "report_v2.json")))]
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def("street_run_job")
        key = dg.AssetKey(["street", "uploaded_frames"])
        in_one = job.execute_in_process(run_config={"resources": TEN}, instance=instance)
        shown = [instance.get_latest_materialization_event(key)]
        selecting = definitions.resolve_job_def("street_selection_job")
        part = selecting.execute_in_process(run_config={"resources": TEN}, instance=instance)
        shown.append(instance.get_latest_materialization_event(key))
    for result, event in zip((in_one, part), shown, strict=True):
        content = dataset.lightly.read(run_path(result.run_id, "report_v2.json"))
        documents.append(json.loads(content))
        metadata = event.asset_materialization.metadata
        page = run_path(result.run_id, "report.html")
        assert metadata["report"].value == dataset.lightly.location(page)
        assert dataset.lightly.stat(page) is not None
        largest = by_script.coverage["this choice"]["largest"]
        assert metadata["coverage_largest"].value == largest
        assert f"| this choice | {by_script.coverage['this choice']['median']:.4g} | " in str(
            metadata["coverage"].value
        )
    first, *others = documents
    examples = [d["generalInformation"]["selectedAndRemovedImageExamples"] for d in documents]
    for document, example in zip(others, examples[1:], strict=True):
        assert document["datasetAnalysis"] == first["datasetAnalysis"]
        assert example == examples[0]


def test_selecting_before_anything_is_listed_says_what_to_do(definitions: dg.Definitions) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def("street_selection_job")
        with pytest.raises(dg.Failure) as caught:
            job.execute_in_process(instance=instance)
        assert "materialize video_catalog" in caught.value.description


def test_selecting_before_anything_is_embedded_names_what_is_missing(
    definitions: dg.Definitions,
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        definitions.resolve_job_def("street_catalog_job").execute_in_process(instance=instance)
        job = definitions.resolve_job_def("street_selection_job")
        with pytest.raises(dg.Failure) as caught:
            job.execute_in_process(instance=instance)
        assert "4 of 4 videos have no embeddings yet" in caught.value.description


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"n_samples": 5, "proportion_samples": 0.5}, "exactly one of"),
        (
            {"strategies": [{"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSTY"}}]},
            "'DIVERSITY'",
        ),
    ],
)
@pytest.mark.parametrize("job", ["street_run_job", "street_catalog_job", "street_selection_job"])
def test_a_wrong_block_fails_every_launch_before_work(
    definitions: dg.Definitions, dataset: Dataset, job: str, block: dict, message: str
) -> None:
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(dg.Failure) as caught:
        definitions.resolve_job_def(job).execute_in_process(
            run_config={"resources": {"selection_config": {"config": block}}}, instance=instance
        )
    assert message in caught.value.description
    assert not Path(dataset.lightly.describe()).exists()


def test_names_that_are_no_text_are_listed_and_processed(
    definitions: dg.Definitions, dataset: Dataset, tmp_path: Path
) -> None:
    source = Path(dataset.input.describe())
    try:
        (source / "a.mp4").rename(source / os.fsdecode(b"caf\xe9.mp4"))
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        job = definitions.resolve_job_def("street_run_job")
        assert job.execute_in_process(run_config={"resources": TEN}, instance=instance).success
        assert "caf%E9.mp4" in instance.get_dynamic_partitions("street_videos")


def test_the_sensor_asks_for_a_listing_only_when_something_changed(
    definitions: dg.Definitions, dataset: Dataset
) -> None:
    sensor = definitions.get_sensor_def("street_new_videos")
    with dg.DagsterInstance.ephemeral() as instance:
        first = sensor(dg.build_sensor_context(instance=instance))
        assert len(first.run_requests) == 1
        second = sensor(dg.build_sensor_context(instance=instance, cursor=first.cursor))
        assert isinstance(second, dg.SkipReason)
        (Path(dataset.input.describe()) / "new.mp4").write_bytes(b"x")
        third = sensor(dg.build_sensor_context(instance=instance, cursor=first.cursor))
        assert third.run_requests[0].run_key != first.run_requests[0].run_key
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED


def catalog_requests(sensor: Any, instance: dg.DagsterInstance, cursor: str | None) -> Any:
    found = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
    return found if isinstance(found, dg.SensorResult) else None


def test_no_second_listing_is_asked_for_while_one_waits_in_the_queue(
    definitions: dg.Definitions, dataset: Dataset
) -> None:
    sensor = definitions.get_sensor_def("street_new_videos")
    job = definitions.resolve_job_def("street_catalog_job")
    with dg.DagsterInstance.ephemeral() as instance:
        first = catalog_requests(sensor, instance, None)
        waiting = instance.create_run_for_job(job)
        (Path(dataset.input.describe()) / "new.mp4").write_bytes(b"x")
        assert catalog_requests(sensor, instance, first.cursor) is None
        # Once that has begun, what came meanwhile may have come too late for it.
        instance.report_run_canceled(waiting)
        assert catalog_requests(sensor, instance, first.cursor) is not None


def test_a_dataset_that_goes_back_to_an_earlier_state_is_listed_again(
    definitions: dg.Definitions, dataset: Dataset
) -> None:
    """Dagster launches no run key twice: a hash alone is skipped for ever."""
    sensor = definitions.get_sensor_def("street_new_videos")
    extra = Path(dataset.input.describe()) / "new.mp4"
    keys, cursor = [], None
    with dg.DagsterInstance.ephemeral() as instance:
        for there in (False, True, False, True, False):
            extra.write_bytes(b"x") if there else extra.unlink(missing_ok=True)
            if there:
                os.utime(extra, (1, 1))
            requested = catalog_requests(sensor, instance, cursor)
            keys.append(requested.run_requests[0].run_key)
            cursor = requested.cursor
            assert catalog_requests(sensor, instance, cursor) is None
        # A cursor that somebody resets begins another line.
        keys.append(catalog_requests(sensor, instance, None).run_requests[0].run_key)
    assert len(set(keys)) == len(keys)


def test_the_cursor_of_an_earlier_release_is_understood(
    definitions: dg.Definitions, dataset: Dataset
) -> None:
    sensor = definitions.get_sensor_def("street_new_videos")
    listed = catalog_hash(tuple(list_videos(dataset.input)))
    with dg.DagsterInstance.ephemeral() as instance:
        assert catalog_requests(sensor, instance, listed) is None
        assert catalog_requests(sensor, instance, "0" * 64) is not None


def test_a_catalogue_run_that_failed_is_asked_for_again_ever_less_often(
    definitions: dg.Definitions, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor = definitions.get_sensor_def("street_new_videos")
    job = definitions.resolve_job_def("street_catalog_job")
    now = time.time
    with dg.DagsterInstance.ephemeral() as instance:
        requested = catalog_requests(sensor, instance, None)
        wrong = {"resources": {"selection_config": {"config": {"n_samples": -7}}}}
        failed = job.execute_in_process(wrong, instance=instance, raise_on_error=False)
        assert not failed.success
        assert catalog_requests(sensor, instance, requested.cursor) is None, "not at once"
        asked_after = []
        for minutes in (0.9, 1.1, 1.9, 2.1, 3.9, 4.1, 61):
            monkeypatch.setattr(time, "time", lambda m=minutes: now() + 60 * m)
            again = catalog_requests(sensor, instance, requested.cursor)
            if again is not None:
                asked_after.append(minutes)
                assert again.run_requests[0].run_key != requested.run_requests[0].run_key
                requested = again
        assert asked_after == [1.1, 2.1, 4.1, 61]
        monkeypatch.undo()
        assert job.execute_in_process(instance=instance).success
        monkeypatch.setattr(time, "time", lambda: now() + 7200)
        assert catalog_requests(sensor, instance, requested.cursor) is None


def test_automation_takes_new_and_replaced_videos_and_then_selects_once(
    definitions: dg.Definitions, dataset: Dataset
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:

        def listed() -> None:
            job = definitions.resolve_job_def("street_catalog_job")
            assert job.execute_in_process(instance=instance).success

        def requested(cursor: object = None) -> tuple[set[str], bool, object]:
            result = dg.evaluate_automation_conditions(definitions, instance, cursor=cursor)
            videos = result.get_requested_partitions(dg.AssetKey(["street", "frame_embeddings"]))
            chosen = result.get_num_requested(dg.AssetKey(["street", "selected_frames"]))
            # A selection is never launched without its upload, nor the other way round.
            images = result.get_num_requested(dg.AssetKey(["street", "uploaded_frames"]))
            assert images == chosen
            return {key for key in videos if key}, bool(chosen), result.cursor

        def process(keys: set[str]) -> None:
            job = definitions.resolve_job_def("street_videos_job")
            for key in keys:
                assert job.execute_in_process(instance=instance, partition_key=key).success

        def choose() -> None:
            job = definitions.resolve_job_def("street_selection_job")
            assert job.execute_in_process(instance=instance).success

        listed()
        videos, chosen, cursor = requested()
        assert len(videos) == 4
        assert not chosen
        process(videos)
        videos, chosen, cursor = requested(cursor)
        assert not videos
        assert chosen
        choose()
        videos, chosen, cursor = requested(cursor)
        assert not videos
        assert not chosen
        # Listing again without a change starts nothing.
        listed()
        videos, chosen, cursor = requested(cursor)
        assert (videos, chosen) == (set(), False)
        # One replaced and one new video: exactly those, then one selection.
        folder = Path(dataset.input.describe())
        make_video(folder, BY_NAME["h264.mp4"], "a.mp4", seed=9)
        make_video(folder, BY_NAME["vp9.webm"], "new.webm", seed=8)
        listed()
        videos, chosen, cursor = requested(cursor)
        assert videos == {"a.mp4", "new.webm"}
        assert not chosen
        process(videos)
        videos, chosen, cursor = requested(cursor)
        assert (videos, chosen) == (set(), True)


def test_what_a_dataset_says_itself_is_what_its_jobs_launch(
    dataset: Dataset, definitions: dg.Definitions
) -> None:
    page = definitions.resolve_job_def("street_run_job").run_config
    assert page["resources"]["selection_config"]["config"]["n_samples"] == 50
    own = replace(dataset, selection_config={"nSamples": 7})
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_definitions(own).resolve_job_def("street_run_job")
        assert job.execute_in_process(instance=instance).success
    assert len(images(own)) == 7


def test_two_datasets_stand_side_by_side(dataset: Dataset, tmp_path: Path) -> None:
    other = Dataset("studio", input=dataset.input, lightly=LocalDatasource(tmp_path / "b"))
    definitions = build_definitions(dataset, other)
    names = {job.name for job in definitions.resolve_all_job_defs()}
    assert {"street_run_job", "studio_run_job"} <= names
    keys = {key.to_user_string() for key in definitions.resolve_all_asset_keys()}
    assert {"street/uploaded_frames", "studio/uploaded_frames"} <= keys


def test_the_code_location_loads_empty_and_light(tmp_path: Path) -> None:
    code = (
        "import sys, lightly_pipeline.definitions as d\n"
        "heavy = [m for m in ('torch', 'faiss', 'av', 'pyarrow') if m in sys.modules]\n"
        "print(heavy, len(list(d.defs.jobs or [])))"
    )
    environment = {k: v for k, v in os.environ.items() if k != "LIGHTLY_PIPELINE_DATASETS"}
    environment["LIGHTLY_PIPELINE_HOME"] = str(tmp_path / "home")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip().endswith("[] 1")
    assert "LIGHTLY_PIPELINE_DATASETS" in done.stderr
    file = tmp_path / "datasets.yaml"
    file.write_text("datasets: {street: {input: in, lightly: out}}\n")
    environment["LIGHTLY_PIPELINE_DATASETS"] = str(file)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip().endswith("[] 7")
