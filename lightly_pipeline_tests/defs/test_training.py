"""A dataset whose declaration trains, in Dagster: an asset between the listing and the frames."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from lightly_pipeline import Dataset, build_definitions, run
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.steps.setup import Run, resolve_config
from lightly_pipeline_tests.support.training import SMALL, TRAIN, N, dataset_of, make_videos

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("encoders_folder")]
DECLARED = {"worker_config": TRAIN, "lightly_config": SMALL, "selection_config": N}
KEY = dg.AssetKey(["cams", "trained_model"])


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_videos(tmp_path_factory.mktemp("videos"), 2)


@pytest.fixture
def dataset(videos: Path, tmp_path: Path) -> Dataset:
    return dataset_of(videos, tmp_path / "out", **DECLARED)


def execute(
    definitions: dg.Definitions, instance: dg.DagsterInstance, job: str, **options: object
) -> dg.ExecuteInProcessResult:
    found = definitions.resolve_job_def(f"cams_{job}_job")
    return found.execute_in_process(instance=instance, raise_on_error=False, **options)


def all_keys(instance: dg.DagsterInstance) -> dict[str, str]:
    keys = instance.get_dynamic_partitions("cams_videos")
    return {
        "dagster/asset_partition_range_start": keys[0],
        "dagster/asset_partition_range_end": keys[-1],
    }


def tables(dataset: Dataset) -> set[str]:
    folder = Path(dataset.lightly.location(".lightly/tables"))
    return {path.name for path in folder.iterdir() if path.is_dir()}


def failure(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return str(event.step_failure_data.error.message) + str(
        event.step_failure_data.user_failure_data
    )


def test_the_model_is_trained_between_the_listing_and_the_frames(dataset: Dataset) -> None:
    definitions = build_definitions(dataset)
    graph = definitions.resolve_asset_graph()
    for name in ("video_frames", "frame_embeddings"):
        assert KEY in graph.get(dg.AssetKey(["cams", name])).parent_keys
    with dg.DagsterInstance.ephemeral() as instance:
        assert execute(definitions, instance, "catalog").success
        tags = all_keys(instance)
        early = execute(definitions, instance, "videos", tags=tags)
        assert "materialize trained_model" in failure(early)
        assert execute(definitions, instance, "training").success
        event = instance.get_latest_materialization_event(KEY)
        metadata = event.asset_materialization.metadata
        assert metadata["epochs"].value == 3
        assert metadata["videos"].value == 3
        assert metadata["frames"].value == 80
        assert "| 3 | " in metadata["loss"].value
        assert f"| {metadata['final_loss'].value:.4f} |" in metadata["loss"].value
        assert execute(definitions, instance, "videos", tags=tags).success
        assert execute(definitions, instance, "selection").success
        assert tables(dataset) == {Run(dataset, resolve_config(dataset), "any").table_id}
        # The run that does everything finds all of it done.
        done = execute(definitions, instance, "run")
        assert done.success
        events = [e for e in done.all_events if e.is_step_materialization]
        assert KEY not in {event.asset_key for event in events}


def test_automation_trains_once_and_then_takes_every_new_video(
    videos: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(videos, tmp_path / "in"))
    dataset = dataset_of(own, tmp_path / "out", **DECLARED)
    definitions = build_definitions(dataset)
    embeddings = dg.AssetKey(["cams", "frame_embeddings"])
    with dg.DagsterInstance.ephemeral() as instance:
        cursor = None

        def requested(hours: float = 0) -> tuple[bool, set[str]]:
            nonlocal cursor
            result = dg.evaluate_automation_conditions(
                definitions,
                instance,
                cursor=cursor,
                evaluation_time=datetime.now(UTC) + timedelta(hours=hours),
            )
            cursor = result.cursor
            taken = {key for key in result.get_requested_partitions(embeddings) if key}
            return bool(result.get_num_requested(KEY)), taken

        assert requested() == (False, set())
        assert execute(definitions, instance, "catalog").success
        assert requested() == (True, set())
        # A training that failed is tried again within the hour.
        not_there = {"resources": {"lightly_config": {"config": {"model": {"name": "resnet-7"}}}}}
        assert not execute(definitions, instance, "training", run_config=not_there).success
        assert requested() == (False, set())
        assert requested(hours=1) == (True, set())
        assert execute(definitions, instance, "training").success
        trained, taken = requested(hours=1)
        assert (trained, len(taken)) == (False, 3)
        assert execute(definitions, instance, "videos", tags=all_keys(instance)).success
        shutil.copy(own / "0.mp4", own / "new.mp4")
        assert execute(definitions, instance, "catalog").success
        assert requested(hours=1) == (False, {"new.mp4"})


def test_a_launch_trains_in_the_run_that_does_everything(videos: Path, tmp_path: Path) -> None:
    plain = dataset_of(videos, tmp_path / "out")
    definitions = build_definitions(plain)
    launch = {
        "resources": {
            "worker_config": {"config": TRAIN},
            "lightly_config": {"config": SMALL},
            "selection_config": {"config": N},
        }
    }
    with dg.DagsterInstance.ephemeral() as instance:
        assert execute(definitions, instance, "run", run_config=launch).success
        event = instance.get_latest_materialization_event(KEY)
        assert event.asset_materialization.metadata["epochs"].value == 3
        assert [name.startswith("resnet-9-") for name in tables(plain)] == [True]


def test_a_launch_that_turns_training_off_has_nothing_to_materialize(dataset: Dataset) -> None:
    definitions = build_definitions(dataset)
    off = {"resources": {"worker_config": {"config": {"enable_training": False}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        assert execute(definitions, instance, "catalog").success
        result = execute(definitions, instance, "training", run_config=off)
        assert "there is nothing to train" in failure(result)
        with pytest.raises(
            LightlyPipelineError, match="has no model yet that was trained with these"
        ):
            _ = Run(dataset, resolve_config(dataset), "any").encoder
        default = {"model": {"name": "default"}}
        assert run(dataset, {"enable_training": False}, default).n_selected == 6
