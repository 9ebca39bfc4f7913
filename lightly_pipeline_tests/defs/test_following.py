"""How far a run is, as Dagster shows it."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from lightly_pipeline import Dataset, LocalDatasource, build_definitions
from lightly_pipeline.defs.following import IN_HAND_TAG, PROGRESS_TAG, following
from lightly_pipeline.progress import ProgressMeter
from lightly_pipeline_tests.support.videos import RECIPES, make_video

pytestmark = pytest.mark.slow


@pytest.fixture(params=["memory", "disk"])
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    made = (
        dg.DagsterInstance.ephemeral()
        if request.param == "memory"
        else dg.DagsterInstance.local_temp(str(tmp_path))
    )
    with made as instance:
        yield instance


def messages(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    return [entry.user_message for entry in instance.all_logs(run_id) if entry.level >= 10]


def test_tags_and_log_follow_the_run_while_it_runs(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightly_pipeline.progress.watcher._LOOK_S", 0.01)
    monkeypatch.setattr("lightly_pipeline.progress.watcher._MIN_INTERVAL_S", 0.05)
    monkeypatch.setattr("lightly_pipeline.progress.watcher._SHARE_OF_TIME", 0.0)
    seen: list[dict[str, str]] = []

    @dg.op
    def work(context: dg.OpExecutionContext) -> None:
        meter = ProgressMeter()
        with following(context, meter):
            step = meter.begin("decode", "frames", sizes=[5, 5])
            with step.item("a.mp4", 5, total=100) as item:
                item.add(25)
                while PROGRESS_TAG not in (tags := tags_of(context.run_id)):
                    time.sleep(0.01)
                seen.append(tags)

    def tags_of(run_id: str) -> dict[str, str]:
        return instance.get_run_by_id(run_id).tags

    @dg.job
    def job() -> None:
        work()

    result = job.execute_in_process(instance=instance)
    (during,) = seen
    assert during[PROGRESS_TAG] == "Decoding and embedding: 12 %, 0 of 2 videos"
    assert re.fullmatch(r"a\.mp4 \(\d+ s, 25 %\)", during[IN_HAND_TAG])
    after = tags_of(result.run_id)
    assert after[PROGRESS_TAG].startswith("Decoding and embedding: 25 frames of 2 videos in ")
    assert after[IN_HAND_TAG] == "-"
    log = messages(instance, result.run_id)
    assert any(
        line.startswith("Decoding and embedding: 25 of about 200 frames (12 %)") for line in log
    )


@pytest.mark.parametrize("job", ["run_job", "catalog_job"])
def test_every_job_tells_of_its_steps(
    instance: dg.DagsterInstance, tmp_path: Path, job: str
) -> None:
    recipe = next(recipe for recipe in RECIPES if recipe.name == "h264.mp4")
    make_video(tmp_path / "in", recipe, "a.mp4", seed=1)
    dataset = Dataset(
        "street", input=LocalDatasource(tmp_path / "in"), lightly=LocalDatasource(tmp_path / "out")
    )
    result = (
        build_definitions(dataset)
        .resolve_job_def(f"street_{job}")
        .execute_in_process(
            run_config={"resources": {"selection_config": {"config": {"n_samples": 2}}}},
            instance=instance,
        )
    )
    log = "\n".join(messages(instance, result.run_id))
    assert "Listing videos: 1 videos in " in log
    last = instance.get_run_by_id(result.run_id).tags[PROGRESS_TAG]
    if job == "run_job":
        assert "Decoding and embedding: " in log
        assert "Writing images: 2 images in " in log
        assert last.startswith("Writing the report: ")
    else:
        assert last.startswith("Listing videos: ")
