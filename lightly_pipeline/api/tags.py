"""The tags of a dataset: which frames each of its runs chose, by a name.

A tag is derived from a run's manifest, so that a run without manifest (in progress, or failed) has
none. The first is `initial-tag`, as in the original, each later one is named after its run.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from lightly_pipeline.datasources import Datasource

_RUNS = ".lightly/runs/"
_MANIFEST = "/manifest.json"
_FRAMES = ".lightly/frames/"
INITIAL = "initial-tag"


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag.

    Attributes:
        name: Its name.
        parent: Name of the tag before it; None for the first.
        run_id: The run that made it.
        created_ms: Unix time in milliseconds.
        images: Its images relative to the LIGHTLY datasource, in the order of picks.
    """

    name: str
    parent: str | None
    run_id: str
    created_ms: int
    images: tuple[str, ...]

    @property
    def filenames(self) -> tuple[str, ...]:
        """The frames' names, as the original exports them."""
        return tuple(image.removeprefix(_FRAMES) for image in self.images)


def list_tags(store: Datasource) -> list[Tag]:
    """Returns the tags in a LIGHTLY datasource, oldest first."""
    manifests = [
        json.loads(store.read(item.path))
        for item in store.list(_RUNS)
        if item.path.endswith(_MANIFEST)
    ]
    manifests.sort(key=lambda manifest: (manifest["created"], manifest["run_id"]))
    tags: list[Tag] = []
    for manifest in manifests:
        tags.append(
            Tag(
                name=f"run-{manifest['run_id']}" if tags else INITIAL,
                parent=tags[-1].name if tags else None,
                run_id=manifest["run_id"],
                created_ms=int(datetime.fromisoformat(manifest["created"]).timestamp() * 1000),
                images=tuple(image["image"] for image in manifest["images"]),
            )
        )
    return tags


def tag_id(dataset_id: str, name: str) -> str:
    """Returns the 24 hexadecimal digits under which a dataset's tag is known."""
    return hashlib.sha256(f"{dataset_id} {name}".encode()).hexdigest()[:24]
