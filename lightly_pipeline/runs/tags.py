"""Tags: names for what runs chose, one file each under `.lightly/tags/`.

The first is `initial-tag`, later ones are numbered. A tag is made by a create-only write of the
next number: of two runs that want the same one, the second reads again and takes the next.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lightly_pipeline.datasources import Datasource, concurrently, read_document
from lightly_pipeline.errors import (
    DatasourceError,
    ObjectNotFoundError,
    PreconditionFailedError,
    TagNotFoundError,
)
from lightly_pipeline.layout import image_name
from lightly_pipeline.runs.chosen import ChosenSet

TAGS_FOLDER = ".lightly/tags/"
INITIAL_TAG = "initial-tag"
TAG_VERSION = 1
_NUMBERED = re.compile(r"tag-(\d+)")
_MAX_RACES = 100
# Machines that share a dataset may disagree about the time.
_CLOCKS_DIFFER_BY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag.

    Attributes:
        name: Unique in the dataset.
        number: 1 for the first, then one more for each.
        parent: Name of the tag before; None for the first.
        created: UTC time of the selection, ISO 8601.
        chosen: The frames, and the run that chose them.
        is_trial: Made by a datapool run that was not to be remembered.
        written: UTC time of its making, ISO 8601; empty for tags of the first release.
    """

    name: str
    number: int
    parent: str | None
    created: str
    chosen: ChosenSet
    is_trial: bool = False
    written: str = ""

    @property
    def run_id(self) -> str:
        """The run that made it."""
        return self.chosen.run_id

    @property
    def filenames(self) -> list[str]:
        """Names of the images, relative to the folder of all images, in the order of picks."""
        return [image_name(frame.image) for frame in self.chosen.frames]


def tag_names(store: Datasource) -> list[str]:
    """Returns the names of all tags, newest first, without reading them."""
    names = [
        item.path.removeprefix(TAGS_FOLDER).removesuffix(".json")
        for item in store.list(TAGS_FOLDER)
        if item.path.endswith(".json")
    ]
    return sorted((name for name in names if _number(name)), key=_number, reverse=True)


def list_tags(store: Datasource) -> list[Tag]:
    """Returns all tags, newest first."""
    return list(concurrently(lambda name: read_tag(store, name), tag_names(store)))


def read_tag(store: Datasource, name: str) -> Tag:
    """Returns the tag of a name.

    Raises:
        TagNotFoundError: There is none; names those that there are.
        DamagedDocumentError: It cannot be read as one.
    """
    path = _path(name)
    try:
        return read_document(store, path, _parsed, "a tag")
    except ObjectNotFoundError:
        known = tag_names(store)
        there = f"there are {', '.join(known[:20])}" if known else "there are none yet"
        raise TagNotFoundError(f"no tag {name!r} in {store.describe()}: {there}") from None


def add_tag(
    store: Datasource, created: str, chosen: ChosenSet, *, is_trial: bool = False
) -> Tag | None:
    """Makes the next tag of what a run chose and has stored.

    A run has one tag, however often this is tried, and none when it chose nothing.

    Args:
        store: The LIGHTLY datasource.
        created: UTC time of the selection, ISO 8601.
        chosen: The frames whose images are stored.
        is_trial: Whether a datapool must not take it over.

    Returns:
        The run's tag; None when there is no frame.

    Raises:
        DatasourceError: The store failed.
    """
    if not chosen.frames:
        return None
    for _ in range(_MAX_RACES):
        names = tag_names(store)
        existing = _of_run(store, names, created, chosen.run_id)
        if existing is not None:
            return existing
        number = _number(names[0]) + 1 if names else 1
        name = INITIAL_TAG if number == 1 else f"tag-{number:04d}"
        written = datetime.now(UTC).isoformat(timespec="seconds")
        parent = names[0] if names else None
        tag = Tag(name, number, parent, created, chosen, is_trial, written)
        if _create(store, tag):
            return tag
    raise DatasourceError(
        f"{store.location(TAGS_FOLDER)}: {_MAX_RACES} tags were made by others meanwhile; run again"
    )


def _of_run(store: Datasource, names: list[str], created: str, run_id: str) -> Tag | None:
    """Returns the tag of a run among those written since its selection."""
    earliest = datetime.fromisoformat(created) - _CLOCKS_DIFFER_BY
    for name in names:
        tag = read_tag(store, name)
        if tag.run_id == run_id:
            return tag
        if tag.written and datetime.fromisoformat(tag.written) < earliest:
            return None
    return None


def _create(store: Datasource, tag: Tag) -> bool:
    document = {
        "version": TAG_VERSION,
        "name": tag.name,
        "number": tag.number,
        "parent": tag.parent,
        "created": tag.created,
        "written": tag.written,
        "is_trial": tag.is_trial,
        "n_frames": len(tag.chosen.frames),
        **tag.chosen.as_dict(),
    }
    content = json.dumps(document, indent=1).encode()
    return create_only(store, _path(tag.name), content)


def create_only(store: Datasource, path: str, content: bytes) -> bool:
    """Writes an object that must not be there yet; returns whether it is ours.

    What was written is read back: on stores whose check and write are not one step (OpenStack
    Swift), the later of two writers that arrive together wins, and the earlier has to notice.
    """
    try:
        store.write(path, content, if_absent=True)
    except PreconditionFailedError:
        return False
    return store.read(path) == content


def _number(name: str) -> int:
    """Returns the number of a tag's name; 0 for what is no tag of ours."""
    if name == INITIAL_TAG:
        return 1
    numbered = _NUMBERED.fullmatch(name)
    return int(numbered[1]) if numbered else 0


def _path(name: str) -> str:
    return f"{TAGS_FOLDER}{name}.json"


def _parsed(document: Any) -> Tag:
    return Tag(
        document["name"],
        document["number"],
        document["parent"],
        document["created"],
        ChosenSet.from_dict(document),
        document["is_trial"],
        document.get("written", ""),
    )
