"""Reads boxes of other tools' files: COCO, YOLO, Pascal VOC and Label Studio.

Most are read by the package labelformat (extra `labelformat`). What is read is plain: a name of an
image and its boxes, in pixels. Masks, key points and classes of whole images are not read.
"""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.extras import package
from lightly_pipeline.hints import did_you_mean
from lightly_pipeline.inputs.relevant import Cases

_EXTRA = "labelformat"
_SPLITS = ("train", "val", "test", "predict")


class LabelledBox(NamedTuple):
    """A box in an image: its category's id, (x, y, width, height) in pixels, score or None."""

    category: int
    box: tuple[float, float, float, float]
    score: float | None


@dataclass(frozen=True, slots=True)
class Labels:
    """What files of a tool say.

    Attributes:
        categories: Names by id.
        images: Name and boxes of every image; can be gone through once.
        problems: What could not be read, counted while `images` is gone through.
    """

    categories: Mapping[int, str]
    images: Iterator[tuple[str, list[LabelledBox]]]
    problems: Cases = field(default_factory=Cases)


def read_labels(source: Path, tool: str) -> Labels:
    """Returns what files of a tool say.

    Args:
        source: COCO's or Label Studio's JSON file, YOLO's data.yaml, or the folder of Pascal VOC's
            XML files.
        tool: One of `TOOLS`.

    Raises:
        InvalidConfigurationError: There is no such tool, or nothing at `source`.
        LightlyPipelineError: The files are not the tool's; also from going through the images.
        MissingExtraError: The package that reads them is not installed.
    """
    if tool not in TOOLS:
        raise InvalidConfigurationError(f"no format {tool!r}; {did_you_mean(tool, TOOLS)}")
    is_there = source.is_dir() if tool == "pascal-voc" else source.is_file()
    if not is_there:
        kind = "folder of XML files" if tool == "pascal-voc" else "file"
        raise InvalidConfigurationError(f"{source}: there is no such {kind} ({tool})")
    with _naming(source, tool):
        labels = TOOLS[tool](source)
    return Labels(labels.categories, _named(labels.images, source, tool), labels.problems)


@contextmanager
def _naming(source: Path, tool: str) -> Iterator[None]:
    """Says which file is wrong, whatever is raised about its content."""
    try:
        yield
    except LightlyPipelineError:
        raise
    except OSError as error:
        raise LightlyPipelineError(f"{source}: {error}") from None
    except Exception as error:  # noqa: BLE001  a reader of foreign files raises anything
        missing = isinstance(error, KeyError)
        reason = f"{error} is missing" if missing else f"{type(error).__name__}: {error}"
        raise LightlyPipelineError(f"{source}: cannot be read as {tool}: {reason}") from None


def _named(
    images: Iterator[tuple[str, list[LabelledBox]]], source: Path, tool: str
) -> Iterator[tuple[str, list[LabelledBox]]]:
    with _naming(source, tool):
        yield from images


def _coco(source: Path) -> Labels:
    formats = package("labelformat.formats", _EXTRA)
    return _of_labelformat(formats.COCOObjectDetectionInput(input_file=source))


def _of_labelformat(reader: Any) -> Labels:
    categories = {category.id: category.name for category in reader.get_categories()}

    def images() -> Iterator[tuple[str, list[LabelledBox]]]:
        for label in reader.get_labels():
            yield label.image.filename, [_of_object(found) for found in label.objects]

    return Labels(categories, images())


def _of_object(found: Any) -> LabelledBox:
    box = found.box
    size = box.xmax - box.xmin, box.ymax - box.ymin
    return LabelledBox(found.category.id, (box.xmin, box.ymin, *size), found.confidence)


def _pascal_voc(source: Path) -> Labels:
    """Reads every folder below that has XML files; the categories are those that occur."""
    formats = package("labelformat.formats", _EXTRA)
    files = sorted(source.rglob("*.xml"))
    if not files:
        raise LightlyPipelineError(f"{source}: no XML files (pascal-voc)")
    names = sorted({name for file in files for name in _category_names(file)})
    if with_comma := [name for name in names if "," in name]:
        raise LightlyPipelineError(f"{source}: category {with_comma[0]!r} has a comma in its name")

    def images() -> Iterator[tuple[str, list[LabelledBox]]]:
        for folder in sorted({file.parent for file in files}):
            reader = formats.PascalVOCObjectDetectionInput(folder, ",".join(names))
            labels = sorted(reader.get_labels(), key=lambda label: label.image.filename)
            below = folder.relative_to(source).as_posix().removeprefix(".")
            for label in labels:
                name = label.image.filename
                inside = name if "/" in name or not below else f"{below}/{name}"
                yield inside, [_of_object(found) for found in label.objects]

    return Labels(dict(enumerate(names)), images())


def _category_names(file: Path) -> set[str]:
    try:
        root = ET.parse(file).getroot()  # noqa: S314  expat bounds entities
    except ET.ParseError as error:
        raise LightlyPipelineError(f"{file}: not valid XML: {error}") from None
    return {element.text for element in root.findall("object/name") if element.text}


def _yolo(source: Path) -> Labels:
    """Reads data.yaml, the sizes of the images that it names, and the text file of each."""
    images_in = package("labelformat.utils", _EXTRA).get_images_from_folder
    config = yaml.safe_load(source.read_bytes())
    names = config["names"]
    categories = dict(enumerate(names)) if isinstance(names, list) else dict(names)
    root = source.parent / str(config.get("path", "."))
    folders = [root / str(config[split]) for split in _SPLITS if config.get(split)]
    if not folders:
        raise LightlyPipelineError(f"{source}: names no images: none of {', '.join(_SPLITS)}")
    problems = Cases()

    def images() -> Iterator[tuple[str, list[LabelledBox]]]:
        for folder in folders:
            parts = ["labels" if part == "images" else part for part in folder.parts]
            for image in images_in(folder, on_error=lambda path, e: problems.add(f"{path}: {e}")):
                file = Path(*parts, image.filename).with_suffix(".txt")
                if file.is_file():
                    boxes = _yolo_boxes(file, (image.width, image.height), problems)
                    yield image.filename, boxes

    return Labels(
        {int(number): str(name) for number, name in categories.items()}, images(), problems
    )


def _yolo_boxes(file: Path, size: tuple[int, int], problems: Cases) -> list[LabelledBox]:
    """Reads lines of category, centre, size and, of predictions, score; shares of the image."""
    boxes = []
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            category, x, y, width, height, *score = line.split()
            w, h = float(width) * size[0], float(height) * size[1]
            box = (float(x) * size[0] - w / 2, float(y) * size[1] - h / 2, w, h)
            (confidence,) = map(float, score) if score else (None,)
            boxes.append(LabelledBox(int(category), box, confidence))
        except ValueError:
            problems.add(f"{file} line {number}: expected category x y width height [score]")
    return boxes


def _label_studio(source: Path) -> Labels:
    """Reads the boxes of tasks as Label Studio exports them in JSON: predictions, else labels."""
    tasks = json.loads(source.read_bytes())
    if not isinstance(tasks, list):
        raise LightlyPipelineError(f"{source}: expected a list of tasks, as the export JSON has it")
    problems = Cases()
    found = [
        (f"{source}: task {number}", task, list(_results(task)))
        for number, task in enumerate(tasks, start=1)
    ]
    names = sorted({name for *_, results in found for name in map(_label_of, results) if name})
    ids = {name: number for number, name in enumerate(names)}

    def images() -> Iterator[tuple[str, list[LabelledBox]]]:
        for where, task, results in found:
            boxes = []
            for result in results:
                try:
                    boxes.append(_studio_box(result, ids))
                except (KeyError, TypeError, ValueError) as error:
                    reason = f"{error} is missing" if isinstance(error, KeyError) else error
                    problems.add(f"{where}: {reason}")
            if image := _image_of(task):
                yield image, boxes
            else:
                problems.add(f"{where}: its data names no image")

    return Labels(dict(enumerate(names)), images(), problems)


def _results(task: Any) -> Iterator[Mapping[str, Any]]:
    """Yields the boxes of a task's last prediction or, without any, of its last annotation."""
    said = (task.get("predictions") or task.get("annotations") or []) if task else []
    kept = [one for one in said if isinstance(one, Mapping) and not one.get("was_cancelled")]
    for result in kept[-1].get("result") or () if kept else ():
        if result.get("type") == "rectanglelabels":
            yield {"score": kept[-1].get("score"), **result}


def _label_of(result: Mapping[str, Any]) -> str | None:
    labels: list[str] = (result.get("value") or {}).get("rectanglelabels") or []
    return labels[0] if labels else None


def _studio_box(result: Mapping[str, Any], ids: Mapping[str, int]) -> LabelledBox:
    """Returns a box of shares in per cent in pixels."""
    value = result["value"]
    if value.get("rotation"):
        raise ValueError("a box is rotated")
    width, height = result["original_width"] / 100, result["original_height"] / 100
    box = (
        value["x"] * width,
        value["y"] * height,
        value["width"] * width,
        value["height"] * height,
    )
    return LabelledBox(ids[value["rectanglelabels"][0]], box, result.get("score"))


def _image_of(task: Any) -> str | None:
    """Returns the name of a task's image: the path of its address, or of the file it serves."""
    data: dict[str, Any] = (task.get("data") if isinstance(task, Mapping) else None) or {}
    texts = [text for text in (data.get("image"), *data.values()) if isinstance(text, str)]
    if not texts:
        return None
    address: str = texts[0]
    parts = urlsplit(address)
    if served := parse_qs(parts.query).get("d"):
        return served[0]
    return unquote(parts.path) if parts.scheme else address


TOOLS: Mapping[str, Callable[[Path], Labels]] = {
    "coco": _coco,
    "yolo": _yolo,
    "pascal-voc": _pascal_voc,
    "label-studio": _label_studio,
}
"""The formats that can be read, by name."""
