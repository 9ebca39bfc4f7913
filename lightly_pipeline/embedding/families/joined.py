"""The default encoder and a network side by side: `default+NAME` (extra `pretrained`).

The one knows colour and texture, the other objects: together they tell more scenes apart than each
alone (docs/embedding.md). Both halves have unit length. The network's is first brought to 128
numbers by a map that `benchmarks/fit_joined.py` fitted: principal axes, their spread evened out.
"""

import hashlib
from dataclasses import replace

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from lightly_pipeline.embedding.families import efficientnet_lite, shipped
from lightly_pipeline.embedding.packaged import packaged
from lightly_pipeline.embedding.protocol import Encoder
from lightly_pipeline.embedding.spec import EncoderRequest, EncoderSpec
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.hints import did_you_mean

_PREFIX = "default+"
FITTED = ("efficientnet-lite0",)
"""Networks that a map was fitted for."""


def spec(request: EncoderRequest) -> EncoderSpec:
    """Returns the spec of a pair.

    Raises:
        InvalidConfigurationError: No map was fitted for the network, or a checkpoint is given.
        LightlyPipelineError: The extra is not installed.
    """
    name = request.name.removeprefix(_PREFIX)
    if name not in FITTED:
        raise InvalidConfigurationError(
            f"lightly_config.model.name: {name!r} cannot be joined to the default encoder; "
            f"{did_you_mean(name, FITTED)}"
        )
    if request.checkpoint:
        raise InvalidConfigurationError(
            f"worker_config.checkpoint: the map of {request.name} was fitted for its own weights; "
            "leave it empty"
        )
    network = efficientnet_lite.spec(replace(request, name=name))
    half = shipped.spec(EncoderRequest("default"))
    hashes = (
        half.identity(),
        network.weights_sha256,
        hashlib.sha256(packaged(map_file(name))).hexdigest(),
    )
    return replace(
        network,
        name=request.name,
        dim=2 * half.dim,
        weights_sha256=hashlib.sha256(" ".join(hashes).encode()).hexdigest(),
        family="joined",
    )


def load(spec: EncoderSpec) -> Encoder:
    """Loads both encoders.

    Raises:
        LightlyPipelineError: Weights are damaged.
    """
    return JoinedEncoder(spec)


class JoinedEncoder:
    """Two encoders on one small image; the default one averages it down to its own size."""

    def __init__(self, spec: EncoderSpec) -> None:
        self.spec = spec
        name = spec.name.removeprefix(_PREFIX)
        request = EncoderRequest(
            name,
            gpus=spec.n_gpus,
            precision=spec.precision,
            batch_size=spec.batch_size,
        )
        network = replace(efficientnet_lite.spec(request), by_onnx=spec.by_onnx)
        self._network = efficientnet_lite.load(network)
        self._statistics = shipped.load(shipped.spec(EncoderRequest("default")))
        fitted = safetensors.numpy.load(packaged(map_file(name)))
        self._mean: NDArray[np.float32] = fitted["mean"].astype(np.float32)
        self._matrix: NDArray[np.float32] = fitted["matrix"].astype(np.float32)

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns embeddings (B, 256) of (B, H, W, 3) frames."""
        features = self._network.encode(frames)
        # A product for each row: in one for all of them, BLAS lets the number of rows show.
        narrowed = np.matmul((features - self._mean)[:, None, :], self._matrix)[:, 0, :]
        return np.hstack([_unit(self._statistics.encode(frames)), _unit(narrowed)])


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = rows / np.maximum(lengths, np.float32(1e-12))
    return unit


def map_file(name: str) -> str:
    """Returns where in the package a network's map lies: mean (dim,), matrix (dim, 128)."""
    return f"weights/joined_{name}.safetensors"
