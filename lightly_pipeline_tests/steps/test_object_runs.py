"""Selections by objects, as a user runs them: what is chosen, what is stored, what is refused."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightly_pipeline import Dataset, RunResult, run
from lightly_pipeline.config import SelectionConfig
from lightly_pipeline.embedding import encoder_spec, load_encoder
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.runs.verification import verify_run
from lightly_pipeline.selection import select
from lightly_pipeline.selection.objects import Objects
from lightly_pipeline.video import open_video
from lightly_pipeline_tests.support.objects import (
    BLUE,
    GREEN,
    PLACES,
    RED,
    TASK,
    WHITE,
    YELLOW,
    compared_by_objects,
    make_rectangles,
    put_boxes,
    put_task,
)
from lightly_pipeline_tests.support.selections import chosen, local_dataset, put, vectors_of

pytestmark = pytest.mark.slow

N = 10
VIDEOS = ("a.mp4", "sub/b.mp4")
ODD_ONES = {("a.mp4", 7): (GREEN, YELLOW), ("sub/b.mp4", 3): (BLUE, WHITE)}
TILES = {"type": "TILING", "name": "tiles", "num_rows": 1, "num_cols": 2}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Two videos of red rectangles and two frames with others; frame 5 has one box."""
    for video in VIDEOS:
        shown = [ODD_ONES.get((video, index), (RED, RED)) for index in range(N)]
        make_rectangles(tmp_path / "in" / video, shown)
    made = local_dataset(tmp_path)
    put_task(made.lightly)
    for video in VIDEOS:
        put_boxes(made.lightly, video, boxes_of_frames(), N)
    return made


def boxes_of_frames() -> dict[int, Any]:
    return {index: PLACES[:1] if index == 5 else PLACES for index in range(N)}


def select_by(
    dataset: Dataset, config: dict[str, Any], worker: dict[str, Any] | None = None, **more: Any
) -> RunResult:
    """Runs without a report, which says nothing here."""
    worker_config = {"upload_report": False, **(worker or {})}
    return run(dataset, selection_config=config, worker_config=worker_config, **more)


def own_objects(tmp_path: Path) -> Objects:
    """The objects of all frames, cropped, scaled and embedded here."""
    encoder = load_encoder(encoder_spec())
    size = (encoder.spec.frame_input.width, encoder.spec.frame_input.height)
    crops, counts = [], []
    for video in VIDEOS:
        with open_video(tmp_path / "in" / video) as opened:
            for frame in opened.frames():
                boxes = boxes_of_frames()[frame.index]
                picture = Image.fromarray(frame.to_rgb())
                for x, y, w, h in boxes:
                    crop = picture.crop((x, y, x + w, y + h))
                    crops.append(np.asarray(crop.resize(size, Image.Resampling.BOX)))
                counts.append(len(boxes))
    batches = [encoder.encode(np.stack(crops[i : i + 8])) for i in range(0, len(crops), 8)]
    return Objects(np.concatenate(batches), np.cumsum([0, *counts]))


def test_diverse_objects_are_chosen_as_from_crops_made_by_hand(
    dataset: Dataset, tmp_path: Path
) -> None:
    config = compared_by_objects(6)
    result = select_by(dataset, config)
    assert set(ODD_ONES) < set(chosen(result)[:3])
    frames = [(video, index) for video in VIDEOS for index in range(N)]
    by_hand = select(
        vectors_of(tmp_path, frames).astype(np.float32),
        SelectionConfig.from_block(config, "selection_config"),
        objects={TASK: own_objects(tmp_path)},
    )
    assert chosen(result) == [frames[row] for row in by_hand.indices]
    assert result.summary["objects"] == {TASK: {"n_objects": 38, "frames_without": 0}}


def test_the_choice_is_the_same_however_it_is_made(dataset: Dataset) -> None:
    expected = chosen(select_by(dataset, compared_by_objects(6)))
    for memory, threads in (("half", 1), ("full", 3)):
        result = select_by(
            dataset,
            compared_by_objects(6),
            {"num_threads": threads},
            pipeline_config={"selection_memory": memory},
        )
        assert chosen(result) == expected


def test_crops_of_chosen_frames_are_stored_and_named_in_the_manifest(
    dataset: Dataset, tmp_path: Path
) -> None:
    result = select_by(dataset, compared_by_objects(3))
    images = manifest_images(dataset, result)
    assert [(i["video"], i["frame_index"]) for i in images] == chosen(result)
    for image in images:
        crops = image["crops"]
        assert [tuple(crop["box"]) for crop in crops] == list(
            boxes_of_frames()[image["frame_index"]]
        )
        frame = np.asarray(Image.open(io.BytesIO(dataset.lightly.read(image["image"]))))
        stem = image["image"].removeprefix(".lightly/frames/").removesuffix(".png")
        for number, crop in enumerate(crops):
            x, y, w, h = crop["box"]
            assert crop["image"] == f".lightly/crops/{TASK}/{stem}-{number}.png"
            pixels = np.asarray(Image.open(io.BytesIO(dataset.lightly.read(crop["image"]))))
            assert np.array_equal(pixels, frame[y : y + h, x : x + w])
    check = verify_run(dataset.lightly, result.run_id)
    assert check.is_true
    assert check.n_images == 3 + sum(len(image["crops"]) for image in images)
    lost = images[0]["crops"][0]["image"]
    dataset.lightly.delete(lost)
    assert verify_run(dataset.lightly, result.run_id).missing == (lost,)
    again = select_by(dataset, compared_by_objects(3))
    assert manifest_images(dataset, again) == images
    assert verify_run(dataset.lightly, result.run_id).is_true


def manifest_images(dataset: Dataset, result: Any) -> list[dict[str, Any]]:
    path = f".lightly/runs/{result.run_id}/manifest.json"
    images: list[dict[str, Any]] = json.loads(dataset.lightly.read(path))["images"]
    return images


def crops_in(dataset: Dataset) -> set[str]:
    return {
        item.path.removeprefix(".lightly/crops/")
        for item in dataset.lightly.list(".lightly/crops/")
    }


def test_crops_have_the_size_of_the_frame_whatever_size_its_image_has(dataset: Dataset) -> None:
    worker = {"resize": 60, "output_image_format": "jpg"}
    result = select_by(dataset, compared_by_objects(1), worker)
    (image,) = manifest_images(dataset, result)
    assert (image["width"], image["height"]) == (80, 60)
    sizes = [Image.open(io.BytesIO(dataset.lightly.read(c["image"]))).size for c in image["crops"]]
    assert sizes == [(w, h) for _, _, w, h in PLACES]
    assert all(crop["image"].endswith(".jpg") for crop in image["crops"])


def test_crops_are_stored_of_the_tasks_that_are_named(dataset: Dataset) -> None:
    both = [*compared_by_objects(2)["strategies"], *compared_by_objects(2, "tiles")["strategies"]]
    config = {"n_samples": 2, "strategies": both, "auto_tasks": [TILES]}
    select_by(dataset, config, {"crops": {"enable_upload": False}})
    assert crops_in(dataset) == set()
    named = {"crops": {"enable_upload_for_tasks": ["tiles"]}}
    select_by(dataset, config, named)
    assert {path.split("/")[0] for path in crops_in(dataset)} == {"tiles"}
    assert len(crops_in(dataset)) == 4
    select_by(dataset, config)
    assert {path.split("/")[0] for path in crops_in(dataset)} == {"tiles", TASK}
    wrong = {"crops": {"enable_upload_for_tasks": ["tile"]}}
    with pytest.raises(InvalidConfigurationError, match=r"enable_upload_for_tasks.*mean tiles"):
        select_by(dataset, config, wrong)


def test_a_sequence_has_the_objects_of_all_its_frames(dataset: Dataset) -> None:
    result = select_by(
        dataset,
        compared_by_objects(6),
        {"selected_sequence_length": 2},
    )
    first = [frame for frame in chosen(result) if frame[1] % 2 == 0]
    assert {("a.mp4", 6), ("sub/b.mp4", 2)} < set(first)


def test_a_datapool_keeps_away_from_objects_that_it_has(dataset: Dataset, tmp_path: Path) -> None:
    pool = {"use_datapool": True}
    first = select_by(dataset, compared_by_objects(3), pool)
    assert set(ODD_ONES) < set(chosen(first))
    (tmp_path / "in" / "a.mp4").unlink()
    shown = [(RED, RED), (GREEN, YELLOW), (BLUE, WHITE), (WHITE, (0, 0, 0)), (RED, RED)]
    make_rectangles(tmp_path / "in" / "c.mp4", shown)
    put_boxes(dataset.lightly, "c.mp4", dict.fromkeys(range(5), PLACES), 5)
    second = select_by(dataset, compared_by_objects(1), pool)
    # Of the deleted video, the objects are still there.
    assert chosen(second) == [("c.mp4", 3)]


def test_objects_like_those_of_a_tag_are_preferred(dataset: Dataset, tmp_path: Path) -> None:
    other = {
        "n_samples": 1,
        "strategies": [
            {
                "input": {"type": "METADATA", "key": "lightly.meanGreen"},
                "strategy": {"type": "WEIGHTS"},
            },
            *compared_by_objects(1)["strategies"],
        ],
    }
    green = select_by(dataset, other)
    assert chosen(green) == [("a.mp4", 7)]
    query = {"type": "EMBEDDINGS", "task": TASK, "tag_name": green.tag}
    config = {"n_samples": 2, "strategies": [{"input": query, "strategy": {"type": "SIMILARITY"}}]}
    result = select_by(dataset, config)
    assert chosen(result)[0] == ("a.mp4", 7)
    # Of another dataset, objects are those that it has embedded.
    stranger, empty = local_dataset(tmp_path, "stranger"), local_dataset(tmp_path / "no", "empty")
    shutil.copytree(tmp_path / "out/.lightly/tags", tmp_path / "no/out/.lightly/tags")
    query["dataset_id"] = empty.dataset_id
    with pytest.raises(LightlyPipelineError, match="none of its 1 frames has objects of task thin"):
        select_by(dataset, config, others=[empty])
    query["dataset_id"] = stranger.dataset_id
    assert chosen(select_by(dataset, config, others=[stranger]))[0] == ("a.mp4", 7)


def test_bad_predictions_are_reported_with_the_run(dataset: Dataset) -> None:
    put_boxes(dataset.lightly, "a.mp4", {1: [(0, 0, -1, 5)], 2: [(900, 0, 9, 9)]}, N)
    result = select_by(dataset, compared_by_objects(3))
    path = f".lightly/runs/{result.run_id}/input_problems.json"
    problems = json.loads(dataset.lightly.read(path))
    assert sorted(Path(location).name for location in problems) == [
        "a-01-mp4.json",
        "a-02-mp4.json",
    ]
    assert result.summary["skipped_prediction_files"] == 2
    assert result.summary["objects"][TASK]["frames_without"] == 2


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (compared_by_objects(3, "thing"), r"'thing' is neither .* did you mean things\?"),
        (compared_by_objects(3, "tile", auto_tasks=[TILES]), r"did you mean tiles\?"),
        (
            compared_by_objects(3, auto_tasks=[{**TILES, "name": TASK}]),
            "give the auto task another",
        ),
        (compared_by_objects(3, "kinds"), "kinds is classification, which has no boxes"),
        (compared_by_objects(3, auto_tasks=[{**TILES, "overlap": 1.5}]), "overlap is 1.5"),
    ],
)
def test_a_mistake_ends_the_run_before_anything_is_decoded(
    dataset: Dataset, config: dict[str, Any], message: str
) -> None:
    put_task(dataset.lightly, "kinds", "classification")
    put(dataset.lightly, "predictions/tasks.json", [TASK, "kinds"])
    with pytest.raises(InvalidConfigurationError, match=message):
        select_by(dataset, config)
    assert list(dataset.lightly.list(".lightly/tables/")) == []


def test_dagster_makes_objects_with_the_partitions_of_their_videos(dataset: Dataset) -> None:
    import dagster as dg

    from lightly_pipeline import build_definitions

    definitions = build_definitions(dataset)
    by_name = {
        key.path[-1]: asset
        for asset in definitions.assets or ()
        if isinstance(asset, dg.AssetsDefinition)
        for key in asset.keys
    }
    every_video = {
        "dagster/asset_partition_range_start": VIDEOS[0],
        "dagster/asset_partition_range_end": VIDEOS[-1],
    }

    def materialize(asset: str, config: dict[str, Any], **tags: str) -> bool:
        return dg.materialize(
            [by_name[asset]],
            instance=instance,
            resources=definitions.resources,
            run_config={"resources": {"selection_config": {"config": config}}},
            tags=tags,
            raise_on_error=False,
        ).success

    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize("video_catalog", {"n_samples": 3})
        assert materialize("video_frames", {"n_samples": 3}, **every_video)
        # The tables are there, and no objects yet.
        assert not materialize("selected_frames", compared_by_objects(3))
        assert materialize("video_frames", compared_by_objects(3), **every_video)
        assert materialize("selected_frames", compared_by_objects(3))
    assert len(crops_in(dataset)) in (5, 6)
