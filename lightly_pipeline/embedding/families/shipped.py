"""The default encoder: colour and texture statistics behind one linear map.

It ships with the package and needs no download. The statistics are in `features.py`, the fit of the
map in `benchmarks/fitting.py`.
"""

import hashlib

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from lightly_pipeline.embedding.exact import in_steps
from lightly_pipeline.embedding.features import DIM, FRACTION_BITS, PART, statistics
from lightly_pipeline.embedding.names import DEFAULT_NAME, SPELLINGS
from lightly_pipeline.embedding.packaged import packaged, sidecar
from lightly_pipeline.embedding.spec import EncoderRequest, EncoderSpec
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.video import FrameInput

# Raised with every change of the code that changes a bit of the embeddings.
_REVISION = 2
WEIGHTS_FILE = "weights/hsv_lbp_128.safetensors"
# Of a column of the map, beside its largest number. Statistics have 22 bits, and the sum of their
# distances from the mean is below 2 ** 7 (roots of shares of 6 in 551 bins): 53 bits hold it all.
_MAP_BITS = 24
# Columns that are multiplied at once: for more BLAS would start threads of its own.
_COLUMNS = 32
# More frames only leave the cache.
_BATCH = 16


def spec(request: EncoderRequest) -> EncoderSpec:
    """Returns the spec of the default encoder.

    Raises:
        InvalidConfigurationError: It is asked to use a checkpoint.
    """
    if request.checkpoint:
        raise InvalidConfigurationError(
            "worker_config.checkpoint: the default encoder takes none; name the network it is for "
            f"in lightly_config.model.name: {SPELLINGS}"
        )
    return EncoderSpec(
        name=DEFAULT_NAME,
        dim=128,
        frame_input=FrameInput(64, 64, "area"),
        weights_sha256=str(sidecar(WEIGHTS_FILE)["weights_sha256"]),
        batch_size=request.batch_size or _BATCH,
        family="shipped",
        in_any_batch=True,
        revision=_REVISION,
    )


def size_bytes() -> int:
    """Returns the size of the weights."""
    return len(packaged(WEIGHTS_FILE))


def load(spec: EncoderSpec) -> "StatisticsEncoder":
    """Loads the default encoder.

    Raises:
        LightlyPipelineError: The installed package is damaged.
    """
    return StatisticsEncoder(spec)


class StatisticsEncoder:
    """Colour and texture statistics behind one linear map.

    A frame's bits depend neither on its batch nor on the machine: all sums of products are exact
    in float64, whatever their order, and are rounded once, to float32.
    """

    def __init__(self, spec: EncoderSpec) -> None:
        self.spec = spec
        content = packaged(WEIGHTS_FILE)
        if hashlib.sha256(content).hexdigest() != spec.weights_sha256:
            raise LightlyPipelineError(
                f"{WEIGHTS_FILE} in the installed package is damaged: reinstall lightly-pipeline"
            )
        weights = safetensors.numpy.load(content)
        self._mean = in_steps(weights["mean"], np.float64(1), FRACTION_BITS)
        largest = np.abs(weights["matrix"]).max(axis=0)
        matrix = in_steps(weights["matrix"], 2.0 ** np.ceil(np.log2(largest)), _MAP_BITS)
        self._blocks = np.ascontiguousarray(matrix.reshape(DIM, -1, _COLUMNS).transpose(1, 0, 2))

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns embeddings (B, 128) of frames of any size; 64x64 is the size it asks for."""
        embeddings = np.empty((len(frames), self.spec.dim), np.float32)
        for start in range(0, len(frames), PART):
            part = slice(start, start + PART)
            centred = statistics(frames[part]) - self._mean
            embeddings[part] = np.hstack(list(centred @ self._blocks))
        return embeddings
