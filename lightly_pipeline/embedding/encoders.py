"""From the spec of an encoder to the encoder.

The default encoder that ships with the package is in `default.py`, torchvision's networks are in
`networks.py`; which one is meant is said by a spec (`spec.py`). torch is loaded for networks only.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.embedding.spec import DEFAULT_NAME, EncoderSpec


class Encoder(Protocol):
    """Turns small images into embeddings; safe to use from several threads."""

    spec: EncoderSpec

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns embeddings of shape (B, dim), not normalised, of (B, H, W, 3) uint8 frames."""
        ...


def load_encoder(spec: EncoderSpec) -> Encoder:
    """Loads the encoder a spec names.

    Raises:
        LightlyPipelineError: Weights are missing, damaged, or not those of the network.
    """
    if spec.name == DEFAULT_NAME:
        from lightly_pipeline.embedding.default import StatisticsEncoder

        return StatisticsEncoder(spec)
    from lightly_pipeline.embedding.networks import ResNetEncoder

    return ResNetEncoder(spec)


def without_threads(spec: EncoderSpec) -> AbstractContextManager[None]:
    """Keeps an encoder from starting threads of its own: there is one thread per video already."""
    if spec.name == DEFAULT_NAME:
        return nullcontext()
    from lightly_pipeline.embedding.networks import one_torch_thread

    return one_torch_thread()
