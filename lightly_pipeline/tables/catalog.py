"""The catalogue: which videos, or images, the INPUT datasource held when it was last listed.

Stored in the LIGHTLY datasource so that any worker, and a fresh orchestrator, can read it.
Listing rules (extensions, skipped folders) are the datasources' business.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lightly_pipeline.datasources import Datasource, StoredObject, concurrently, read_document
from lightly_pipeline.errors import DamagedDocumentError, ObjectNotFoundError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.tables.fingerprint import SCHEMA_VERSION, catalog_hash
from lightly_pipeline.tables.shards import ImageShard, read_shard

_logger = logger_of(__name__)
CATALOG_PATH = ".lightly/tables/catalog.json"


@dataclass(frozen=True, slots=True)
class Catalog:
    """What the tables of a dataset are of.

    Attributes:
        videos: In UTF-8 byte order of their paths; or shards of images, in the order of dealing.
    """

    videos: tuple[StoredObject, ...]

    @property
    def hash(self) -> str:
        """A hash of which videos there are, in which version."""
        return catalog_hash(self.videos)

    @property
    def files(self) -> Iterator[StoredObject]:
        """Yields the files in INPUT that take part: videos, or images."""
        for video in self.videos:
            if isinstance(video, ImageShard):
                yield from (image for _, image in video.taking_part())
            else:
                yield video

    @property
    def n_files(self) -> int:
        """How many files take part."""
        return sum(v.n_taking_part if isinstance(v, ImageShard) else 1 for v in self.videos)

    def among(self, is_wanted: Callable[[StoredObject], bool]) -> "Catalog":
        """Returns the catalogue of the files that are wanted."""
        kept: list[StoredObject] = []
        for video in self.videos:
            if isinstance(video, ImageShard):
                shard = video.among(is_wanted)
                kept += [shard] if shard is not None else []
            elif is_wanted(video):
                kept.append(video)
        return Catalog(tuple(kept))


def write_catalog(store: Datasource, catalog: Catalog) -> None:
    """Stores the catalogue, in place of an earlier one; what its shards hold is stored before."""
    shards = [video for video in catalog.videos if isinstance(video, ImageShard)]
    others = () if shards else catalog.videos
    videos = [[v.path, v.size_bytes, v.etag, v.modified_s] for v in others]
    document = {"version": SCHEMA_VERSION, "hash": catalog.hash, "videos": videos}
    if shards:
        document["shards"] = [[s.path, s.size_bytes, s.etag, sorted(s.left_out)] for s in shards]
    store.write(CATALOG_PATH, json.dumps(document).encode())


def read_catalog(store: Datasource) -> Catalog | None:
    """Returns the stored catalogue, or None when nothing was listed yet, or nothing readable."""
    try:
        videos, shards = read_document(store, CATALOG_PATH, _parsed, "a catalogue")
        return Catalog((*videos, *concurrently(lambda shard: read_shard(store, *shard), shards)))
    except ObjectNotFoundError:
        return None
    except DamagedDocumentError as error:
        _logger.warning("%s: it is made anew by the next listing", error)
        return None


def _parsed(document: Any) -> tuple[list[StoredObject], list[Any]]:
    """Returns the videos, and what is said of each shard."""
    shards = [
        (path, size_bytes, digest, frozenset(left_out))
        for path, size_bytes, digest, left_out in document.get("shards", ())
    ]
    return [StoredObject(*video) for video in document["videos"]], shards
