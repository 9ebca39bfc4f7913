"""Where fits end up: weights in the package, and beside them what they were made of."""

import hashlib
import json
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parents[1] / "lightly_pipeline" / "embedding"
FitList = list[list[str]]


def fit_list(folder: Path) -> FitList:
    """Returns scene, source and file of each labelled scene of a folder."""
    listed = json.loads((folder / "scenes.json").read_text())["scenes"]
    return [[scene["scene"], scene["source"], scene["file"]] for scene in listed]


def fit_list_sha256(listed: FitList) -> str:
    """Returns the hash of a fit list."""
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def write_weights(path: str, content: bytes, said: dict[str, Any] | None = None) -> None:
    """Writes weights into the package, and beside them what is said of them.

    Args:
        path: Of the weights, in the package.
        content: Of the file.
        said: Written as JSON under the same name.
    """
    target = _PACKAGE / path
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(content)
    if said is not None:
        target.with_suffix(".json").write_text(json.dumps(said, indent=1) + "\n")
