"""The default encoder: colour and texture statistics behind one linear map.

It needs no download. The statistics are in `features.py`, the fit of the map in
`benchmarks/fitting.py`.
"""

import hashlib
from importlib.resources import files

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from lightly_pipeline.embedding.features import DIM, FRACTION_BITS, PART, statistics
from lightly_pipeline.embedding.spec import EncoderSpec
from lightly_pipeline.errors import LightlyPipelineError

WEIGHTS_FILE = "weights/hsv_lbp_128.safetensors"
# Of a column of the map, beside its largest number. Statistics have 22 bits, and the sum of their
# distances from the mean is below 2 ** 7 (roots of shares of 6 in 551 bins): 53 bits hold it all.
_MAP_BITS = 24
# Columns that are multiplied at once: for more BLAS would start threads of its own.
_COLUMNS = 32


class StatisticsEncoder:
    """Colour and texture statistics behind one linear map.

    A frame's bits depend neither on its batch nor on the machine: all sums of products are exact
    in float64, whatever their order, and are rounded once, to float32.
    """

    def __init__(self, spec: EncoderSpec) -> None:
        self.spec = spec
        content = files("lightly_pipeline.embedding").joinpath(WEIGHTS_FILE).read_bytes()
        if hashlib.sha256(content).hexdigest() != spec.weights_sha256:
            raise LightlyPipelineError(
                f"{WEIGHTS_FILE} in the installed package is damaged: reinstall lightly-pipeline"
            )
        weights = safetensors.numpy.load(content)
        self._mean = _in_steps(weights["mean"], np.float64(1), FRACTION_BITS)
        largest = np.abs(weights["matrix"]).max(axis=0)
        matrix = _in_steps(weights["matrix"], 2.0 ** np.ceil(np.log2(largest)), _MAP_BITS)
        self._blocks = np.ascontiguousarray(matrix.reshape(DIM, -1, _COLUMNS).transpose(1, 0, 2))

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns embeddings (B, 128) of frames of any size; 64x64 is the size it asks for."""
        embeddings = np.empty((len(frames), self.spec.dim), np.float32)
        for start in range(0, len(frames), PART):
            part = slice(start, start + PART)
            centred = statistics(frames[part]) - self._mean
            embeddings[part] = np.hstack(list(centred @ self._blocks))
        return embeddings


def _in_steps(
    numbers: NDArray[np.float32], largest: NDArray[np.float64] | np.float64, bits: int
) -> NDArray[np.float64]:
    """Returns the numbers as multiples of the largest, a power of two, by 2 ** -bits."""
    step = largest * 2.0**-bits
    rounded: NDArray[np.float64] = np.rint(numbers / step) * step
    return rounded
