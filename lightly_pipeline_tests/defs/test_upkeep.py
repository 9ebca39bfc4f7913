"""The jobs that look after a dataset: cleaning, and telling a new instance what there is."""

from pathlib import Path

import dagster as dg
import pytest

from lightly_pipeline import build_definitions, run
from lightly_pipeline.defs.events import known_versions
from lightly_pipeline.layout import frame_path
from lightly_pipeline_tests.support.selections import N_FRAMES, local_dataset

pytestmark = pytest.mark.slow
N = {"n_samples": 3}


def launch(
    folder: Path, job: str, instance: dg.DagsterInstance, **config: object
) -> dg.ExecuteInProcessResult:
    definitions = build_definitions(local_dataset(folder))
    ops = {"ops": {f"test_{job}": {"config": config}}} if config else {}
    return definitions.resolve_job_def(f"test_{job}_job").execute_in_process(ops, instance=instance)


def test_the_clean_job_changes_nothing_unless_told(prepared_folder: Path) -> None:
    dataset = local_dataset(prepared_folder)
    image = frame_path("a.mp4", 39, N_FRAMES, "png")
    dataset.lightly.write(image, b"image")
    with dg.DagsterInstance.ephemeral() as instance:
        assert launch(prepared_folder, "clean", instance, older_than_days=0).success
        assert dataset.lightly.stat(image)
        done = launch(prepared_folder, "clean", instance, older_than_days=0, delete=True)
        assert done.success
        assert not dataset.lightly.stat(image)
        wrong = launch_failing(prepared_folder, instance, unused_days=-1)
        assert "unused_days -1" in wrong


def launch_failing(folder: Path, instance: dg.DagsterInstance, **config: object) -> str:
    with pytest.raises(dg.Failure) as failure:
        launch(folder, "clean", instance, **config)
    return str(failure.value.description)


def test_a_new_instance_is_told_what_there_is_and_wants_nothing_done(
    prepared_folder: Path,
) -> None:
    dataset = local_dataset(prepared_folder)
    for run_id in ("first", "second"):
        run(dataset, selection_config=N, run_id=run_id)
    definitions = build_definitions(dataset)
    with dg.DagsterInstance.ephemeral() as instance:
        done = launch(prepared_folder, "rebuild", instance)
        assert done.success
        assert len(instance.get_dynamic_partitions("test_videos")) == 3
        for name in ("video_frames", "frame_embeddings"):
            assert len(known_versions(instance, dg.AssetKey(["test", name]))) == 3
        key = dg.AssetKey(["test", "uploaded_frames"])
        last = instance.get_latest_materialization_event(key)
        assert last is not None
        assert last.asset_materialization is not None
        assert last.asset_materialization.metadata["run"].value == "second"
        n_events = len(done.get_asset_materialization_events())
        # videos and their two assets, the catalogue, and two events of each run
        assert n_events == 3 + 2 * 3 + 1 + 2 * 2
        ticks = dg.evaluate_automation_conditions(definitions, instance)
        assert ticks.total_requested == 0
        # A second time there is nothing new but the listing.
        again = launch(prepared_folder, "rebuild", instance)
        assert len(again.get_asset_materialization_events()) == 1


def test_an_instance_that_is_told_of_the_listing_alone_wants_it_all_again(
    prepared_folder: Path,
) -> None:
    definitions = build_definitions(local_dataset(prepared_folder))
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def("test_catalog_job")
        assert job.execute_in_process(instance=instance).success
        assert dg.evaluate_automation_conditions(definitions, instance).total_requested == 6
