"""Boxes of other tools' files become predictions that runs read."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from lightly_pipeline import S3Datasource, cli_predictions, import_predictions
from lightly_pipeline.cli import main
from lightly_pipeline.datasources import Datasource, LocalDatasource, StoredObject
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.inputs.prediction_files import read_task
from lightly_pipeline.inputs.predictions import parse_task
from lightly_pipeline.intake.formats import TOOLS
from lightly_pipeline.tables.catalog import Catalog, write_catalog
from lightly_pipeline_tests.support.rows import all_frames, row_video
from lightly_pipeline_tests.support.s3_servers import emptied_bucket

pytest.importorskip("labelformat")
SIZE = (160, 120)
ROWS = all_frames([row_video("a.mp4", 12), row_video("sub/b.mp4", 12)])
Boxes = dict[str, list[tuple[str, list[float], float | None]]]
SAID: Boxes = {
    "a-03-mp4": [("car", [16, 12, 40, 30], 0.5), ("person", [80, 60, 16, 24], 0.25)],
    "sub/b-07-mp4": [("car", [0, 0, 160, 120], None)],
    "sub/b-08-mp4": [],
}
CATEGORIES = ("car", "person")


@pytest.fixture
def store(tmp_path: Path) -> LocalDatasource:
    (tmp_path / "out").mkdir()
    store = LocalDatasource(tmp_path / "out")
    videos = tuple(StoredObject(path, 1, "1") for path in ("a.mp4", "sub/b.mp4"))
    write_catalog(store, Catalog(videos))
    return store


def coco(folder: Path, said: Boxes = SAID, **changes: Any) -> Path:
    """Writes COCO as exports of predictions look; `changes` go over every annotation."""
    images = [
        {"id": n, "file_name": f"images/{name}.png", "width": SIZE[0], "height": SIZE[1]}
        for n, name in enumerate(said, start=1)
    ]
    annotations = [
        {
            "image_id": number,
            "category_id": 10 * CATEGORIES.index(label) + 1,
            "bbox": box,
            **({} if score is None else {"score": score}),
            **changes,
        }
        for number, boxes in enumerate(said.values(), start=1)
        for label, box, score in boxes
    ]
    categories = [{"id": 1, "name": "car"}, {"id": 11, "name": "person"}]
    file = folder / "coco.json"
    document = {"images": images, "annotations": annotations, "categories": categories}
    file.write_text(json.dumps(document))
    return file


def yolo(folder: Path, said: Boxes = SAID) -> Path:
    for name, boxes in said.items():
        image = folder / "images" / f"{name}.png"
        label = folder / "labels" / f"{name}.txt"
        for file in (image, label):
            file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE).save(image)
        lines = []
        for category, (x, y, w, h), score in boxes:
            shares = (x + w / 2) / SIZE[0], (y + h / 2) / SIZE[1], w / SIZE[0], h / SIZE[1]
            parts = [CATEGORIES.index(category), *shares, *([] if score is None else [score])]
            lines.append(" ".join(map(str, parts)))
        label.write_text("\n".join(lines))
    file = folder / "data.yaml"
    file.write_text(yaml.safe_dump({"train": "images", "names": dict(enumerate(CATEGORIES))}))
    return file


def pascal_voc(folder: Path, said: Boxes = SAID) -> Path:
    for name, boxes in said.items():
        file = folder / "voc" / f"{name}.xml"
        file.parent.mkdir(parents=True, exist_ok=True)
        objects = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin>"
            f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
            for label, (x, y, w, h), _ in boxes
        )
        last = name.rpartition("/")[2]
        size = f"<size><width>{SIZE[0]}</width><height>{SIZE[1]}</height></size>"
        file.write_text(f"<annotation><filename>{last}.jpg</filename>{size}{objects}</annotation>")
    return folder / "voc"


def label_studio(folder: Path, said: Boxes = SAID) -> Path:
    tasks = []
    for name, boxes in said.items():
        results = [
            {
                "type": "rectanglelabels",
                "original_width": SIZE[0],
                "original_height": SIZE[1],
                "value": {
                    "x": x / SIZE[0] * 100,
                    "y": y / SIZE[1] * 100,
                    "width": w / SIZE[0] * 100,
                    "height": h / SIZE[1] * 100,
                    "rotation": 0,
                    "rectanglelabels": [label],
                },
                **({} if score is None else {"score": score}),
            }
            for label, (x, y, w, h), score in boxes
        ]
        results.append({"type": "choices", "value": {"choices": ["night"]}})
        address = f"s3://bucket/lightly/.lightly/frames/{name}.png"
        tasks.append({"data": {"image": address}, "predictions": [{"result": results}]})
    file = folder / "studio.json"
    file.write_text(json.dumps(tasks))
    return file


MAKERS = {"coco": coco, "yolo": yolo, "pascal-voc": pascal_voc, "label-studio": label_studio}


def lines_of(store: Datasource, task: str = "cars") -> dict[str, Any]:
    content = store.read(f".lightly/predictions/{task}/predictions.jsonl")
    documents = map(json.loads, content.splitlines())
    return {document["file_name"]: document["predictions"] for document in documents}


@pytest.mark.parametrize("tool", MAKERS)
def test_boxes_and_scores_are_taken_over(store: LocalDatasource, tmp_path: Path, tool: str) -> None:
    source = MAKERS[tool](tmp_path)
    result = import_predictions(store, source, tool=tool, task="cars")
    assert (result.n_frames, result.n_predictions, result.categories) == (3, 3, CATEGORIES)
    assert (result.unmatched.count, result.left_out.count, result.knows_videos) == (0, 0, True)
    schema = json.loads(store.read(".lightly/predictions/cars/schema.json"))
    ids = {entry["name"]: entry["id"] for entry in schema["categories"]}
    lines = lines_of(store)
    assert set(lines) == {f"{name}.png" for name in SAID}
    for name, boxes in SAID.items():
        found = lines[f"{name}.png"]
        assert [entry["category_id"] for entry in found] == [ids[label] for label, *_ in boxes]
        # Pascal VOC has no place for scores.
        scores = [1.0 if s is None or tool == "pascal-voc" else s for *_, s in boxes]
        assert [entry["score"] for entry in found] == scores
        for entry, (_, box, _) in zip(found, boxes, strict=True):
            assert entry["bbox"] == pytest.approx(box)
    task = parse_task(schema, "cars", "schema.json")
    table = read_task(store, task, ROWS, [])
    assert table.counts.sum(axis=0).tolist() == [2, 1]
    assert table.known.sum() == 3


def test_every_format_is_offered() -> None:
    assert tuple(TOOLS) == cli_predictions.TOOLS == tuple(MAKERS)


def test_other_tasks_stay_listed_and_an_import_is_replaced(
    store: LocalDatasource, tmp_path: Path
) -> None:
    store.write(".lightly/predictions/tasks.json", b'["weather"]')
    for said in (SAID, {"a-05-mp4": [("person", [1.0, 2.0, 3.0, 4.0], 0.75)]}):
        import_predictions(store, coco(tmp_path, said), tool="coco", task="cars")
        assert set(lines_of(store)) == {f"{name}.png" for name in said}
    assert json.loads(store.read(".lightly/predictions/tasks.json")) == ["weather", "cars"]
    # The schema that is there holds: ids may differ, names count.
    import_predictions(store, yolo(tmp_path), tool="yolo", task="cars")
    assert lines_of(store)["sub/b-07-mp4.png"][0]["category_id"] == 1


def test_a_task_of_other_categories_or_another_kind_is_left_alone(
    store: LocalDatasource, tmp_path: Path
) -> None:
    path = ".lightly/predictions/cars/schema.json"
    schema = {"task_type": "object-detection", "categories": [{"id": 0, "name": "car"}]}
    store.write(path, json.dumps(schema).encode())
    with pytest.raises(InvalidConfigurationError, match="there already and has no category person"):
        import_predictions(store, coco(tmp_path), tool="coco", task="cars")
    schema = {
        "task_type": "classification",
        "categories": [{"id": i, "name": n} for i, n in enumerate(CATEGORIES)],
    }
    store.write(path, json.dumps(schema).encode())
    with pytest.raises(InvalidConfigurationError, match="there already and is classification"):
        import_predictions(store, coco(tmp_path), tool="coco", task="cars")
    assert json.loads(store.read(path)) == schema
    with pytest.raises(InvalidConfigurationError, match=r"task name '\.\./x'"):
        import_predictions(store, coco(tmp_path), tool="coco", task="../x")


def test_images_that_are_no_frames_and_boxes_that_are_wrong_are_counted_and_shown(
    store: LocalDatasource, tmp_path: Path
) -> None:
    said: Boxes = {
        "a-03-mp4": [
            ("car", [1.0, 2.0, 3.0, float("nan")], 0.5),
            ("car", [1.0, 2.0, 3.0, 4.0], 0.5),
        ],
        "other-03-mp4": [],
        "IMG_0001": [],
        "x/a-03-mp4": [],
    }
    result = import_predictions(store, coco(tmp_path, said), tool="coco", task="cars")
    assert (result.n_frames, result.n_predictions) == (1, 1)
    assert result.unmatched.count == 2
    assert result.unmatched.first[0] == "images/other-03-mp4.png (no such video)"
    assert "IMG_0001.png (no name of a frame" in result.unmatched.first[1]
    assert result.left_out.first == [
        "images/a-03-mp4.png: bbox: expected [x, y, width, height] in pixels",
        "images/x/a-03-mp4.png: another image is the same frame, a-03-mp4.png",
    ]


def test_bad_lines_of_yolo_are_named_by_file_and_line(
    store: LocalDatasource, tmp_path: Path
) -> None:
    source = yolo(tmp_path)
    labels = tmp_path / "labels" / "a-03-mp4.txt"
    labels.write_text(
        "0 0.5 0.5 0.1 0.1 0.9\n\n1 0.5 0.5\n0 x 0.5 0.1 0.1\n7 .5 .5 .1 .1\n0 .5 .5 .1 nan\n"
    )
    (tmp_path / "images" / "broken-01-mp4.png").write_bytes(b"no image")
    result = import_predictions(store, source, tool="yolo", task="cars")
    assert len(lines_of(store)["a-03-mp4.png"]) == 1
    shown = "\n".join(result.left_out.first)
    assert result.left_out.count == 5
    assert f"{labels} line 3: expected category x y width height" in shown
    assert f"{labels} line 4: expected" in shown
    assert "a-03-mp4.png: category 7 has no name" in shown
    assert "a-03-mp4.png: bbox: expected" in shown
    assert "broken-01-mp4.png" in shown


@pytest.mark.parametrize(
    ("tool", "content", "message"),
    [
        ("coco", "{", r"source\.json: cannot be read as coco: JSONDecodeError"),
        ("coco", '[{"image_id": 1}]', r"source\.json: cannot be read as coco: TypeError"),
        ("coco", '{"images": [], "categories": []}', "expected a list of categories"),
        (
            "coco",
            '{"images": [], "categories": [{"id": 0, "name": "a"}]}',
            "'annotations' is missing",
        ),
        ("label-studio", "{}", "expected a list of tasks"),
        ("label-studio", "[3]", r"cannot be read as label-studio"),
        ("yolo", "train: images", "'names' is missing"),
        ("yolo", "names: [a]", "names no images"),
    ],
)
def test_what_is_no_file_of_the_tool_is_named(
    store: LocalDatasource, tmp_path: Path, tool: str, content: str, message: str
) -> None:
    source = tmp_path / "source.json"
    source.write_text(content)
    with pytest.raises(LightlyPipelineError, match=message):
        import_predictions(store, source, tool=tool, task="cars")
    assert store.stat(".lightly/predictions/cars/predictions.jsonl") is None
    assert store.stat(".lightly/predictions/tasks.json") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 77}, "77 is missing"),
        ({"category_id": 77}, "77 is missing"),
        ({"bbox": "x"}, "cannot be read as coco"),
        ({"score": 1.5}, "Confidence must be between 0 and 1"),
    ],
)
def test_what_coco_refers_to_has_to_be_there(
    store: LocalDatasource, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(LightlyPipelineError, match=rf"coco\.json: .*{message}"):
        import_predictions(store, coco(tmp_path, **change), tool="coco", task="cars")


def test_files_of_pascal_voc_are_named(store: LocalDatasource, tmp_path: Path) -> None:
    folder = pascal_voc(tmp_path)
    (folder / "more.xml").write_text("<annotation><object><name>car</name></object></annotation>")
    with pytest.raises(LightlyPipelineError, match=r"more\.xml.*Missing field 'filename'"):
        import_predictions(store, folder, tool="pascal-voc", task="cars")
    (folder / "more.xml").write_text("<annotation>")
    with pytest.raises(LightlyPipelineError, match=r"more\.xml: not valid XML"):
        import_predictions(store, folder, tool="pascal-voc", task="cars")
    with pytest.raises(InvalidConfigurationError, match="no such folder of XML files"):
        import_predictions(store, tmp_path / "none", tool="pascal-voc", task="cars")


def test_nothing_is_written_where_no_image_is_a_frame(
    store: LocalDatasource, tmp_path: Path
) -> None:
    source = coco(tmp_path, {"IMG_1": [], "IMG_2": []})
    with pytest.raises(LightlyPipelineError, match=r"none of its images is a frame \(images/IMG_1"):
        import_predictions(store, source, tool="coco", task="cars")
    assert [item.path for item in store.list(".lightly/predictions/")] == []


def test_rotated_boxes_and_tasks_without_image_are_left_out(
    store: LocalDatasource, tmp_path: Path
) -> None:
    source = label_studio(tmp_path)
    tasks = json.loads(source.read_text())
    tasks[0]["predictions"][0]["result"][0]["value"]["rotation"] = 30
    del tasks[1]["predictions"][0]["result"][0]["original_width"]
    del tasks[2]["data"]
    source.write_text(json.dumps(tasks))
    result = import_predictions(store, source, tool="label-studio", task="cars")
    assert result.left_out.first == [
        f"{source}: task 1: a box is rotated",
        f"{source}: task 2: 'original_width' is missing",
        f"{source}: task 3: its data names no image",
    ]


def test_the_command_imports_and_says_what_it_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = coco(tmp_path, {**SAID, "IMG_1": []})
    out = tmp_path / "new"
    command = ["predictions", "import", str(source), "--from", "coco", "--task", "cars"]
    assert main([*command, "--lightly", str(out)]) == 0
    said = capsys.readouterr().out
    assert "3 boxes of 3 frames for task cars" in said
    assert "no videos are listed yet: give --input" in said
    assert "images/IMG_1.png (no name of a frame" in said
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "a.mp4").write_bytes(b"")
    assert main([*command, "--lightly", str(out), "--input", str(videos)]) == 0
    said = capsys.readouterr().out
    assert "2 boxes of 1 frames" in said
    assert "no frames    3" in said
    assert set(lines_of(LocalDatasource(out))) == {"a-03-mp4.png"}


def test_help_answers_without_loading_the_formats() -> None:
    code = (
        "import sys; from lightly_pipeline.cli import command_line; command_line(); "
        "print([m for m in ('labelformat', 'yaml', 'numpy', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_an_import_into_a_bucket(s3_server: str, tmp_path: Path) -> None:
    emptied_bucket(s3_server, "intake")
    store = S3Datasource("s3://intake/lightly/")
    store.write(".lightly/predictions/tasks.json", b'["weather"]')
    import_predictions("s3://intake/lightly/", coco(tmp_path), tool="coco", task="a/cars")
    # Without a listing names are taken as they are.
    assert set(lines_of(store, "a/cars")) == {f"images/{name}.png" for name in SAID}
    assert json.loads(store.read(".lightly/predictions/tasks.json")) == ["weather", "a/cars"]
