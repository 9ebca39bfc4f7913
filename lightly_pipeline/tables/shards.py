"""Image datasets: images in shards, each of which has one table as a video has.

A million images are a thousand tables. A shard never changes: its images are dealt to it once, in
the order of their paths, and one that is replaced in INPUT is dealt anew, to a new shard. So what
is embedded stays embedded, whatever is added or removed. Which images a shard holds is kept in a
document under the hash of it; which shards there are, in the catalogue.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lightly_pipeline.datasources import (
    Datasource,
    StoredObject,
    concurrently,
    read_document,
)
from lightly_pipeline.layout import TABLES_FOLDER

SHARDS_FOLDER = f"{TABLES_FOLDER}shards/"
MOST_IMAGES = 1000
"""In a shard."""
# A small dataset has so many shards, that all cores may share the work, but not fewer images each.
_N_SHARED, _FEWEST_IMAGES = 64, 50


@dataclass(frozen=True, slots=True, eq=False)
class ImageShard(StoredObject):
    """Images that share a table; to the steps of a run it is what a video is.

    Attributes:
        images: All of them, in the order of its table's indices.
        left_out: Indices of those that take no part: they are gone from INPUT, or replaced there,
            or not among the relevant ones.
    """

    images: tuple[StoredObject, ...] = ()
    left_out: frozenset[int] = frozenset()

    def taking_part(self) -> Iterator[tuple[int, StoredObject]]:
        """Yields the index and the image of those that take part."""
        for index, image in enumerate(self.images):
            if index not in self.left_out:
                yield index, image

    @property
    def n_taking_part(self) -> int:
        """How many take part."""
        return len(self.images) - len(self.left_out)

    def among(self, is_wanted: Callable[[StoredObject], bool]) -> "ImageShard | None":
        """Returns the shard without the images that are not wanted; None where none is."""
        left_out = {index for index, image in self.taking_part() if not is_wanted(image)}
        if len(left_out) == self.n_taking_part:
            return None
        return replace(self, left_out=self.left_out | left_out) if left_out else self


def deal(before: Sequence[ImageShard], listed: Sequence[StoredObject]) -> list[ImageShard]:
    """Returns the shards of a listing: those that there were, and new ones for what is new.

    The same for the same listings in the same order. A shard of which most images are gone is
    given up, and so are small ones, once there are many: what is left of them is dealt anew.

    Args:
        before: The shards of the listing before.
        listed: All images, in byte order of their paths.
    """
    now = {image.path: image for image in listed}
    kept = []
    for shard in before:
        gone = {i for i, image in shard.taking_part() if now.get(image.path) != image}
        # One that was gone may be in no table by now.
        left_out = shard.left_out | gone
        if 2 * len(left_out) < len(shard.images):
            kept.append(replace(shard, left_out=left_out))
    small = [shard for shard in kept if shard.n_taking_part < _FEWEST_IMAGES]
    if len(small) >= _N_SHARED:
        kept = [shard for shard in kept if shard.n_taking_part >= _FEWEST_IMAGES]
    for shard in kept:
        for _, image in shard.taking_part():
            del now[image.path]
    number = max((int(shard.path.split("-")[1]) for shard in before), default=0)
    return [*kept, *(_shard(number + i, part) for i, part in enumerate(_parts([*now.values()]), 1))]


def _parts(images: Sequence[StoredObject]) -> Iterator[Sequence[StoredObject]]:
    """Yields images in parts of about the same number."""
    size = min(MOST_IMAGES, max(_FEWEST_IMAGES, len(images) // _N_SHARED))
    n_parts = -(-len(images) // size)
    for part in range(n_parts):
        yield images[len(images) * part // n_parts : len(images) * (part + 1) // n_parts]


def _shard(number: int, images: Sequence[StoredObject]) -> ImageShard:
    digest = hashlib.sha256(_document(images)).hexdigest()
    size_bytes = sum(image.size_bytes for image in images)
    path = f"images-{number:05d}-{digest[:8]}"
    return ImageShard(path, size_bytes, digest, images=tuple(images))


def write_shards(store: Datasource, shards: Iterable[ImageShard]) -> None:
    """Stores which images shards hold."""
    for _ in concurrently(
        lambda shard: store.write(_path(shard.etag), _document(shard.images)), shards
    ):
        pass


def read_shard(
    store: Datasource, path: str, size_bytes: int, digest: str, left_out: Iterable[int]
) -> ImageShard:
    """Returns a shard of the catalogue with its images.

    Raises:
        ObjectNotFoundError: Its document is gone.
        DamagedDocumentError: It cannot be read.
    """

    def parsed(document: Any) -> tuple[StoredObject, ...]:
        return tuple(StoredObject(*image) for image in document)

    images = read_document(store, _path(digest), parsed, "a list of images")
    return ImageShard(path, size_bytes, digest, images=images, left_out=frozenset(left_out))


def _document(images: Iterable[StoredObject]) -> bytes:
    rows = [[image.path, image.size_bytes, image.etag] for image in images]
    return json.dumps(rows, separators=(",", ":")).encode()


def _path(digest: str) -> str:
    return f"{SHARDS_FOLDER}{digest[:2]}/{digest}.json"
