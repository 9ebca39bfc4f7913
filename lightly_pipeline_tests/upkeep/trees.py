"""Results to be cleaned: how old their files are, and what is there."""

import hashlib
import os
import time
from pathlib import Path

from lightly_pipeline.datasources import Datasource

Tree = dict[str, str]


def age(folder: Path, days: float) -> None:
    """Makes every file below a folder so much older; those that are older already stay so."""
    then = time.time() - days * 24 * 3600
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if path.lstat().st_mtime > then:
                os.utime(path, (then, then))


def tree(store: Datasource) -> Tree:
    """The hash of every object's content, by path; what a run says of itself elsewhere aside."""
    ours = (".lightly/access-check", ".lightly/marks/")
    return {
        item.path: hashlib.sha256(store.read(item.path)).hexdigest()
        for item in store.list()
        if not item.path.startswith(ours)
    }
