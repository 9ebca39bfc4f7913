"""No encoder: tables get their rows, and embeddings of length 0.

For runs that bring embeddings of their own. It has no name, as there is nothing to select by.
"""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.embedding.protocol import Encoder
from lightly_pipeline.embedding.spec import EncoderSpec


def load(spec: EncoderSpec) -> Encoder:
    """Returns what gives every frame an empty embedding."""
    return _NoEncoder(spec)


class _NoEncoder:
    def __init__(self, spec: EncoderSpec) -> None:
        self.spec = spec

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns embeddings of shape (B, 0)."""
        return np.empty((len(frames), 0), dtype=np.float32)
