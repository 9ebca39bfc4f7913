"""The tools themselves read what is exported for them.

FiftyOne, Datumaro, Ultralytics and Label Studio's SDK are no dependencies, as they need other
releases of what this package uses: they are tried by the interpreters that
LIGHTLY_PIPELINE_READERS names, paths with ":" between them, each in an environment with one of
them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightly_pipeline import Dataset, RunResult, export_run
from lightly_pipeline_tests.support.predicted import BOX, CATEGORIES, hole, predicted_run
from lightly_pipeline_tests.support.videos import HEIGHT, WIDTH

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(
    prepared_dataset: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Dataset, RunResult]:
    import shutil

    folder = tmp_path_factory.mktemp("made") / "data"
    shutil.copytree(prepared_dataset, folder, copy_function=shutil.copy2)
    return predicted_run(folder)


def read_with(module: str, code: str, folder: Path) -> Any:
    """Runs code in an interpreter that has a module and returns the JSON it prints last."""
    named = os.environ.get("LIGHTLY_PIPELINE_READERS", "").split(os.pathsep)
    probe = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    for python in (sys.executable, *filter(None, named)):
        if subprocess.run([python, "-c", probe], capture_output=True).returncode == 0:
            break
    else:
        pytest.skip(
            f"no {module} (an interpreter that has it can be named in LIGHTLY_PIPELINE_READERS)"
        )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"FIFTYONE_DO_NOT_TRACK": "1", "HOME": str(folder), "DATUMARO_TELEMETRY": "0"}
    done = subprocess.run(
        [python, "-c", code, str(folder)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


FIFTYONE = """
import json, sys
import fiftyone.utils.data.importers as importers
with importers.FiftyOneDatasetImporter(sys.argv[1])._to_legacy_importer() as importer:
    samples = list(importer)
def shown(sample):
    box, mask = sample["boxes"].detections[0], sample["scene"].detections[0]
    return {
        "filepath": sample.filepath, "frame_index": sample["frame_index"], "video": sample["video"],
        "time_s": sample["time_s"], "width": sample.metadata.width,
        "box": box.bounding_box, "label": box.label, "confidence": box.confidence,
        "mask": mask.mask.astype(int).tolist(), "mask_box": mask.bounding_box,
        "class": sample["cars_v2"].classifications[0].label,
        "points": sample["poses"].keypoints[0].points,
    }
print(json.dumps([shown(sample) for sample in samples]))
"""


def test_fiftyone_reads_its_folder(made: tuple[Dataset, RunResult], tmp_path: Path) -> None:
    export_run(made[0].lightly, to="fiftyone", out=tmp_path)
    samples = read_with("fiftyone", FIFTYONE, tmp_path)
    for sample, frame in zip(samples, made[1].selected, strict=True):
        assert Path(sample["filepath"]).is_file()
        assert (sample["video"], sample["frame_index"]) == (frame.video, frame.frame_index)
        assert (sample["time_s"], sample["width"]) == (frame.time_s, WIDTH)
        assert sample["box"] == [BOX[0] / WIDTH, BOX[1] / HEIGHT, BOX[2] / WIDTH, BOX[3] / HEIGHT]
        assert (sample["label"], sample["confidence"]) == (CATEGORIES[1], 0.75)
        assert sample["class"] == CATEGORIES[0]
        assert sample["points"][0] == [0.25, 0.25]
        left, top = round(sample["mask_box"][0] * WIDTH), round(sample["mask_box"][1] * HEIGHT)
        mask = np.array(sample["mask"], dtype=bool)
        part = hole()[top : top + mask.shape[0], left : left + mask.shape[1]]
        assert np.array_equal(mask, part)
        assert mask.sum() == hole().sum()


DATUMARO = """
import json, sys
import datumaro as dm
dataset = dm.Dataset.import_from(sys.argv[1], FORMAT)
def shown(item):
    found = {}
    for annotation in item.annotations:
        found.setdefault(annotation.type.name, []).append(annotation)
    masks = [mask.image.astype(int).tolist() for mask in found.get("mask", [])]
    return {
        "id": item.id, "size": list(item.media.size),
        "attributes": {key: str(value) for key, value in item.attributes.items()},
        "boxes": [box.get_bbox() for box in found.get("bbox", [])], "masks": masks,
        "kinds": sorted(found), "readable": item.media.data is not None,
    }
labels = [label.name for label in dataset.categories()[dm.AnnotationType.label]]
print(json.dumps({"labels": labels, "items": [shown(item) for item in dataset]}, default=float))
"""


@pytest.mark.parametrize("to", ["datumaro", "cvat"])
def test_datumaro_reads_its_own_format_and_cvat_s(
    to: str, made: tuple[Dataset, RunResult], tmp_path: Path
) -> None:
    export_run(made[0].lightly, to=to, out=tmp_path)
    read = read_with("datumaro", DATUMARO.replace("FORMAT", repr(to)), tmp_path)
    assert read["labels"] == list(CATEGORIES)
    assert len(read["items"]) == 5
    for item in read["items"]:
        assert item["kinds"] == ["bbox", "label", "mask", "points"]
        assert item["size"] == [HEIGHT, WIDTH]
        assert item["readable"]
        assert list(BOX) in item["boxes"]
        assert all(np.array_equal(np.array(mask, bool), hole()) for mask in item["masks"])
    if to == "datumaro":
        indices = sorted(int(item["attributes"]["frame_index"]) for item in read["items"])
        assert indices == sorted(frame.frame_index for frame in made[1].selected)


ULTRALYTICS = """
import json, os, pathlib, sys
os.chdir("/")
from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import check_det_dataset, polygon2mask
data = check_det_dataset(str(pathlib.Path(sys.argv[1]) / "data.yaml"))
task = "segment" if sys.argv[1].endswith("scene") else "detect"
dataset = YOLODataset(img_path=data["train"], data=data, task=task, augment=False)
def shown(label):
    masks = [
        polygon2mask(label["shape"], [(s * label["shape"][::-1]).reshape(-1)], color=1).tolist()
        for s in label["segments"]
    ]
    name = pathlib.Path(label["im_file"]).name
    return {"name": name, "classes": label["cls"].ravel().tolist(), "masks": masks,
            "boxes": label["bboxes"].tolist()}
print(json.dumps({"names": data["names"], "labels": [shown(label) for label in dataset.labels]}))
"""


def test_ultralytics_finds_boxes_and_masks_from_any_folder(
    made: tuple[Dataset, RunResult], tmp_path: Path
) -> None:
    for task in ("boxes", "scene"):
        export_run(made[0].lightly, to="yolo", out=tmp_path / task, task=task)
        read = read_with("ultralytics", ULTRALYTICS, tmp_path / task)
        assert list(read["names"].values()) == list(CATEGORIES)
        assert {label["name"] for label in read["labels"]} == {
            Path(frame.image).name for frame in made[1].selected
        }
        for label in read["labels"]:
            assert label["classes"] == [1.0]
            if task == "boxes":
                (box,) = label["boxes"]
                assert box == pytest.approx([36 / WIDTH, 27 / HEIGHT, 0.25, 0.25])
                continue
            (mask,) = np.array(label["masks"], dtype=bool)
            assert mask[hole()].all()
            # OpenCV fills the pixels on an outline, too, and on the way between two of them.
            assert not mask[32:38, 52:68].any()
            assert (mask & ~hole()).sum() < 450


LABEL_STUDIO = """
import json, pathlib, sys
from label_studio_sdk.converter.brush import decode_rle
from label_studio_sdk.label_interface import LabelInterface
folder = pathlib.Path(sys.argv[1])
interface = LabelInterface((folder / "interface.xml").read_text())
tasks = json.loads((folder / "tasks.json").read_text())
problems, masks = [], []
for task in tasks:
    assert interface.validate_task({"data": task["data"]})
    for prediction in task["predictions"]:
        problems += interface.validate_prediction(prediction, return_errors=True)
        for result in prediction["result"]:
            if result["type"] == "brushlabels":
                size = result["original_height"], result["original_width"], 4
                alpha = decode_rle(result["value"]["rle"]).reshape(size)[:, :, 3]
                masks.append((alpha > 127).astype(int).tolist())
controls = sorted(control.name for control in interface.controls)
print(json.dumps({"problems": problems, "masks": masks, "controls": controls}))
"""


def test_label_studio_takes_the_tasks_and_the_interface(
    made: tuple[Dataset, RunResult], tmp_path: Path
) -> None:
    export_run(made[0].lightly, to="label-studio", out=tmp_path)
    read = read_with("label_studio_sdk", LABEL_STUDIO, tmp_path)
    assert read["problems"] == []
    assert len(read["masks"]) == 2 * 5
    assert all(np.array_equal(np.array(mask, bool), hole()) for mask in read["masks"])
    assert len(read["controls"]) == 8
