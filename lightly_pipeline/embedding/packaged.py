"""Weights that ship inside this package, and what is written beside them.

Those that a machine holds otherwise are in `weights.py`.
"""

import json
from importlib.resources import files
from pathlib import PurePosixPath


def packaged(path: str) -> bytes:
    """Returns the content of a file of this package, such as `weights/NAME.safetensors`."""
    return files("lightly_pipeline.embedding").joinpath(path).read_bytes()


def sidecar(path: str) -> dict[str, object]:
    """Returns what is written beside weights: their hash, the fit list, the recipe."""
    document: dict[str, object] = json.loads(
        packaged(str(PurePosixPath(path).with_suffix(".json")))
    )
    return document
