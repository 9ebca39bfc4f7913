"""Exported runs are read back by the tools' own readers, or by what reads their format."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from lightly_pipeline import Dataset, RunResult, export_run, run
from lightly_pipeline.errors import (
    InvalidConfigurationError,
    LightlyPipelineError,
    RunNotFoundError,
    TagNotFoundError,
)
from lightly_pipeline.handover.export import FORMATS, TOOLS, ExportResult
from lightly_pipeline.runs.own_tags import create_tag
from lightly_pipeline_tests.support.bulk import write_files, write_lines, write_parquet
from lightly_pipeline_tests.support.predicted import (
    BOX,
    CATEGORIES,
    POINTS,
    TASKS,
    hole,
    predicted_run,
)
from lightly_pipeline_tests.support.selections import N_FRAMES, frame_file, local_dataset, put
from lightly_pipeline_tests.support.videos import HEIGHT, WIDTH

pytestmark = pytest.mark.slow

Made = tuple[Dataset, RunResult]


@pytest.fixture(scope="module")
def made(prepared_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A run whose images are as large as the frames."""
    return run_of(prepared_dataset, tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def small(prepared_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A run whose images are half as large."""
    folder = tmp_path_factory.mktemp("small")
    return run_of(prepared_dataset, folder, worker_config={"resize": HEIGHT // 2})


def run_of(prepared: Path, folder: Path, **blocks: Any) -> Made:
    shutil.copytree(prepared, folder / "data", copy_function=shutil.copy2)
    return predicted_run(folder / "data", **blocks)


def export(made: Made, out: Path, to: str, **options: Any) -> ExportResult:
    return export_run(made[0].lightly, to=to, out=out, **options)


def test_csv_and_parquet_hold_every_frame_and_prediction(made: Made, tmp_path: Path) -> None:
    dataset, result = made
    told = export(made, tmp_path / "csv", "csv")
    assert (told.run_id, told.n_frames, told.n_predictions) == (result.run_id, 5, 25)
    with (tmp_path / "csv" / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    manifest = json.loads(Path(result.manifest).read_text())
    assert [int(row["rank"]) for row in rows] == list(range(5))
    for row, image in zip(rows, manifest["images"], strict=True):
        assert row["location"] == dataset.lightly.location(image["image"])
        assert (row["video"], int(row["frame_index"])) == (image["video"], image["frame_index"])
        assert (int(row["pts"]), float(row["time_s"])) == (image["pts"], image["time_s"])
        assert row["decided_by"] == "DIVERSITY of EMBEDDINGS"
    assert rows[0]["distance"] == ""

    export(made, tmp_path / "parquet", "parquet")
    table = pq.read_table(tmp_path / "parquet" / "frames.parquet")
    assert table.num_rows == 5
    assert str(table.schema.field("pts").type) == "int64"
    predictions = pq.read_table(tmp_path / "parquet" / "predictions.parquet").to_pylist()
    assert {row["task"] for row in predictions} == set(TASKS)
    box = next(row for row in predictions if row["task"] == "boxes")
    assert (box["x"], box["y"], box["width"], box["height"]) == BOX
    mask = next(row for row in predictions if row["task"] == "scene")
    assert sum(mask["mask"]) == WIDTH * HEIGHT


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_predictions_of_a_file_for_many_frames_are_handed_over_as_files_of_frames_are(
    made: Made, tmp_path: Path, ending: str
) -> None:
    shutil.copytree(made[0].lightly.location(""), tmp_path / "out")
    folder = tmp_path / "out" / ".lightly" / "predictions"
    frame = made[1].selected[0]
    own = frame_file(frame.video, frame.frame_index)
    for task in TASKS:
        files = {f.relative_to(folder / task): f for f in (folder / task).rglob("*-mp4.json")}
        said = [
            {"file_name": str(name.with_suffix(".png")), **json.loads(file.read_text())}
            for name, file in files.items()
        ]
        for file in files.values():
            file.unlink()
        write = write_lines if ending == "jsonl" else write_parquet
        write(folder / task / f"predictions.{ending}", said)
    for place, name in ((made[0].lightly, "files"), (tmp_path / "out", "lines")):
        export_run(place, to="parquet", out=tmp_path / name)
    tables = [pq.read_table(tmp_path / name / "predictions.parquet") for name in ("files", "lines")]
    assert tables[0].equals(tables[1])
    # The frame's own file goes over its line; where it is wrong, the line holds.
    write_files(folder / "boxes", {own: {"predictions": []}})
    write_files(folder / "poses", {own: {"predictions": [{"category_id": 99}]}})
    told = export_run(tmp_path / "out", to="csv", out=tmp_path / "csv")
    assert told.n_predictions == 24
    (reason,) = told.skipped.values()
    assert "category_id 99 is not in the task's schema" in reason


def test_without_predictions_there_are_frames_alone(made: Made, tmp_path: Path) -> None:
    shutil.copytree(made[0].lightly.location(""), tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / ".lightly" / "predictions")
    for to in TOOLS:
        told = export_run(tmp_path / "out", to=to, out=tmp_path / to)
        assert (told.n_frames, told.n_predictions) == (5, 0)
    assert not (tmp_path / "csv" / "predictions.csv").exists()


@pytest.mark.parametrize("size", ["whole", "half"])
def test_pycocotools_reads_coco(
    size: str, made: Made, small: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    source, share = (made, 1) if size == "whole" else (small, 2)
    export(source, tmp_path, "coco")
    found = {
        task: coco.COCO(tmp_path / "annotations" / f"{task}.json")
        for task in TASKS
        if task != "cars/v2"
    }
    first = found["boxes"]
    assert [c["name"] for c in first.loadCats(first.getCatIds())] == list(CATEGORIES)
    images = first.loadImgs(first.getImgIds())
    assert [(i["video"], i["frame_index"]) for i in images] == [
        (frame.video, frame.frame_index) for frame in source[1].selected
    ]
    for image in images:
        assert image["location"] == source[0].lightly.location(
            next(f.image for f in source[1].selected if f.image.endswith(image["file_name"]))
        )
        with Image.open(tmp_path / "images" / image["file_name"]) as opened:
            assert opened.size == (image["width"], image["height"])
        assert image["classifications"]["cars/v2"] == [{"label": "car", "score": 0.625}]
        (box,) = first.loadAnns(first.getAnnIds(image["id"]))
        assert box["bbox"] == [value / share for value in BOX]
        assert box["score"] == 0.75
        for task in ("instances", "scene"):
            (annotation,) = found[task].loadAnns(found[task].getAnnIds(image["id"]))
            mask = found[task].annToMask(annotation)
            assert np.array_equal(mask > 0, hole()[share // 2 :: share, share // 2 :: share])
            assert annotation["area"] == mask.sum()
        (pose,) = found["poses"].loadAnns(found["poses"].getAnnIds(image["id"]))
        expected = [v for x, y, s in POINTS for v in (x / share, y / share, 2 if s else 0)]
        assert pose["keypoints"] == expected
        assert pose["num_keypoints"] == 2
    category = found["poses"].loadCats(3)[0]
    assert category["keypoints"] == ["nose", "neck", "tail"]
    assert category["skeleton"] == [[1, 2], [2, 3]]


def test_labelformat_reads_the_boxes_of_coco_cvat_and_yolo(small: Made, tmp_path: Path) -> None:
    formats = pytest.importorskip("labelformat.formats")
    for to in ("coco", "cvat", "yolo"):
        export(small, tmp_path / to, to, task="boxes")
    readers = (
        formats.COCOObjectDetectionInput(tmp_path / "coco" / "annotations" / "boxes.json"),
        formats.CVATObjectDetectionInput(tmp_path / "cvat" / "annotations.xml"),
        formats.YOLOv8ObjectDetectionInput(tmp_path / "yolo" / "data.yaml", "train"),
    )
    for reader in readers:
        assert [category.name for category in reader.get_categories()] == list(CATEGORIES)
        labels = list(reader.get_labels())
        assert len(labels) == 5
        for label in labels:
            assert (label.image.width, label.image.height) == (WIDTH // 2, HEIGHT // 2)
            (thing,) = label.objects
            assert thing.category.name == CATEGORIES[1]
            corners = (thing.box.xmin, thing.box.ymin, thing.box.xmax, thing.box.ymax)
            assert corners == pytest.approx((8, 6, 28, 21))


def test_yolo_gives_outlines_for_masks_and_names_frames_beside_them(
    made: Made, tmp_path: Path
) -> None:
    with pytest.raises(InvalidConfigurationError, match="boxes, instances, poses, scene"):
        export(made, tmp_path / "all", "yolo")
    export(made, tmp_path / "yolo", "yolo", task="scene")
    description = yaml.safe_load((tmp_path / "yolo" / "data.yaml").read_text())
    assert description == {"train": "images", "val": "images", "names": dict(enumerate(CATEGORIES))}
    files = sorted((tmp_path / "yolo" / "labels").rglob("*.txt"))
    images = sorted((tmp_path / "yolo" / "images").rglob("*.png"))
    assert [f.relative_to(tmp_path / "yolo" / "labels").with_suffix("") for f in files] == [
        f.relative_to(tmp_path / "yolo" / "images").with_suffix("") for f in images
    ]
    (line,) = files[0].read_text().splitlines()
    assert filled(line, WIDTH, HEIGHT)[0] == 1
    assert np.array_equal(filled(line, WIDTH, HEIGHT)[1], hole())
    assert (tmp_path / "yolo" / "frames.csv").read_text().count("\n") == 6


def filled(line: str, width: int, height: int) -> tuple[int, np.ndarray]:
    """Reads a line of YOLO's outlines: the class, and the pixels by the even-odd rule."""
    category, *shares = line.split()
    numbers = np.array(shares, dtype=float).reshape(-1, 2) * (width, height)
    points = [(round(x), round(y)) for x, y in numbers]
    picture = np.zeros((height, width), dtype=bool)
    for (x, start), (other, end) in zip(points, [*points[1:], points[0]], strict=True):
        if x == other:
            picture[min(start, end) : max(start, end), x:] ^= True
    return int(category), picture


def test_a_folder_called_images_does_not_lead_yolo_astray(tmp_path: Path) -> None:
    from lightly_pipeline.handover.yolo import image_path

    frame = type("Frame", (), {"name": "images/a/images/b-0-mp4.png"})()
    assert image_path(frame) == "images/%images/a/%images/b-0-mp4.png"


def test_cvat_takes_masks_points_classes_and_boxes(made: Made, tmp_path: Path) -> None:
    export(made, tmp_path, "cvat")
    root = ET.parse(tmp_path / "annotations.xml").getroot()
    assert [name.text for name in root.iterfind("meta/task/labels/label/name")] == list(CATEGORIES)
    images = root.findall("image")
    assert [image.get("frame_index") for image in images] == [
        str(frame.frame_index) for frame in made[1].selected
    ]
    for image in images:
        assert (tmp_path / "images" / str(image.get("name"))).exists()
        kinds = [(shape.tag, shape.find("attribute[@name='task']").text) for shape in image]
        assert kinds == [
            ("box", "boxes"),
            ("tag", "cars/v2"),
            ("mask", "instances"),
            ("points", "poses"),
            ("box", "poses"),
            ("mask", "scene"),
        ]
        mask = image.find("mask")
        left, top, width, height = (
            int(mask.get(key)) for key in ("left", "top", "width", "height")
        )
        runs = [int(number) for number in mask.get("rle").split(",")]
        pixels = np.repeat(np.arange(len(runs)) % 2 > 0, runs).reshape(height, width)
        assert np.array_equal(pixels, hole()[top : top + height, left : left + width])
    labels = json.loads((tmp_path / "labels.json").read_text())
    assert [label["name"] for label in labels] == list(CATEGORIES)


def test_label_studio_names_images_where_they_are(made: Made, tmp_path: Path) -> None:
    export(made, tmp_path, "label-studio")
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    for task, frame in zip(tasks, made[1].selected, strict=True):
        location = made[0].lightly.location(frame.image)
        assert task["data"]["image"] == f"/data/local-files/?d={location[1:]}"
        assert task["data"]["frame_index"] == frame.frame_index
    controls = {
        element.get("name"): element.tag
        for element in ET.parse(tmp_path / "interface.xml").getroot()
        if element.get("toName")
    }
    for prediction in tasks[0]["predictions"]:
        for result in prediction["result"]:
            assert controls[result["from_name"]].lower() == result["type"]
    box = next(p for p in tasks[0]["predictions"] if p["model_version"] == "boxes")["result"][0]
    assert box["value"] == {
        "x": 10,
        "y": 10,
        "width": 25,
        "height": 25,
        "rotation": 0,
        "rectanglelabels": [CATEGORIES[1]],
    }


def test_signed_urls_stand_in_place_of_paths(made: Made, tmp_path: Path) -> None:
    export(made, tmp_path, "label-studio", signed_urls=True)
    task = json.loads((tmp_path / "tasks.json").read_text())[0]
    assert task["data"]["image"].startswith("file:///")


def test_datumaro_groups_what_belongs_together(made: Made, tmp_path: Path) -> None:
    export(made, tmp_path, "datumaro")
    document = json.loads((tmp_path / "annotations" / "default.json").read_text())
    item = document["items"][0]
    assert (tmp_path / "images" / "default" / item["image"]["path"]).exists()
    assert item["attr"]["frame_index"] == made[1].selected[0].frame_index
    kinds = [annotation["type"] for annotation in item["annotations"]]
    assert kinds == ["bbox", "label", "mask", "points", "bbox", "mask"]
    points, box = item["annotations"][3:5]
    assert points["group"] == box["group"] != 0


def test_fiftyone_gets_shares_of_the_image(small: Made, tmp_path: Path) -> None:
    export(small, tmp_path, "fiftyone")
    samples = json.loads((tmp_path / "samples.json").read_text())["samples"]
    for sample, frame in zip(samples, small[1].selected, strict=True):
        assert (tmp_path / sample["filepath"]).exists()
        assert sample["frame_index"] == frame.frame_index
        assert sample["boxes"]["detections"][0]["bounding_box"] == [0.1, 0.1, 0.25, 0.25]
        assert sample["cars_v2"]["classifications"][0]["label"] == "car"


def test_images_are_left_where_they_are_on_demand(made: Made, tmp_path: Path) -> None:
    told = export(made, tmp_path, "coco", copy_images=False)
    assert told.n_images == 0
    assert not (tmp_path / "images").exists()
    image = json.loads((tmp_path / "annotations" / "boxes.json").read_text())["images"][0]
    assert Path(image["location"]).exists()
    with pytest.raises(InvalidConfigurationError, match="csv reads images where they are"):
        export(made, tmp_path / "b", "csv", copy_images=True)


def test_an_export_goes_on_and_touches_nothing_else(made: Made, tmp_path: Path) -> None:
    for _ in range(2):
        export(made, tmp_path / "out", "coco", task="boxes")
    with pytest.raises(LightlyPipelineError, match="holds something else"):
        export(made, tmp_path / "out", "yolo", task="boxes")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(LightlyPipelineError, match=r"something else \(letter.txt\)"):
        export(made, tmp_path / "mine", "csv")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_an_image_that_was_changed_since_is_named(made: Made, tmp_path: Path) -> None:
    shutil.copytree(made[0].lightly.location(""), tmp_path / "out")
    image = tmp_path / "out" / made[1].selected[2].image
    image.write_bytes(b"something else")
    with pytest.raises(LightlyPipelineError, match=f"{image.name} is not the image"):
        export_run(tmp_path / "out", to="coco", out=tmp_path / "coco")
    assert not (tmp_path / "coco" / "annotations").exists()
    assert export_run(tmp_path / "out", to="csv", out=tmp_path / "csv").n_frames == 5


def test_bad_predictions_are_left_out_and_reported(
    made: Made, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(made[0].lightly.location(""), tmp_path / "out")
    store = local_dataset(tmp_path).lightly
    frame = made[1].selected[0]
    name = Path(frame.image).relative_to(".lightly/frames").with_suffix("")
    wrong = {"predictions": [{"category_id": 99, "bbox": [1, 2, 3, 4], "score": 1}]}
    put(store, f"predictions/boxes/{name}.json", wrong)
    short = {"predictions": [{"category_id": 3, "segmentation": [5, 5], "score": 1}]}
    put(store, f"predictions/scene/{name}.json", short)
    put(store, "predictions/poses/schema.json", {"task_type": "guess"})
    told = export_run(store, to="csv", out=tmp_path / "csv")
    assert told.n_predictions == 4 * 5 - 2
    reasons = sorted(told.skipped.values())
    assert "category_id 99 is not in the task's schema" in reasons[0]
    assert f"do not cover {WIDTH}x{HEIGHT} pixels" in reasons[1]
    assert "task poses are left out" in caplog.text
    with pytest.raises(LightlyPipelineError, match="task_type 'guess'"):
        export_run(store, to="csv", out=tmp_path / "one", task="poses")
    with pytest.raises(InvalidConfigurationError, match="did you mean scene"):
        export_run(store, to="csv", out=tmp_path / "one", task="scenes")


def test_a_run_is_named_by_how_its_id_begins(made: Made, tmp_path: Path) -> None:
    run_id = made[1].run_id
    assert export(made, tmp_path / "a", "csv", run=run_id[:6]).run_id == run_id
    with pytest.raises(RunNotFoundError, match=f"known are {run_id}"):
        export(made, tmp_path / "b", "csv", run="nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunNotFoundError, match="no run has completed"):
        export_run(tmp_path / "empty", to="csv", out=tmp_path / "c")
    with pytest.raises(InvalidConfigurationError, match="did you mean coco"):
        export(made, tmp_path / "d", "cocoo")


def test_embeddings_of_all_candidates_say_which_were_chosen(made: Made, tmp_path: Path) -> None:
    dataset, result = made
    told = export(made, tmp_path / "csv", "embeddings-csv")
    assert told.n_frames == 3 * N_FRAMES
    with (tmp_path / "csv" / "embeddings.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header[0] == "filenames"
    assert header[-2:] == ["labels", "selected"]
    chosen = {row[0] for row in rows if row[-1] == "1"}
    assert chosen == {frame.image.removeprefix(".lightly/frames/") for frame in result.selected}
    export(made, tmp_path / "parquet", "embeddings-parquet")
    table = pq.read_table(tmp_path / "parquet" / "embeddings.parquet").to_pylist()
    kept = np.load(dataset.lightly.location(f".lightly/runs/{result.run_id}/embeddings.npy"))
    by_name = {row["filenames"]: row["embedding"] for row in table}
    for frame, vector in zip(result.selected, kept, strict=True):
        name = frame.image.removeprefix(".lightly/frames/")
        assert np.array_equal(np.array(by_name[name], np.float32), vector)
        (row,) = (row for row in rows if row[0] == name)
        assert np.array_equal(np.array(row[1:-2], np.float32), vector)


def test_lists_of_names_part_the_candidates(made: Made, tmp_path: Path) -> None:
    export(made, tmp_path, "filenames")
    lists = dict(read_lists(tmp_path / "filenames"))
    assert len(lists["sampled_filenames_excluding_datapool"]) == 5
    assert len(lists["removed_filenames"]) == 3 * N_FRAMES - 5
    assert lists["corrupt_filenames"] == lists["duplicate_filenames"] == []
    assert not set(lists["removed_filenames"]) & set(lists["sampled_filenames_excluding_datapool"])


def read_lists(folder: Path) -> Iterator[tuple[str, list[str]]]:
    for path in folder.iterdir():
        yield path.stem, path.read_text().splitlines()


def test_the_command_line_knows_the_formats_without_loading_them() -> None:
    from lightly_pipeline.cli_results import FORMATS as LISTED

    assert LISTED == FORMATS


def test_the_result_as_a_table_of_pandas(made: Made) -> None:
    pd = pytest.importorskip("pandas")
    table = made[1].to_pandas()
    assert list(table.index) == list(range(5))
    assert table.index.name == "rank"
    assert list(table["frame_index"]) == [frame.frame_index for frame in made[1].selected]
    assert table["pts"].dtype == pd.Int64Dtype()
    assert pd.isna(table["distance"].iloc[0])
    assert table["distance"].iloc[1:].is_monotonic_decreasing


def test_candidates_of_a_datapool_run_are_those_of_new_videos(
    prepared_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = local_dataset(prepared_folder)
    (prepared_folder / "in" / "sub" / "c.mp4").rename(tmp_path / "c.mp4")
    first = run(dataset, {"use_datapool": True}, selection_config={"n_samples": 3})
    (tmp_path / "c.mp4").rename(prepared_folder / "in" / "sub" / "c.mp4")
    second = run(dataset, {"use_datapool": True}, selection_config={"n_samples": 4})
    assert {frame.video for frame in second.selected} == {"sub/c.mp4"}
    assert export_run(dataset.lightly, to="filenames", out=tmp_path / "b").n_frames == N_FRAMES
    told = export_run(dataset.lightly, first.run_id, to="embeddings-csv", out=tmp_path / "a")
    assert told.n_frames == 2 * N_FRAMES
    # Another video that was listed since changes nothing for it; one that was replaced does.
    assert "listed anew" not in caplog.text
    shutil.copy(prepared_folder / "in" / "sub" / "b.mp4", prepared_folder / "in" / "a.mp4")
    run(dataset, selection_config={"n_samples": 1})
    export_run(dataset.lightly, first.run_id, to="embeddings-csv", out=tmp_path / "c")
    assert "replaced or removed are missing" in caplog.text


def test_copies_that_were_left_out_are_listed_apart(prepared_folder: Path, tmp_path: Path) -> None:
    shutil.copy(prepared_folder / "in" / "a.mp4", prepared_folder / "in" / "same.mp4")
    (prepared_folder / "in" / "broken.mp4").write_text("no video")
    dataset = local_dataset(prepared_folder)
    options = {"remove_exact_duplicates": True}
    run(dataset, selection_config={"n_samples": 3}, pipeline_config=options)
    export_run(dataset.lightly, to="filenames", out=tmp_path / "out")
    lists = dict(read_lists(tmp_path / "out" / "filenames"))
    assert lists["duplicate_filenames"] == [
        f"same-{index:02d}-mp4.png" for index in range(N_FRAMES)
    ]
    assert lists["corrupt_filenames"] == ["broken.mp4"]
    assert len(lists["removed_filenames"]) == 3 * N_FRAMES - 3
    told = export_run(dataset.lightly, to="embeddings-parquet", out=tmp_path / "embeddings")
    assert told.n_frames == 3 * N_FRAMES


def csv_rows(path: Path) -> dict[str, np.ndarray]:
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header[0] == "filenames"
    assert header[-2:] == ["labels", "selected"]
    return {row[0]: np.array(row[1:-2], np.float32) for row in rows}


def names_of(result: RunResult) -> list[str]:
    return [frame.image.removeprefix(".lightly/frames/") for frame in result.selected]


def test_the_output_folder_of_the_original_has_what_the_datapool_held(
    prepared_folder: Path, tmp_path: Path
) -> None:
    dataset = local_dataset(prepared_folder)
    pool = {"use_datapool": True}
    (prepared_folder / "in" / "sub" / "c.mp4").rename(tmp_path / "c.mp4")
    runs = [run(dataset, selection_config={"n_samples": 2})]
    runs += [run(dataset, pool, selection_config={"n_samples": 3})]
    (tmp_path / "c.mp4").rename(prepared_folder / "in" / "sub" / "c.mp4")
    trial = pool | {"datasource": {"enable_datapool_update": False}}
    runs += [run(dataset, trial, selection_config={"n_samples": 2})]
    runs += [run(dataset, pool, selection_config={"n_samples": 4})]
    told = export_run(dataset.lightly, to="lightly-output", out=tmp_path / "last")
    out = tmp_path / "last"
    everything = csv_rows(out / "data" / "embeddings.csv")
    earlier = [*names_of(runs[0]), *names_of(runs[1])]
    # The new video's frames, and those chosen before: the datapool took the first run's over.
    assert told.n_frames == len(everything) == N_FRAMES + 5
    assert {name for name in everything if not name.startswith("sub/c-")} == set(earlier)
    selected = csv_rows(out / "data" / "selected_embeddings_including_datapool.csv")
    assert list(selected) == [*earlier, *names_of(runs[3])]
    assert all(np.array_equal(everything[name], vector) for name, vector in selected.items())
    lists = dict(read_lists(out / "filenames"))
    assert set(lists) == {
        "corrupt_filenames",
        "duplicate_filenames",
        "removed_filenames",
        "sampled_filenames_excluding_datapool",
    }
    assert lists["sampled_filenames_excluding_datapool"] == names_of(runs[3])
    for name in ("log.txt", "memlog.txt", "report.pdf", "report.html", "report_v2.json"):
        assert (out / name).read_bytes() == dataset.lightly.read(
            f".lightly/runs/{runs[3].run_id}/{name}"
        )
    for number, wanted in ((2, [*earlier, *names_of(runs[2])]), (0, names_of(runs[0]))):
        export_run(
            dataset.lightly, runs[number].run_id, to="lightly-output", out=tmp_path / str(number)
        )
        place = tmp_path / str(number) / "data" / "selected_embeddings_including_datapool.csv"
        assert list(csv_rows(place)) == wanted


def test_sequences_are_in_the_output_folder(prepared_folder: Path, tmp_path: Path) -> None:
    dataset = local_dataset(prepared_folder)
    result = run(dataset, {"selected_sequence_length": 4}, selection_config={"n_samples": 8})
    export_run(dataset.lightly, to="lightly-output", out=tmp_path / "out")
    place = tmp_path / "out" / "data" / "sequence_information.json"
    sequences = json.loads(place.read_text())
    assert [name for one in sequences for name in one["frame_names"]] == names_of(result)


def test_names_go_out_with_urls_to_read_and_to_labelbox(made: Made, tmp_path: Path) -> None:
    told = export(made, tmp_path / "urls", "read-urls")
    rows = json.loads((tmp_path / "urls" / "filenames_and_read_urls.json").read_text())
    assert told.n_frames == len(rows) == 5
    assert [row["fileName"] for row in rows] == names_of(made[1])
    for row in rows:
        assert row["readUrl"] == Path(row["datasourceUrl"]).as_uri()
        assert Path(row["datasourceUrl"]).is_file()
    export(made, tmp_path / "labelbox", "labelbox", signed_urls=True)
    data_rows = json.loads((tmp_path / "labelbox" / "data_rows.json").read_text())
    assert data_rows == [
        {"row_data": row["readUrl"], "global_key": row["fileName"], "media_type": "IMAGE"}
        for row in rows
    ]


def test_a_tag_goes_to_every_tool_with_its_predictions(made: Made, tmp_path: Path) -> None:
    shutil.copytree(made[0].lightly.location(""), tmp_path / "out")
    store = local_dataset(tmp_path).lightly
    names = names_of(made[1])
    create_tag(store, "some of them", [names[4], names[1]])
    for to in TOOLS:
        task = "boxes" if to == "yolo" else None
        told = export_run(store, to=to, out=tmp_path / to, tag="some of them", task=task)
        assert (told.n_frames, told.n_predictions) == (2, 2 if task else 10)
        assert (told.run_id, told.tag) == (None, "some of them")
    with (tmp_path / "csv" / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["rank"] for row in rows] == ["0", "1"]
    assert [row["location"].rpartition("frames/")[2] for row in rows] == [names[1], names[4]]
    with pytest.raises(InvalidConfigurationError, match="name the run and leave the tag out"):
        export_run(store, to="embeddings-csv", out=tmp_path / "x", tag="some of them")
    with pytest.raises(InvalidConfigurationError, match="a run or a tag, not both"):
        export_run(store, made[1].run_id, to="csv", out=tmp_path / "x", tag="some of them")
    with pytest.raises(TagNotFoundError, match="there are initial-tag, some of them"):
        export_run(store, to="csv", out=tmp_path / "x", tag="others")
