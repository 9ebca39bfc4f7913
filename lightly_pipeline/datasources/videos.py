"""Which objects of a datasource are videos.

The extensions are those of the documentation page that this project implements; what is inside a
file is found out by decoding it.
"""

from collections.abc import Iterator

from lightly_pipeline.datasources.protocol import Datasource, StoredObject

VIDEO_EXTENSIONS = frozenset({".mp4", ".m4v", ".hevc", ".mpg", ".mpeg", ".avi", ".mov", ".webm"})
"""Exhaustive, compared without case."""

_OWN_FOLDER = ".lightly/"


def is_video_path(path: str) -> bool:
    """Returns whether a path has one of the eight extensions."""
    name = path.rpartition("/")[2]
    stem, dot, extension = name.rpartition(".")
    return bool(stem and dot) and f".{extension.lower()}" in VIDEO_EXTENSIONS


def list_videos(datasource: Datasource) -> Iterator[StoredObject]:
    """Yields the videos of a datasource in byte order of their paths.

    What lies under `.lightly/` is our own output and left out: INPUT and LIGHTLY may be one place.
    """
    for item in datasource.list():
        if is_video_path(item.path) and not item.path.startswith(_OWN_FOLDER):
            yield item
