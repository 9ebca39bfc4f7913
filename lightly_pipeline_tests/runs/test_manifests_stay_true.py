"""No run changes what another run's manifest says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightly_pipeline import Dataset, LocalDatasource, RunResult, run
from lightly_pipeline.cli import main
from lightly_pipeline.datasources import Datasource, StoredObject
from lightly_pipeline.export.stored import IMAGES_FILE, store_once
from lightly_pipeline.runs.verification import verify_run, verify_runs
from lightly_pipeline_tests.support.videos import RECIPES, make_video

BY_NAME = {recipe.name: recipe for recipe in RECIPES}
N = {"n_samples": 6}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    make_video(tmp_path / "in", BY_NAME["h264.mp4"], "cam/a.mp4", seed=1)
    make_video(tmp_path / "in", BY_NAME["mpeg2.mpg"], "b.mpg", seed=2)
    return Dataset(
        "test", input=LocalDatasource(tmp_path / "in"), lightly=LocalDatasource(tmp_path / "out")
    )


def images(result: RunResult) -> list[str]:
    return [frame.image for frame in result.selected]


def all_true(dataset: Dataset) -> bool:
    checks = list(verify_runs(dataset.lightly))
    assert checks
    return all(check.is_true and check.n_images for check in checks)


def replace_a(dataset: Dataset) -> None:
    folder = Path(dataset.input.describe())
    make_video(folder, BY_NAME["h264.mp4"], "cam/a.mp4", seed=9)


def nothing(dataset: Dataset) -> None:
    pass


@pytest.mark.parametrize(
    ("worker", "pipeline", "between"),
    [
        ({"resize": 32}, {}, nothing),
        ({"resize": [20, 30]}, {}, nothing),
        ({"output_image_format": "jpg"}, {}, nothing),
        ({"output_image_format": "jpeg", "resize": 40}, {}, nothing),
        ({}, {"untagged_matrix": "by_height"}, nothing),
        ({}, {"frame_sampling": {"every_nth": 2}}, nothing),
        ({}, {}, replace_a),
        ({"resize": 32}, {}, replace_a),
    ],
)
def test_a_later_run_leaves_the_images_of_an_earlier_one(
    dataset: Dataset, worker: dict, pipeline: dict, between: Callable[[Dataset], None]
) -> None:
    first = run(dataset, selection_config=N)
    between(dataset)
    other = run(dataset, worker, selection_config=N, pipeline_config=pipeline)
    again = run(dataset, selection_config=N)
    assert first.n_selected == other.n_selected == again.n_selected == 6
    assert all_true(dataset)
    if between is nothing:
        assert images(again) == images(first)


def test_the_default_keeps_the_names_of_the_original_whatever_ran_before(dataset: Dataset) -> None:
    small = run(dataset, {"resize": 32}, selection_config=N)
    full = run(dataset, selection_config=N)
    assert all(image.startswith(".lightly/frames.32/") for image in images(small))
    assert all(image.startswith(".lightly/frames/") for image in images(full))
    names = [image.removeprefix(".lightly/frames.32/") for image in images(small)]
    assert names == [image.removeprefix(".lightly/frames/") for image in images(full)]
    assert small.images.endswith(".lightly/frames.32")
    assert all_true(dataset)


def test_a_replaced_video_gets_names_of_its_own_for_its_frames(dataset: Dataset) -> None:
    first = run(dataset, selection_config={"n_samples": 1000})
    replace_a(dataset)
    second = run(dataset, selection_config={"n_samples": 1000})
    assert all_true(dataset)
    shared = set(images(first)) & set(images(second))
    assert shared == {image for image in images(first) if "/b-" in image}
    own = sorted(set(images(second)) - shared)
    # cam/a-07-mp4.0123456789abcdef.png
    assert all(image.count(".") == 3 and image.endswith(".png") for image in own)


def test_a_second_run_finds_its_images_under_whatever_name(dataset: Dataset) -> None:
    run(dataset, selection_config=N)
    replace_a(dataset)
    second = run(dataset, selection_config=N)
    table = next(
        i for i in dataset.lightly.list(".lightly/tables/") if i.path.endswith(IMAGES_FILE)
    )
    known = json.loads(dataset.lightly.read(table.path))["images"]
    assert all(key.endswith("png resize=None") for key in known)
    again = run(dataset, selection_config=N)
    assert images(again) == images(second)
    assert again.requests == 0


def test_images_that_were_known_by_their_path_are_known_still(dataset: Dataset) -> None:
    """Datasets of the first release hold such files."""
    first = run(dataset, selection_config=N)
    for item in list(dataset.lightly.list(".lightly/tables/")):
        if item.path.endswith(IMAGES_FILE):
            document = json.loads(dataset.lightly.read(item.path))
            document["images"] = {
                f"{entry['image']} png resize=None": entry for entry in document["images"].values()
            }
            dataset.lightly.write(item.path, json.dumps(document).encode())
    before = {i.path: i.etag for i in dataset.lightly.list(".lightly/frames/")}
    assert images(run(dataset, selection_config=N)) == images(first)
    assert {i.path: i.etag for i in dataset.lightly.list(".lightly/frames/")} == before


class _Race(LocalDatasource):
    """A folder in which somebody else is faster by the length of a request."""

    def write(self, path: str, data: bytes, **conditions: Any) -> StoredObject:
        if path == "a.png" and not Path(self.location(path)).exists():
            super().write(path, b"theirs")
        return super().write(path, data, **conditions)


def test_of_two_that_arrive_together_neither_changes_the_others_image(tmp_path: Path) -> None:
    store: Datasource = _Race(tmp_path)
    path = store_once(store, lambda mark: f"a{mark}.png", b"theirs")
    assert (path, store.read(path)) == ("a.png", b"theirs")
    store = LocalDatasource(tmp_path)
    path = store_once(store, lambda mark: f"a{mark}.png", b"ours")
    assert store.read(path) == b"ours"
    assert store.read("a.png") == b"theirs"
    assert store_once(store, lambda mark: f"a{mark}.png", b"ours") == path


def test_verify_names_what_is_not_as_it_was(
    dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(dataset, selection_config=N)
    lightly = dataset.lightly.describe()
    assert main(["verify", "--lightly", lightly]) == 0
    assert "1 of 1 runs are as they were" in capsys.readouterr().out
    gone, changed, *_ = images(result)
    Path(lightly, gone).unlink()
    Path(lightly, changed).write_bytes(b"x")
    check = verify_run(dataset.lightly, result.run_id)
    assert (check.missing, check.changed) == ((gone,), (changed,))
    Path(lightly, ".lightly/runs/other").mkdir()
    Path(lightly, ".lightly/runs/other/manifest.json").write_text("{")
    assert main(["verify", "--lightly", lightly]) == 1
    printed = capsys.readouterr().out
    assert f"run {result.run_id}: 6 images, 1 missing, 1 changed" in printed
    assert gone in printed
    assert changed in printed
    assert "run other: 0 images" in printed
    assert "is not a manifest" in printed
