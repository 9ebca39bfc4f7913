"""CVAT: "CVAT for images 1.1" XML, the images to upload, and the labels to paste.

Written here and not by `labelformat`, whose writer knows boxes alone.
"""

import json
import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from lightly_pipeline.handover.frames import HandedFrame, HandedRun, PlaceOf
from lightly_pipeline.handover.masks import Mask
from lightly_pipeline.handover.predictions import Prediction

IMAGES = "images/"
_ATTRIBUTES = ("score", "task")
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def files(run: HandedRun, place_of: PlaceOf) -> Iterator[tuple[str, bytes]]:
    """Yields the annotations, and the labels as CVAT's constructor takes them ("Raw").

    What is known of a frame are attributes of its image, which CVAT leaves alone; labels of the
    same name of several tasks are one.
    """
    labels = list(dict.fromkeys(name for task in run.tasks for name in task.task.categories))
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    root.append(_meta(run, labels))
    for frame in run.frames:
        root.append(_image(frame, place_of))
    ET.indent(root)
    # Without a declaration XML is UTF-8, and more readers take it.
    yield "annotations.xml", ET.tostring(root, encoding="unicode").encode()
    attributes = [_raw(attribute) for attribute in _ATTRIBUTES]
    raw = [{"name": xml_text(name), "attributes": attributes} for name in labels]
    yield "labels.json", json.dumps(raw, indent=1).encode()


def xml_text(text: str) -> str:
    """Returns text that XML can hold: characters that it cannot are escaped."""
    return _NO_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _raw(attribute: str) -> dict[str, object]:
    return {"name": attribute, "mutable": False, "input_type": "text", "values": [""]}


def _meta(run: HandedRun, labels: list[str]) -> ET.Element:
    meta = ET.Element("meta")
    task = ET.SubElement(meta, "task")
    ET.SubElement(task, "name").text = xml_text(f"{run.dataset} {run.name}")
    ET.SubElement(task, "size").text = str(len(run.frames))
    ET.SubElement(task, "mode").text = "annotation"
    holder = ET.SubElement(task, "labels")
    for name in labels:
        label = ET.SubElement(holder, "label")
        ET.SubElement(label, "name").text = xml_text(name)
        attributes = ET.SubElement(label, "attributes")
        for attribute in _ATTRIBUTES:
            entry = ET.SubElement(attributes, "attribute")
            for key, value in (("name", attribute), ("mutable", "False"), ("input_type", "text")):
                ET.SubElement(entry, key).text = value
            ET.SubElement(entry, "default_value")
            ET.SubElement(entry, "values")
    return meta


def _image(frame: HandedFrame, place_of: PlaceOf) -> ET.Element:
    known = {key: xml_text(str(value)) for key, value in frame.facts().items() if value is not None}
    image = ET.Element(
        "image",
        {
            "id": str(frame.rank),
            "name": xml_text(frame.name),
            "width": str(frame.width),
            "height": str(frame.height),
            "location": xml_text(place_of(frame)),
            **known,
        },
    )
    for group, prediction in enumerate(frame.predictions, start=1):
        for element in _elements(prediction, str(group)):
            element.set("label", xml_text(prediction.label))
            element.set("source", "file")
            score = "" if prediction.score is None else f"{prediction.score:.6g}"
            for name, value in (("score", score), ("task", prediction.task)):
                ET.SubElement(element, "attribute", {"name": name}).text = xml_text(value)
            image.append(element)
    return image


def _elements(prediction: Prediction, group: str) -> Iterator[ET.Element]:
    """Yields the shapes of one prediction; several belong to one group."""
    shared = {"occluded": "0", "z_order": "0"}
    if prediction.mask is not None:
        if prediction.mask.area:
            yield ET.Element("mask", {**shared, **_mask(prediction.mask)})
        return
    if prediction.keypoints:
        shared["group_id"] = group
        points = ";".join(f"{x:.2f},{y:.2f}" for x, y, _ in prediction.keypoints)
        yield ET.Element("points", {**shared, "points": points})
    if prediction.box is not None:
        x, y, width, height = prediction.box
        corners = {"xtl": x, "ytl": y, "xbr": x + width, "ybr": y + height}
        yield ET.Element("box", {**shared, **{k: f"{v:.2f}" for k, v in corners.items()}})
    elif not prediction.keypoints:
        yield ET.Element("tag")


def _mask(mask: Mask) -> dict[str, str]:
    left, top, width, height = (str(int(value)) for value in mask.box())
    runs = ", ".join(map(str, mask.cropped().runs))
    return {"rle": runs, "left": left, "top": top, "width": width, "height": height}
