"""Tags: names for frames that runs chose, one file each under `.lightly/tags/`.

The first of a run is `initial-tag`, later ones are numbered. It is made by a create-only write of
the next number: of two runs that want the same one, the second reads again and takes the next.
Tags that people make of file names have other names; how they are made is in `own_tags.py`.
"""

import json
import re
from collections.abc import Iterable
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
from lightly_pipeline.runs.chosen import ChosenSet, StoredFrame

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
        number: 1 for the first of a run, then one more for each; 0 for a tag of file names.
        parent: Name of the tag before, or that was named as its parent; None for the first.
        created: UTC time of the selection, or of the tag's making, ISO 8601.
        parts: The frames, by the run that chose them; one part for a run's tag.
        is_trial: Made by a datapool run that was not to be remembered.
        written: UTC time of its making, ISO 8601; empty for tags of the first release.
    """

    name: str
    number: int
    parent: str | None
    created: str
    parts: tuple[ChosenSet, ...]
    is_trial: bool = False
    written: str = ""

    @property
    def is_of_run(self) -> bool:
        """Whether a run made it."""
        return self.number > 0

    @property
    def chosen(self) -> ChosenSet:
        """What the run chose that made it.

        Raises:
            ValueError: It is of file names, whose frames several runs may have chosen.
        """
        if not self.is_of_run:
            raise ValueError(f"tag {self.name} was made by no run")
        return self.parts[0]

    @property
    def run_id(self) -> str:
        """The run that made it; fails as `chosen` does."""
        return self.chosen.run_id

    @property
    def frames(self) -> tuple[StoredFrame, ...]:
        """The frames of all parts, each part's in the order of picks."""
        return tuple(frame for part in self.parts for frame in part.frames)

    @property
    def filenames(self) -> list[str]:
        """Names of the images, relative to the folder of all images, in the order of `frames`."""
        return [image_name(frame.image) for frame in self.frames]


def tag_names(store: Datasource) -> list[str]:
    """Returns the names of all tags of runs, newest first, without reading them."""
    return sorted(filter(number_of, stored_names(store)), key=number_of, reverse=True)


def stored_names(store: Datasource) -> list[str]:
    """Returns the names of all tags, in byte order."""
    return [
        item.path.removeprefix(TAGS_FOLDER).removesuffix(".json")
        for item in store.list(TAGS_FOLDER)
        if item.path.endswith(".json")
    ]


def list_tags(store: Datasource) -> list[Tag]:
    """Returns all tags of runs, newest first."""
    return read_tags(store, tag_names(store))


def read_tags(store: Datasource, names: Iterable[str]) -> list[Tag]:
    """Returns the tags of names."""
    return list(concurrently(lambda name: read_tag(store, name), names))


def read_tag(store: Datasource, name: str) -> Tag:
    """Returns the tag of a name.

    Raises:
        TagNotFoundError: There is none; names those that there are.
        DamagedDocumentError: It cannot be read as one.
    """
    try:
        return read_document(store, tag_path(name), _parsed, "a tag")
    except ObjectNotFoundError:
        known = tag_names(store)
        known += [other for other in stored_names(store) if other not in known]
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
        number = number_of(names[0]) + 1 if names else 1
        name = INITIAL_TAG if number == 1 else f"tag-{number:04d}"
        written = datetime.now(UTC).isoformat(timespec="microseconds")
        parent = names[0] if names else None
        tag = Tag(name, number, parent, created, (chosen,), is_trial, written)
        if store_tag(store, tag):
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


def store_tag(store: Datasource, tag: Tag) -> bool:
    """Stores a new tag; returns whether its name was free."""
    if tag.is_of_run:
        frames: dict[str, Any] = tag.chosen.as_dict()
    else:
        frames = {"parts": [part.as_dict() for part in tag.parts]}
    document = {
        "version": TAG_VERSION,
        "name": tag.name,
        "number": tag.number,
        "parent": tag.parent,
        "created": tag.created,
        "written": tag.written,
        "is_trial": tag.is_trial,
        "n_frames": len(tag.frames),
        **frames,
    }
    content = json.dumps(document, indent=1).encode()
    return create_only(store, tag_path(tag.name), content)


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


def number_of(name: str) -> int:
    """Returns the number of a tag's name; 0 for what is no tag of a run."""
    if name == INITIAL_TAG:
        return 1
    numbered = _NUMBERED.fullmatch(name)
    return int(numbered[1]) if numbered else 0


def tag_path(name: str) -> str:
    """Returns where a tag is."""
    return f"{TAGS_FOLDER}{name}.json"


def _parsed(document: Any) -> Tag:
    parts = document.get("parts", [document])
    return Tag(
        document["name"],
        document["number"],
        document["parent"],
        document["created"],
        tuple(ChosenSet.from_dict(part) for part in parts),
        document["is_trial"],
        document.get("written", ""),
    )
