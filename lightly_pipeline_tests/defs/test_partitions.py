"""A partition per batch of videos: the same frames as with one per video, whatever goes wrong."""

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lightly_pipeline import Dataset, LocalDatasource, build_definitions
from lightly_pipeline.cli import main
from lightly_pipeline.datasets import load_datasets
from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.defs import partitions, sensors
from lightly_pipeline.defs.assets import video_frames
from lightly_pipeline.defs.events import register
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.tables.catalog import Catalog
from lightly_pipeline_tests.support.stores import refuse_table
from lightly_pipeline_tests.support.videos import Recipe, make_video

RECIPE = Recipe("short.avi", "mpeg4", 12)
TABLES = ("video_frames", "frame_embeddings")
NOON = datetime(2026, 1, 1, 12, 5)

pytestmark = pytest.mark.slow


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five videos; one of them is none."""
    folder = tmp_path_factory.mktemp("videos")
    for seed, name in enumerate(("a.avi", "c d.avi", "e.avi", "f.avi")):
        make_video(folder, RECIPE, name, seed=seed)
    (folder / "broken.mov").write_text("no video")
    return folder


@pytest.fixture
def dataset(videos: Path, tmp_path: Path) -> Dataset:
    """The videos, two in a batch."""
    folder = tmp_path / "in"
    shutil.copytree(videos, folder)
    return Dataset(
        "street",
        input=LocalDatasource(folder),
        lightly=LocalDatasource(tmp_path / "out"),
        selection_config={"n_samples": 6},
        videos_per_partition=2,
    )


class Deployment:
    """A dataset's definitions on an instance, with the automation's next step at hand."""

    def __init__(self, dataset: Dataset, instance: dg.DagsterInstance) -> None:
        self.dataset, self.instance = dataset, instance
        self.definitions = build_definitions(dataset)
        self._cursor: Any = None
        self._now = NOON

    def run(self, job: str, *, config: Any = None, **options: Any) -> dg.ExecuteInProcessResult:
        """Executes one of the dataset's jobs."""
        return self.definitions.resolve_job_def(f"street_{job}_job").execute_in_process(
            run_config=config, instance=self.instance, raise_on_error=False, **options
        )

    def requested(self, *, later: timedelta = timedelta(minutes=1)) -> tuple[set[Any], bool]:
        """What the automation asks for: partitions, and whether a selection."""
        self._now += later
        result = dg.evaluate_automation_conditions(
            self.definitions, self.instance, cursor=self._cursor, evaluation_time=self._now
        )
        self._cursor = result.cursor
        chosen = result.get_num_requested(self.key("selected_frames"))
        return set(result.get_requested_partitions(self.key("frame_embeddings"))), bool(chosen)

    def process(self, *partitions: str) -> list[bool]:
        """Processes partitions, a run each."""
        return [self.run("videos", partition_key=key).success for key in partitions]

    def key(self, name: str) -> dg.AssetKey:
        """The key of one of its assets."""
        return dg.AssetKey(["street", name])

    def metadata(self, name: str, partition: str) -> dict[str, Any]:
        """What the last event of a partition says."""
        records = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(self.key(name), asset_partitions=[partition]), limit=1
        ).records
        materialization = records[0].asset_materialization
        assert materialization is not None
        return {k: v.value for k, v in materialization.metadata.items()}

    def manifest(self) -> list[dict[str, Any]]:
        """The images of the only run."""
        root = Path(self.dataset.lightly.describe())
        (path,) = root.glob(".lightly/runs/*/manifest.json")
        images: list[dict[str, Any]] = json.loads(path.read_text())["images"]
        return images


def tables(dataset: Dataset) -> dict[str, int]:
    """When each video's table was completed."""
    found = Path(dataset.lightly.describe()).glob(".lightly/tables/*/*/*/outcome.json")
    return {json.loads(path.read_text())["video"]: path.stat().st_mtime_ns for path in found}


def test_batches_give_the_same_images_as_a_partition_a_video(
    dataset: Dataset,
    instance: dg.DagsterInstance,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    batched = Deployment(dataset, instance)
    assert batched.run("catalog").success
    names = ["batch-000001", "batch-000002", "batch-000003"]
    assert instance.get_dynamic_partitions("street_batches") == names
    assert batched.requested() == (set(names), False)
    assert batched.process(*names) == [True] * 3
    assert batched.requested() == (set(), True)
    assert batched.run("selection").success
    with dg.DagsterInstance.ephemeral() as other:
        store = LocalDatasource(tmp_path / "single")
        single = Deployment(replace(dataset, lightly=store, videos_per_partition=None), other)
        assert single.run("catalog").success
        assert all(single.process(*other.get_dynamic_partitions("street_videos")))
        assert single.run("selection").success
        assert single.manifest() == batched.manifest()
        capsys.readouterr()
        assert main(["partition", "c d.avi", "--lightly", store.describe()]) == 0
        assert capsys.readouterr().out == "c%20d.avi\tc d.avi\n"
    said = batched.metadata("video_frames", "batch-000001")
    assert (said["videos"], said["corrupt_videos"], said["corrupt"]) == (2, 1, ["broken.mov"])
    assert said["frames"] == said["dagster/partition_row_count"] > 0
    assert main(["partition", "e.avi", "f.avi", "--lightly", dataset.lightly.describe()]) == 0
    assert capsys.readouterr().out == "batch-000002\te.avi\nbatch-000003\tf.avi\n"
    assert main(["partition", "x.avi", "--lightly", dataset.lightly.describe()]) == 1
    assert "no batch holds x.avi" in capsys.readouterr().err
    said = batched.metadata("videos", "batch-000002")
    assert (said["videos"], said["first"], said["last"]) == (2, "c d.avi", "e.avi")
    assert "c d.avi" in Path(said["list"]).read_text()


def test_one_launch_reports_batches_and_the_second_nothing(
    dataset: Dataset, instance: dg.DagsterInstance
) -> None:
    deployment = Deployment(dataset, instance)
    names = {"batch-000001", "batch-000002", "batch-000003"}
    assert deployment.run("run").success
    for name in ("videos", *TABLES):
        assert instance.get_materialized_partitions(deployment.key(name)) == names
    # What one way has reported, the other finds done.
    assert deployment.requested()[0] == set()
    events = deployment.run("run").get_asset_materialization_events()
    assert [event.partition for event in events if event.partition] == []


def test_only_a_batch_with_a_new_or_replaced_video_is_processed_and_only_that_video(
    dataset: Dataset, instance: dg.DagsterInstance
) -> None:
    deployment = Deployment(dataset, instance)
    assert deployment.run("run").success
    deployment.requested()
    before = tables(dataset)
    folder = Path(dataset.input.describe())
    make_video(folder, RECIPE, "e.avi", seed=9)
    make_video(folder, RECIPE, "b.avi", seed=8)
    (folder / "a.avi").unlink()
    assert deployment.run("catalog").success
    # The new one joins the last batch; a removed one alone is nothing to do.
    assert deployment.requested() == ({"batch-000002", "batch-000003"}, False)
    assert deployment.process("batch-000002", "batch-000003") == [True, True]
    after = tables(dataset)
    changed = {video for video, when in after.items() if when != before.get(video)}
    assert changed == {"e.avi", "b.avi"}
    assert deployment.requested() == (set(), True)
    assert deployment.requested() == (set(), False)


def test_a_refused_video_fails_its_batch_alone_and_is_tried_again_every_hour(
    dataset: Dataset, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_frames, "RETRIES", dg.RetryPolicy(max_retries=0))
    deployment = Deployment(dataset, instance)
    assert deployment.run("run").success
    deployment.requested()
    make_video(Path(dataset.input.describe()), RECIPE, "g.avi", seed=5)
    refused = refuse_table(dataset, "g.avi")
    assert deployment.run("catalog").success
    assert deployment.requested() == ({"batch-000003"}, False)
    result = deployment.run("videos", partition_key="batch-000003")
    assert not result.success
    failures = [e for e in result.all_events if e.event_type is dg.DagsterEventType.STEP_FAILURE]
    assert "g.avi" in str(failures[0].event_specific_data)
    # The selection goes on without it, once; the batch is tried again once an hour.
    assert deployment.requested() == (set(), True)
    chosen = deployment.run("selection")
    assert chosen.success
    hour = timedelta(hours=1)
    for _ in range(2):
        assert deployment.requested() == (set(), False)
        assert deployment.requested(later=hour) == ({"batch-000003"}, False)
        assert deployment.process("batch-000003") == [False]
    assert deployment.requested() == (set(), False)
    before = tables(dataset)
    refused.rmdir()
    assert deployment.requested(later=hour) == ({"batch-000003"}, False)
    assert deployment.process("batch-000003") == [True]
    assert {video for video, when in tables(dataset).items() if when != before.get(video)} == {
        "g.avi"
    }
    assert deployment.requested() == (set(), True)


def test_the_job_with_allow_incomplete_reports_whole_batches_only(
    dataset: Dataset, instance: dg.DagsterInstance
) -> None:
    deployment = Deployment(dataset, instance)
    refuse_table(dataset, "e.avi")
    block = {"resources": {"pipeline_config": {"config": {"allow_incomplete": True}}}}
    assert deployment.run("run", config=block).success
    for name in TABLES:
        whole = instance.get_materialized_partitions(deployment.key(name))
        assert whole == {"batch-000001", "batch-000003"}


def test_a_dataset_changes_to_batches_and_decodes_nothing(
    dataset: Dataset, instance: dg.DagsterInstance
) -> None:
    assert Deployment(replace(dataset, videos_per_partition=None), instance).run("run").success
    before = tables(dataset)
    deployment = Deployment(dataset, instance)
    assert deployment.run("catalog").success
    wanted, _ = deployment.requested()
    assert wanted == set(instance.get_dynamic_partitions("street_batches"))
    assert all(deployment.process(*wanted))
    assert tables(dataset) == before


def test_a_run_of_a_backfill_takes_as_many_batches_as_make_its_videos(dataset: Dataset) -> None:
    def per_run(size: int | None) -> int | None:
        definitions = build_definitions(replace(dataset, videos_per_partition=size))
        graph = definitions.resolve_asset_graph()
        policy = graph.get(dg.AssetKey(["street", "video_frames"])).backfill_policy
        assert policy is not None
        return policy.max_partitions_per_run

    most = video_frames.VIDEOS_PER_RUN
    assert [per_run(size) for size in (None, most // 2, most * 10)] == [most, 2, 1]


def test_more_partitions_than_dagster_takes_are_refused_with_the_way_out(
    dataset: Dataset, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "MOST_PARTITIONS", 3)
    catalog = Catalog(tuple(StoredObject(f"{i}.mp4", 1, "e") for i in range(4)))
    single = replace(dataset, videos_per_partition=None)
    with pytest.raises(LightlyPipelineError, match=r"4 partitions, a video each, .*: 500"):
        register(instance, instance.report_runless_asset_event, single, catalog)
    assert instance.get_dynamic_partitions("street_videos") == []
    assert instance.get_latest_materialization_event(dg.AssetKey(["street", "videos"])) is None
    failed = Deployment(single, instance).run("catalog")
    assert not failed.success
    assert "videos_per_partition: 500" in str(failed.all_events)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("videos_per_partition: 0", "greater than or equal to 1"),
        ("videos_per_partition: many", "videos_per_partition"),
        ("videos_per_partition: 5, dataset_type: IMAGES", "is a shard of up to 1000"),
    ],
)
def test_a_wrong_size_is_refused(tmp_path: Path, fields: str, message: str) -> None:
    file = tmp_path / "datasets.yaml"
    file.write_text(f"datasets: {{street: {{input: in, lightly: out, {fields}}}}}\n")
    with pytest.raises(InvalidConfigurationError, match=message):
        load_datasets(file)


def test_where_listing_takes_longer_than_a_tick_a_run_lists_once_an_hour(
    dataset: Dataset, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor: Any = build_definitions(dataset).get_sensor_def("street_new_videos")
    cursor, keys = None, []
    monkeypatch.setattr(sensors, "LISTING_S", -1.0)
    for hours in (0, 0.5, 0.9, 1.1, 1.5, 2.2):
        now = 1.8e9 + 3600 * hours
        monkeypatch.setattr(time, "time", lambda now=now: now)
        answer = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
        if isinstance(answer, dg.SensorResult):
            cursor = answer.cursor
            (request,) = answer.run_requests or ()
            keys.append((hours, request.run_key))
        else:
            assert "longer than the" in str(answer.skip_message)
    assert [hours for hours, _ in keys] == [0, 1.1, 2.2]
    assert len({key for _, key in keys}) == 3
    # It takes less again.
    monkeypatch.undo()
    answer = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
    answer = sensor(dg.build_sensor_context(instance=instance, cursor=answer.cursor))
    assert "nothing changed" in str(answer.skip_message)
