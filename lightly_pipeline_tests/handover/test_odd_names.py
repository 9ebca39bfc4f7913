"""Videos that are called as badly as a disk allows are handed over like any other."""

import csv
import json
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightly_pipeline import export_run, run
from lightly_pipeline.handover.export import TOOLS
from lightly_pipeline.handover.frames import HandedFrame
from lightly_pipeline.handover.predictions import PredictedTask, field_names
from lightly_pipeline.handover.yolo import image_path
from lightly_pipeline.inputs.predictions import Task
from lightly_pipeline.layout import frame_name
from lightly_pipeline_tests.support.selections import H264, local_dataset, put
from lightly_pipeline_tests.support.videos import make_video

ODD = ('images/"é", <b>&.mp4', "a\x01b\nc.mp4", "sub/images/%41.MP4", "=1+1.mp4")
NOT_TEXT = "no\udcfftext.mp4"


@pytest.mark.slow
def test_every_format_takes_odd_names(tmp_path: Path) -> None:
    names = [*ODD, *([NOT_TEXT] if sys.platform == "linux" else [])]
    for seed, name in enumerate(names):
        make_video(tmp_path / "in", H264, f"{seed}.mp4", seed=seed)
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / f"{seed}.mp4").rename(tmp_path / "in" / name)
    dataset = local_dataset(tmp_path)
    put(dataset.lightly, "predictions/tasks.json", ["<t>/ü"])
    schema = {
        "task_type": "object-detection",
        "categories": [{"id": 0, "name": "a\x01 <b> & é"}],
    }
    put(dataset.lightly, "predictions/<t>/ü/schema.json", schema)
    for name in names:
        for index in range(40):
            file = frame_name(name, index, 40, "json")
            entry = {"category_id": 0, "bbox": [1, 2, 3, 4], "score": 0.5}
            put(dataset.lightly, f"predictions/<t>/ü/{file}", {"predictions": [entry]})
    result = run(dataset, selection_config={"n_samples": 30})
    assert {frame.video for frame in result.selected} == set(names)
    for to in TOOLS:
        told = export_run(dataset.lightly, to=to, out=tmp_path / to)
        assert (told.n_frames, told.n_predictions, dict(told.skipped)) == (30, 30, {})
    with (tmp_path / "csv" / "frames.csv").open(newline="", encoding="utf-8") as file:
        videos = [row["video"] for row in csv.DictReader(file)]
    assert videos == pq.read_table(tmp_path / "parquet" / "frames.parquet")["video"].to_pylist()
    assert set(videos) >= set(ODD)
    images = ET.parse(tmp_path / "cvat" / "annotations.xml").getroot().findall("image")
    for folder, image in (("cvat/images", element.get("name")) for element in images):
        assert (tmp_path / folder / str(image)).is_file()
    named = json.loads((tmp_path / "cvat" / "labels.json").read_text())[0]["name"]
    assert {box.get("label") for image in images for box in image} == {named}
    interface = ET.parse(tmp_path / "label-studio" / "interface.xml").getroot()
    tasks = json.loads((tmp_path / "label-studio" / "tasks.json").read_text())
    value = tasks[0]["predictions"][0]["result"][0]["value"]
    assert value["rectanglelabels"] == [label.get("value") for label in interface.iter("Label")]
    document = json.loads((tmp_path / "coco" / "annotations" / "<t>" / "ü.json").read_text())
    for image in document["images"]:
        assert (tmp_path / "coco" / "images" / image["file_name"]).is_file()
    labels = {
        p.relative_to(tmp_path / "yolo/labels").with_suffix("")
        for p in (tmp_path / "yolo/labels").rglob("*.txt")
    }
    assert labels == {
        p.relative_to(tmp_path / "yolo/images").with_suffix("")
        for p in (tmp_path / "yolo/images").rglob("*.png")
    }


@given(st.lists(st.text(st.sampled_from("images/%a.")), unique=True))
def test_no_two_images_of_yolo_are_one_and_none_leads_astray(videos: list[str]) -> None:
    names = {frame_name(f"{video}.mp4", 1, 10, "png") for video in videos}
    paths = {image_path(frame_of(name)) for name in names}
    assert len(paths) == len(names)
    assert all(path.rsplit("/images/", 1)[0] == path for path in paths)


def frame_of(name: str) -> HandedFrame:
    return HandedFrame(0, name, "", "", "", 0, None, None, 1, 1, None, None, 0, "")


@given(st.lists(st.text(), unique=True))
def test_every_task_has_a_name_of_its_own_that_tools_take(tasks: list[str]) -> None:
    predicted = [
        PredictedTask(Task(name, "classification", (0,), ("a",)), ((),), ((),)) for name in tasks
    ]
    names = field_names(predicted, ["image"])
    assert len(set(names.values()) | {"image"}) == len(tasks) + 1
    assert all(name.isascii() and name.isidentifier() for name in names.values())
