"""Tags that people make: a name for some of the frames that runs chose, given by file name.

Nothing is copied: a part of such a tag points at the run that chose its frames, and so at their
embeddings. Tags of runs are in `tags.py`.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.layout import image_name
from lightly_pipeline.runs.chosen import ChosenSet
from lightly_pipeline.runs.tags import (
    INITIAL_TAG,
    Tag,
    list_tags,
    number_of,
    read_tags,
    store_tag,
    stored_names,
    tag_path,
)

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9 .:;=@_-]{2,}")
_SHOWN = 5


def all_tags(store: Datasource) -> list[Tag]:
    """Returns the tags of runs and those that people made, newest first."""
    own = read_tags(store, (name for name in stored_names(store) if is_own_name(name)))
    tags = [*own, *list_tags(store)]
    return sorted(
        tags, key=lambda tag: datetime.fromisoformat(tag.written or tag.created), reverse=True
    )


def is_own_name(name: str) -> bool:
    """Returns whether a tag of this name was made by a person."""
    return not number_of(name) and _NAME.fullmatch(name) is not None


def create_tag(
    store: Datasource, name: str, filenames: Iterable[str], *, parent: str = INITIAL_TAG
) -> Tag:
    """Makes a tag of frames that runs chose.

    Args:
        store: The LIGHTLY datasource.
        name: At least three letters, digits, spaces and ".:;=@_-"; no other tag has it.
        filenames: Names of their images, relative to the folder of all images, in any order; of
            an image that several runs chose, the newest run counts.
        parent: The tag that is named as the one before it.

    Raises:
        InvalidConfigurationError: The name cannot be used, no run has completed, or some of the
            file names are of no chosen frame.
        DatasourceError: The store failed.
    """
    _check_name(name)
    runs = list_tags(store)
    if not runs:
        raise InvalidConfigurationError(
            f"no run has completed in {store.describe()}: there is no frame to tag yet"
        )
    wanted = set(filenames)
    parts = tuple(_parts(runs, wanted))
    found = {image_name(frame.image) for part in parts for frame in part.frames}
    if not wanted or wanted - found:
        raise InvalidConfigurationError(_unknown(wanted, found, runs))
    now = datetime.now(UTC)
    created, written = (now.isoformat(timespec=unit) for unit in ("seconds", "microseconds"))
    tag = Tag(name, 0, parent, created, parts, written=written)
    if not store_tag(store, tag):
        raise InvalidConfigurationError(f"there is a tag {name!r} already")
    return tag


def delete_tag(store: Datasource, tag: Tag) -> None:
    """Removes a tag that a person made; its frames stay.

    Raises:
        InvalidConfigurationError: A run made it, and later ones build on it.
        DatasourceError: The store failed, or does not allow to delete.
    """
    if tag.is_of_run:
        raise InvalidConfigurationError(
            f"tag {tag.name!r} says what run {tag.run_id} chose, and is kept: only tags that were "
            "made of file names can be deleted"
        )
    store.delete(tag_path(tag.name))


def _check_name(name: str) -> None:
    if number_of(name):
        raise InvalidConfigurationError(
            f"tag name {name!r}: names like this one are given to what runs choose; take another"
        )
    if not _NAME.fullmatch(name):
        raise InvalidConfigurationError(
            f"tag name {name!r}: use at least three letters, digits, spaces and .:;=@_-, a letter "
            "or digit first"
        )


def _parts(runs: Iterable[Tag], wanted: set[str]) -> list[ChosenSet]:
    """Returns the wanted frames by the run that chose them, oldest first.

    Args:
        runs: Tags of runs, newest first.
        wanted: Names of images.
    """
    parts: list[ChosenSet] = []
    missing = set(wanted)
    for tag in runs:
        frames = tuple(f for f in tag.chosen.frames if image_name(f.image) in missing)
        if not frames:
            continue
        missing -= {image_name(frame.image) for frame in frames}
        videos = {frame.video: tag.chosen.videos[frame.video] for frame in frames}
        # Sequences may be torn apart.
        parts.append(replace(tag.chosen, sequence_length=1, videos=videos, frames=frames))
    return parts[::-1]


def _unknown(wanted: set[str], found: set[str], runs: list[Tag]) -> str:
    example = runs[0].filenames[0]
    if not wanted:
        return f"a tag needs at least one file name, such as {example}"
    unknown = sorted(wanted - found)
    shown = ", ".join(unknown[:_SHOWN]) + (", ..." if len(unknown) > _SHOWN else "")
    return (
        f"{len(unknown)} of {len(wanted)} file names are of no frame that a run chose ({shown}); "
        f"one that is: {example}"
    )
