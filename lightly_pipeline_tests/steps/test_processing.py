"""In which order videos are worked on, and what is heard of it."""

import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from lightly_pipeline import Dataset, LocalDatasource, run
from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.progress import ProgressMeter
from lightly_pipeline.steps.processing import work_order
from lightly_pipeline_tests.support.videos import RECIPES, make_video

BY_NAME = {recipe.name: recipe for recipe in RECIPES}


def videos(n: int) -> list[StoredObject]:
    return [StoredObject(f"{size:04d}.mp4", size, "") for size in range(n)]


@pytest.mark.parametrize("n", [0, 1, 5, 63])
def test_few_videos_are_worked_on_from_the_longest(n: int) -> None:
    assert work_order(videos(n)) == videos(n)[::-1]


@pytest.mark.parametrize("n", [64, 100, 999])
def test_of_many_all_sizes_come_early_and_the_others_from_the_longest(n: int) -> None:
    order = work_order(reversed(videos(n)))
    assert sorted(order, key=lambda video: video.path) == videos(n)
    longest = [video.size_bytes for video in order[0:32:2]]
    assert longest[:2] == [n - 1, n - 2]
    assert longest == sorted(longest, reverse=True)
    early = sorted(video.size_bytes for video in order[:32])
    assert early[0] < n / 20
    assert max(b - a for a, b in pairwise(early)) <= n / 16 + 1
    rest = [video.size_bytes for video in order[32:]]
    assert rest == sorted(rest, reverse=True)


@pytest.mark.slow
def test_a_run_tells_of_every_step_and_every_frame(tmp_path: Path) -> None:
    first = make_video(tmp_path / "in", BY_NAME["h264.mp4"], "a.mp4", seed=1)
    shutil.copy(first, tmp_path / "in" / "b.mp4")
    (tmp_path / "in" / "broken.mp4").write_text("no video")
    data = Dataset(
        "d", input=LocalDatasource(tmp_path / "in"), lightly=LocalDatasource(tmp_path / "out")
    )
    totals: list[int | None] = []

    def listen(step: str, done: int, total: int | None, unit: str) -> None:
        if step == "decode":
            totals.append(total)

    meter = ProgressMeter(listen)
    result = run(data, selection_config={"n_samples": 4}, progress=meter)
    views = {view.step: view for view in meter.views()}
    steps = ["list", "decode", "load", "select", "upload", "report", "upload_report"]
    assert list(views) == steps
    assert all(view.is_over for view in views.values())
    assert views["list"].done == 3
    decoded = views["decode"]
    assert (decoded.done, decoded.items_done) == (result.n_input_frames, 3)
    assert decoded.in_hand == ()
    # Known by what the containers declare, before any video is over.
    assert totals[1] == pytest.approx(result.n_input_frames, abs=2)
    assert (views["upload"].done, views["upload"].total) == (4, 4)
    again = ProgressMeter()
    run(data, selection_config={"n_samples": 4}, progress=again)
    assert [view.items_total for view in again.views() if view.step == "decode"] == [0]
