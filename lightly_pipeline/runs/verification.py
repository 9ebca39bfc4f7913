"""Whether what runs wrote down is still true: every image that a manifest names, with its hash."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from lightly_pipeline.datasources import Datasource, concurrently
from lightly_pipeline.errors import ObjectNotFoundError
from lightly_pipeline.layout import MANIFEST_FILE, run_path
from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.runs.finding import image_store, run_files

_N_READERS = 16


@dataclass(frozen=True, slots=True)
class RunCheck:
    """What became of one run's images.

    Attributes:
        run_id: Id of the run.
        n_images: Images that its manifest names, crops of objects included.
        missing: Of these, the ones that are not there.
        changed: Of these, the ones with other bytes.
        problem: Why the manifest cannot be read; None when it can.
    """

    run_id: str
    n_images: int
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def is_true(self) -> bool:
        """Whether everything is as the manifest says."""
        return not (self.missing or self.changed or self.problem)


def verify_run(
    store: Datasource,
    run_id: str,
    *,
    source: Datasource | None = None,
    progress: Progress = silent,
) -> RunCheck:
    """Reads every image of a run's manifest and compares its hash.

    Args:
        store: The LIGHTLY datasource.
        run_id: Id of the run.
        source: The INPUT datasource, in which chosen images of an image dataset are; that which
            the manifest names by default.
        progress: Told how many images were read.

    Raises:
        DatasourceError: The store failed.
    """
    path = run_path(run_id, MANIFEST_FILE)
    try:
        manifest = json.loads(store.read(path))
        images = manifest["images"]
        stored = [stored for image in images for stored in (image, *image.get("crops", ()))]
        named = {image["image"]: image["sha256"] for image in stored}
        place = image_store(store, manifest, source)
    except ObjectNotFoundError:
        return RunCheck(run_id, 0, problem=f"{store.location(path)} does not exist")
    except (ValueError, KeyError, TypeError):
        return RunCheck(run_id, 0, problem=f"{store.location(path)} is not a manifest")
    found: dict[str, str | None] = {}
    digests = concurrently(lambda image: _digest(place, image), named, at_once=_N_READERS)
    for image, digest in zip(named, digests, strict=True):
        found[image] = digest
        progress("verify", len(found), len(named), "images")
    return RunCheck(
        run_id,
        len(named),
        missing=tuple(image for image, digest in found.items() if digest is None),
        changed=tuple(i for i, digest in found.items() if digest not in (None, named[i])),
    )


def verify_runs(
    store: Datasource, *, source: Datasource | None = None, progress: Progress = silent
) -> Iterator[RunCheck]:
    """Yields a check of every run that has a manifest, in order of their ids.

    Args:
        store: The LIGHTLY datasource.
        source: As in `verify_run`.
        progress: Told how many images of each run were read.

    Raises:
        DatasourceError: The store failed.
    """
    for run_id, name, _ in run_files(store):
        if name == MANIFEST_FILE:
            yield verify_run(store, run_id, source=source, progress=progress)


def _digest(store: Datasource, path: str) -> str | None:
    try:
        return hashlib.sha256(store.read(path)).hexdigest()
    except ObjectNotFoundError:
        return None
