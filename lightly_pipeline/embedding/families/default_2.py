"""The default encoder with a small network beside it: `default-2`.

It ships with the package, too, and looks at the same 64x64 pixels, without torch. Colour and
texture come from the default encoder, objects from EfficientNet-Lite0 in whole numbers
(`integers.py`): its 1,280 numbers are brought to 128 by a map that `benchmarks/fit_default_2.py`
fitted. Both halves have unit length. A frame's bits are the same in every batch, on every machine.
"""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from lightly_pipeline.embedding.exact import in_steps, unit_rows
from lightly_pipeline.embedding.families import shipped
from lightly_pipeline.embedding.integers import IntegerNetwork
from lightly_pipeline.embedding.packaged import packaged, sidecar
from lightly_pipeline.embedding.spec import EncoderRequest, EncoderSpec
from lightly_pipeline.errors import LightlyPipelineError

NAME = "default-2"
WEIGHTS_FILE = "weights/default_2.safetensors"
# Raised with every change of the code that changes a bit of the embeddings.
_REVISION = 1
# Of a column of the map. The network's sums have 14 bits and are 1,280: 53 bits hold every product.
_MAP_BITS = 24


def spec(request: EncoderRequest) -> EncoderSpec:
    """Returns the spec of the pair.

    Raises:
        InvalidConfigurationError: It is asked to use a checkpoint.
    """
    half = shipped.spec(request)
    return replace(
        half,
        name=NAME,
        dim=2 * half.dim,
        weights_sha256=_of_both(half, str(sidecar(WEIGHTS_FILE)["weights_sha256"])),
        family="default_2",
        revision=_REVISION,
    )


def size_bytes() -> int:
    """Returns the size of the weights of both halves."""
    return shipped.size_bytes() + len(packaged(WEIGHTS_FILE))


def tensors() -> dict[str, NDArray[Any]]:
    """Returns the network's tensors, and `map.mean` (1280,) and `map.matrix` (1280, 128)."""
    return safetensors.numpy.load(packaged(WEIGHTS_FILE))


def load(spec: EncoderSpec) -> "PairEncoder":
    """Loads both halves.

    Raises:
        LightlyPipelineError: The installed package is damaged.
    """
    return PairEncoder(spec)


class PairEncoder:
    """The default encoder and the network in whole numbers, side by side."""

    def __init__(self, spec: EncoderSpec) -> None:
        self.spec = spec
        content = packaged(WEIGHTS_FILE)
        found = hashlib.sha256(content).hexdigest()
        if _of_both(shipped.spec(EncoderRequest("default")), found) != spec.weights_sha256:
            raise LightlyPipelineError(
                f"{WEIGHTS_FILE} in the installed package is damaged: reinstall lightly-pipeline"
            )
        weights = safetensors.numpy.load(content)
        self._statistics = shipped.load(shipped.spec(EncoderRequest("default")))
        self._network = IntegerNetwork(weights)
        self._mean: NDArray[np.float64] = np.rint(weights["map.mean"].astype(np.float64))
        matrix = weights["map.matrix"].astype(np.float32)
        largest = 2.0 ** np.ceil(np.log2(np.abs(matrix).max(axis=0)))
        self._matrix = in_steps(matrix, largest.astype(np.float64), _MAP_BITS)

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns embeddings (B, 256) of (B, 64, 64, 3) frames."""
        narrowed = (self._network.sums(frames) - self._mean) @ self._matrix
        return np.hstack([unit_rows(self._statistics.encode(frames)), unit_rows(narrowed)])


def _of_both(half: EncoderSpec, sha256: str) -> str:
    return hashlib.sha256(f"{half.identity()} {sha256}".encode()).hexdigest()
