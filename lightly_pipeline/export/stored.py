"""Which images are there already, and under which name a new one goes: none is ever changed.

Every run's manifest names its images with their hash, so an image that is stored stays as it is. A
video that was replaced, another colour rule or another release may give the same frame other
bytes; these get a name of their own.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from lightly_pipeline.datasources import Datasource, read_document
from lightly_pipeline.errors import (
    DamagedDocumentError,
    DatasourceError,
    ObjectNotFoundError,
    PreconditionFailedError,
)
from lightly_pipeline.runs.records import ChosenFrame, StoredCrop, UploadedImage
from lightly_pipeline.tables.handle import VideoTable

# The images a video has given so far, so that a second run need not decode it again.
IMAGES_FILE = "images.json"


class KnownImages:
    """The images that earlier runs made of one version of a video with the same options.

    Args:
        table: Of the video.
        options: What else decides the bytes of an image: format and size.
    """

    def __init__(self, table: VideoTable, options: str) -> None:
        self._table, self._options = table, options
        self._images, self._made_by = _read(table)

    def find(self, frame: ChosenFrame) -> tuple[UploadedImage, bytes] | None:
        """Returns the image of a frame and its content, if that is still what was written.

        With the crops of the frame's boxes; an image without them is not known.
        """
        entry = self._images.get(f"{frame.frame_index} {self._options}")
        if entry is None:
            return None
        content = self._unchanged(entry["image"], entry["sha256"])
        image = UploadedImage.from_dict({**entry, "rank": frame.rank})
        crops = _crops_of(frame, image.crops)
        if content is None or crops is None:
            return None
        if any(self._unchanged(crop.image, crop.sha256) is None for crop in crops):
            return None
        return replace(image, crops=crops), content

    def _with_crops(self, image: UploadedImage) -> UploadedImage:
        """Returns the image with the crops of other tasks that are known of it, too."""
        entry = self._images.get(f"{image.frame_index} {self._options}")
        if entry is None or not entry["crops"]:
            return image
        made = {crop.task for crop in image.crops}
        others = (c for c in UploadedImage.from_dict(entry).crops if c.task not in made)
        return replace(image, crops=(*image.crops, *others))

    def _unchanged(self, path: str, sha256: str) -> bytes | None:
        """Returns what is stored at `path`, if that is still what was written."""
        try:
            content = self._table.store.read(path)
        except ObjectNotFoundError:
            return None
        return content if hashlib.sha256(content).hexdigest() == sha256 else None

    def is_made_by(self, run_id: str, frame_index: int) -> bool:
        """Returns whether a run has made the image of a frame, in an attempt that ended early."""
        return self._made_by.get(f"{frame_index} {self._options}") == run_id

    def restored(self, frame_index: int, content: bytes) -> str | None:
        """Writes an image again that was damaged or removed since.

        Args:
            frame_index: Of its frame.
            content: Of the image, made again.

        Returns:
            Where it is; None where no image with these bytes was written before.
        """
        entry = self._images.get(f"{frame_index} {self._options}")
        if entry is None or hashlib.sha256(content).hexdigest() != entry["sha256"]:
            return None
        path: str = entry["image"]
        self._table.store.write(path, content)
        return path

    def add(self, images: Sequence[UploadedImage], run_id: str) -> None:
        """Remembers images that a run made; a lost update only costs decoding them again."""
        made = {f"{i.frame_index} {self._options}": asdict(self._with_crops(i)) for i in images}
        self._images |= made
        self._made_by |= dict.fromkeys(made, run_id)
        document = {
            "fingerprint": self._table.fingerprint,
            "images": self._images,
            "made_by": self._made_by,
        }
        path = f"{self._table.folder}/{IMAGES_FILE}"
        self._table.store.write(path, json.dumps(document).encode())


def _read(table: VideoTable) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Returns the images of this version that are remembered, and which run made each.

    None where that cannot be read; an image of an earlier release is made by no run.
    """

    def parsed(document: dict[str, Any]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
        if document["fingerprint"] != table.fingerprint:
            return {}, {}
        found = dict(_keyed_by_frame(key, entry) for key, entry in document["images"].items())
        images = {key: asdict(UploadedImage.from_dict(entry)) for key, entry in found.items()}
        return images, dict(document.get("made_by", {}))

    path = f"{table.folder}/{IMAGES_FILE}"
    try:
        return read_document(table.store, path, parsed, "a list of images")
    except (ObjectNotFoundError, DamagedDocumentError):
        return {}, {}


def _crops_of(frame: ChosenFrame, known: Sequence[StoredCrop]) -> tuple[StoredCrop, ...] | None:
    """Returns those of the known crops that a frame wants; None where one is not known."""
    by_box = {(crop.task, crop.number, crop.box): crop for crop in known}
    wanted = [
        by_box.get((task, number, box))
        for task, boxes in frame.boxes.items()
        for number, box in enumerate(boxes)
    ]
    found = tuple(crop for crop in wanted if crop is not None)
    return found if len(found) == len(wanted) else None


def _keyed_by_frame(key: str, entry: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Returns an entry under today's key: the frame's index stands where the path once did."""
    options = key.removeprefix(f"{entry['image']} ").removeprefix(f"{entry['frame_index']} ")
    return f"{entry['frame_index']} {options}", entry


def store_once(store: Datasource, path_of: Callable[[str], str], content: bytes) -> str:
    """Stores an image unless it is there, and leaves every other image as it is.

    Args:
        store: The LIGHTLY datasource.
        path_of: Gives the path for a mark: the plain one for "", another one for a hash.
        content: Of the image.

    Returns:
        Where it is.

    Raises:
        DatasourceError: The store failed.
    """
    plain = path_of("")
    if _is_stored(store, plain, content):
        return plain
    digest = hashlib.sha256(content).hexdigest()
    for mark in (digest[:16], digest):
        path = path_of(mark)
        if _is_stored(store, path, content):
            return path
    raise DatasourceError(
        f"{store.location(path_of(digest))} holds other bytes than the hash in its name says: "
        "something else wrote it; remove it and run again"
    )


def _is_stored(store: Datasource, path: str, content: bytes) -> bool:
    """Returns whether the content is at `path`, where it is put if nothing is there."""
    try:
        store.write(path, content, if_absent=True)
    except PreconditionFailedError:
        return store.read(path) == content
    return True
