"""Which objects of a datasource are videos, and which are images.

The extensions of videos are those of the documentation page that this project implements; what is
inside a file is found out by decoding it.
"""

from collections.abc import Callable, Iterator

from lightly_pipeline.datasources.protocol import Datasource, StoredObject
from lightly_pipeline.errors import DatasourceError

VIDEO_EXTENSIONS = frozenset({".mp4", ".m4v", ".hevc", ".mpg", ".mpeg", ".avi", ".mov", ".webm"})
"""Exhaustive, compared without case."""
IMAGE_EXTENSIONS = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}
)
"""The formats of Lightly's page, and those that its open package reads besides."""

_OWN_FOLDER = ".lightly/"
# What macOS keeps of a file x beside it in ._x, on disks that have no place for it.
_TWIN_PREFIX, _TWIN_MAGIC = "._", bytes.fromhex("00051607")
_MAX_TWIN_BYTES = 1 << 20


def is_video_path(path: str) -> bool:
    """Returns whether a path has one of the eight extensions."""
    return _extension(path) in VIDEO_EXTENSIONS


def is_image_path(path: str) -> bool:
    """Returns whether a path has one of the extensions of images."""
    return _extension(path) in IMAGE_EXTENSIONS


def list_videos(datasource: Datasource) -> Iterator[StoredObject]:
    """Yields the videos of a datasource in byte order of their paths.

    What lies under `.lightly/` is our own output and left out: INPUT and LIGHTLY may be one place.
    So are the AppleDouble twins `._x` of files, which hold no video; their first bytes decide.
    """
    return _listed(datasource, is_video_path)


def list_images(datasource: Datasource) -> Iterator[StoredObject]:
    """Yields the images of a datasource, as `list_videos` does videos."""
    return _listed(datasource, is_image_path)


def _listed(datasource: Datasource, is_wanted: Callable[[str], bool]) -> Iterator[StoredObject]:
    for item in datasource.list():
        is_own = item.path.startswith(_OWN_FOLDER)
        if is_wanted(item.path) and not is_own and not _is_twin(datasource, item):
            yield item


def _extension(path: str) -> str:
    stem, dot, extension = path.rpartition("/")[2].rpartition(".")
    return f".{extension.lower()}" if stem and dot else ""


def _is_twin(datasource: Datasource, item: StoredObject) -> bool:
    name = item.path.rpartition("/")[2]
    if not name.startswith(_TWIN_PREFIX) or item.size_bytes > _MAX_TWIN_BYTES:
        return False
    try:
        with datasource.open(item.path, etag=item.etag) as file:
            return file.read(len(_TWIN_MAGIC)) == _TWIN_MAGIC
    except (DatasourceError, OSError):
        # Who cannot read it is told so when it is decoded.
        return False
