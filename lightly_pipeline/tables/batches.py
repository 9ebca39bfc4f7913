"""Batches of videos: what a partition holds where a dataset is too large for one per video.

Which batch a video is in is decided when it is first listed, and kept in a document per batch, so
that batches stay as they are when other videos come and go. Tables are those of single videos; what
an orchestrator is told of batches is in `defs/partitions.py`.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from lightly_pipeline.datasources import (
    Datasource,
    StoredObject,
    concurrently,
    read_document,
)
from lightly_pipeline.errors import DamagedDocumentError, ObjectNotFoundError
from lightly_pipeline.layout import TABLES_FOLDER
from lightly_pipeline.logs import logger_of

BATCHES_FOLDER = f"{TABLES_FOLDER}batches/"
_PREFIX, _DIGITS = "batch-", 6
_DOCUMENT = re.compile(rf"{re.escape(BATCHES_FOLDER)}({_PREFIX}\d+)\.json")
_logger = logger_of(__name__)


@dataclass(frozen=True, slots=True)
class VideoBatch:
    """Videos that share a partition.

    Attributes:
        name: `batch-` and a number.
        version: Another one whenever a video was added or replaced; not when one was removed,
            which leaves nothing to do.
        videos: In the version that was last listed, in the order of their arrival.
    """

    name: str
    version: str
    videos: tuple[StoredObject, ...]


class Dealt(NamedTuple):
    """The batches of a listing, and how many videos are new in theirs, or replaced."""

    batches: list[VideoBatch]
    n_changed: int


def deal_videos(
    before: Sequence[VideoBatch], listed: Iterable[StoredObject], most_videos: int
) -> Dealt:
    """Returns the batches of a listing: videos stay where they were, new ones fill what has room.

    A batch has room when it is the last one, or less than half full, so that what is removed over
    the years leaves no row of empty batches. A new batch is begun when none has room.

    Args:
        before: The batches of the listing before.
        listed: All videos, in byte order of their paths.
        most_videos: In a batch; those that hold more already keep them.
    """
    left = {video.path: video for video in listed}
    held = [_Held(batch, left) for batch in before]
    arrived = iter(left.values())
    for batch in held:
        if batch is held[-1] or 2 * len(batch.videos) < most_videos:
            batch.take(arrived, most_videos)
    number = max((_number(batch.name) for batch in before), default=0)
    while True:
        number += 1
        new = _Held(VideoBatch(f"{_PREFIX}{number:0{_DIGITS}d}", "", ()), {})
        if not new.take(arrived, most_videos):
            break
        held.append(new)
    return Dealt([batch.dealt() for batch in held], sum(batch.n_changed for batch in held))


class _Held:
    """A batch while videos are dealt: what it keeps of those before, then those that it takes.

    Args:
        before: The batch as it was.
        left: The listed videos that no batch holds yet, by path; its own are taken out.
    """

    def __init__(self, before: VideoBatch, left: dict[str, StoredObject]) -> None:
        self.name, self._version = before.name, before.version
        # A video that two listings at once have put into two batches belongs to the first one.
        kept = [(video, left.pop(video.path)) for video in before.videos if video.path in left]
        self.videos = [now for _, now in kept]
        self.n_changed = sum(then != now for then, now in kept)

    def take(self, arrived: Iterator[StoredObject], most_videos: int) -> bool:
        """Takes as many of the new videos as there is room for; returns whether it took any."""
        taken = list(islice(arrived, max(0, most_videos - len(self.videos))))
        self.videos += taken
        self.n_changed += len(taken)
        return bool(taken)

    def dealt(self) -> VideoBatch:
        """Returns the batch as it is now."""
        version = self._next_version() if self.n_changed else self._version
        return VideoBatch(self.name, version, tuple(self.videos))

    def _next_version(self) -> str:
        rows = [[video.path, video.size_bytes, video.etag] for video in self.videos]
        return hashlib.sha256(json.dumps([self._version, rows]).encode()).hexdigest()[:16]


def _number(name: str) -> int:
    return int(name.removeprefix(_PREFIX))


def read_batches(store: Datasource) -> list[VideoBatch]:
    """Returns all batches, in the order of their numbers."""
    found = (_DOCUMENT.fullmatch(item.path) for item in store.list(BATCHES_FOLDER))
    names = [document[1] for document in found if document]
    return list(concurrently(lambda name: read_batch(store, name), sorted(names, key=_number)))


def read_batch(store: Datasource, name: str) -> VideoBatch:
    """Returns a batch; an empty one where there is none, or nothing readable.

    The videos of an unreadable one are dealt anew by the next listing, and nothing is lost.
    """

    def parsed(document: Any) -> VideoBatch:
        videos = tuple(StoredObject(*video) for video in document["videos"])
        return VideoBatch(name, str(document["version"]), videos)

    try:
        return read_document(store, batch_path(name), parsed, "a batch of videos")
    except ObjectNotFoundError:
        return VideoBatch(name, "", ())
    except DamagedDocumentError as error:
        _logger.warning("%s: its videos are dealt to batches anew by the next listing", error)
        return VideoBatch(name, "", ())


def write_batches(store: Datasource, batches: Iterable[VideoBatch]) -> None:
    """Stores batches, in place of earlier ones of their names."""

    def write(batch: VideoBatch) -> None:
        videos = [[v.path, v.size_bytes, v.etag, v.modified_s] for v in batch.videos]
        document = {"version": batch.version, "videos": videos}
        store.write(batch_path(batch.name), json.dumps(document).encode())

    for _ in concurrently(write, batches):
        pass


def batch_path(name: str) -> str:
    """Returns where a batch is kept in the LIGHTLY datasource."""
    return f"{BATCHES_FOLDER}{name}.json"
