"""The catalogue: which videos the INPUT datasource held when it was last listed.

Stored in the LIGHTLY datasource so that any worker, and a fresh orchestrator, can read it.
Listing rules (extensions, skipped folders) are the datasources' business.
"""

import json
from dataclasses import dataclass
from typing import Any

from lightly_pipeline.datasources import Datasource, StoredObject, read_document
from lightly_pipeline.errors import DamagedDocumentError, ObjectNotFoundError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.tables.fingerprint import SCHEMA_VERSION, catalog_hash

_logger = logger_of(__name__)
CATALOG_PATH = ".lightly/tables/catalog.json"


@dataclass(frozen=True, slots=True)
class Catalog:
    """The videos of a dataset, in UTF-8 byte order of their paths."""

    videos: tuple[StoredObject, ...]

    @property
    def hash(self) -> str:
        """A hash of which videos there are, in which version."""
        return catalog_hash(self.videos)


def write_catalog(store: Datasource, catalog: Catalog) -> None:
    """Stores the catalogue, in place of an earlier one."""
    videos = [[v.path, v.size_bytes, v.etag, v.modified_s] for v in catalog.videos]
    document = {"version": SCHEMA_VERSION, "hash": catalog.hash, "videos": videos}
    store.write(CATALOG_PATH, json.dumps(document).encode())


def read_catalog(store: Datasource) -> Catalog | None:
    """Returns the stored catalogue, or None when nothing was listed yet, or nothing readable."""
    try:
        return read_document(store, CATALOG_PATH, _parsed, "a catalogue")
    except ObjectNotFoundError:
        return None
    except DamagedDocumentError as error:
        _logger.warning("%s: it is made anew by the next listing", error)
        return None


def _parsed(document: Any) -> Catalog:
    return Catalog(tuple(StoredObject(*video) for video in document["videos"]))
