"""The datapool: everything that runs with `use_datapool` chose, and which videos they have seen.

A log of entries under `.lightly/datapool/`, one per run, each a create-only object of the next
number: that write is the compare-and-swap. A selection made against an older state cannot enter.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightly_pipeline.datasources import (
    Datasource,
    StoredObject,
    concurrently,
    read_document,
)
from lightly_pipeline.errors import DatapoolChangedError, DatasourceError, ObjectNotFoundError
from lightly_pipeline.runs.chosen import ChosenSet
from lightly_pipeline.runs.tags import create_only, list_tags, read_tags

POOL_FOLDER = ".lightly/datapool/"
POOL_VERSION = 1


@dataclass(frozen=True, slots=True)
class Datapool:
    """The datapool as a run found it.

    Attributes:
        number: Of the newest entry; 0 when there is none.
        chosen: What was chosen so far, oldest first.
        processed: (size in bytes, etag) of the videos that were candidates before, by path.
        adopted: Tags that a first entry takes over: what runs without datapool chose before.
        run_ids: The runs that made the entries, oldest first.
    """

    number: int
    chosen: tuple[ChosenSet, ...]
    processed: Mapping[str, tuple[int, str]]
    adopted: tuple[str, ...] = ()
    run_ids: tuple[str, ...] = ()

    def is_processed(self, video: StoredObject) -> bool:
        """Returns whether this version of a video was a candidate of an earlier run."""
        return self.processed.get(video.path) == (video.size_bytes, video.etag)

    @property
    def n_frames(self) -> int:
        """Frames chosen so far."""
        return sum(len(chosen.frames) for chosen in self.chosen)


@dataclass(frozen=True, slots=True)
class PoolClaim:
    """The place in the datapool that a selection was made for.

    Attributes:
        number: Of its entry: one more than that of the state it was selected against.
        adopted: Tags taken over, in a first entry.
        processed: (size in bytes, etag) by path of the videos seen for the first time.
    """

    number: int
    adopted: tuple[str, ...]
    processed: dict[str, tuple[int, str]]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "PoolClaim":
        """Returns the claim that `dataclasses.asdict` described."""
        return cls(
            values["number"], tuple(values["adopted"]), _processed_videos(values["processed"])
        )


def read_datapool(store: Datasource) -> Datapool:
    """Returns the datapool; without entries, what the dataset's tags hold."""
    paths = [item.path for item in store.list(POOL_FOLDER) if item.path.endswith(".json")]
    documents = list(concurrently(lambda path: _read(store, path), paths))
    if documents:
        adopted = read_tags(store, documents[0]["adopted"])
    else:
        adopted = [tag for tag in reversed(list_tags(store)) if not tag.is_trial]
    entered = [ChosenSet.from_dict(document) for document in documents]
    processed: dict[str, tuple[int, str]] = {}
    for document in documents:
        processed.update(_processed_videos(document["processed"]))
    return Datapool(
        number=len(documents),
        chosen=(*(tag.chosen for tag in adopted), *entered),
        processed=processed,
        adopted=() if documents else tuple(tag.name for tag in adopted),
        run_ids=tuple(chosen.run_id for chosen in entered),
    )


def chosen_before(store: Datasource, n_frames: int) -> tuple[ChosenSet, ...]:
    """Returns what the datapool held when a run found so many frames in it, oldest first.

    A datapool only grows: this is how it began.

    Args:
        store: The LIGHTLY datasource.
        n_frames: Frames that the run counted as chosen before, each once.
    """
    found: list[ChosenSet] = []
    seen: set[tuple[str, int, str]] = set()
    for chosen in read_datapool(store).chosen:
        if len(seen) >= n_frames:
            break
        seen |= {(f.video, f.frame_index, chosen.videos[f.video].etag) for f in chosen.frames}
        found.append(chosen)
    return tuple(found)


def add_entry(store: Datasource, claim: PoolClaim, created: str, chosen: ChosenSet) -> None:
    """Adds what a run chose, unless another run came first; doing it twice changes nothing.

    Args:
        store: The LIGHTLY datasource.
        claim: What the selection was made against.
        created: UTC time of the selection, ISO 8601.
        chosen: The frames whose images are stored.

    Raises:
        DatapoolChangedError: Another run added frames since this one's selection began.
    """
    path = f"{POOL_FOLDER}{claim.number:08d}.json"
    document = {
        "version": POOL_VERSION,
        "number": claim.number,
        "created": created,
        "adopted": list(claim.adopted),
        "processed": claim.processed,
        **chosen.as_dict(),
    }
    if create_only(store, path, json.dumps(document, indent=1).encode()):
        return
    winner = _read(store, path)["run_id"]
    if winner != chosen.run_id:
        raise DatapoolChangedError(
            f"run {winner} added frames to the datapool of {store.describe()} while run "
            f"{chosen.run_id} was selecting: its choice could repeat them, so nothing of it was "
            "kept; run again to select on top of them"
        )


def _read(store: Datasource, path: str) -> dict[str, Any]:
    try:
        return read_document(store, path, _checked, "a datapool entry")
    except ObjectNotFoundError:
        raise DatasourceError(f"{store.location(path)} was removed while it was read") from None


def _checked(document: dict[str, Any]) -> dict[str, Any]:
    """Returns an entry whose parts can be read."""
    ChosenSet.from_dict(document)
    _processed_videos(document["processed"])
    _ = document["adopted"]
    return document


def _processed_videos(values: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    return {path: (size_bytes, etag) for path, (size_bytes, etag) in values.items()}
