"""What an encoder is to everyone else."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.embedding.spec import EncoderSpec


class Encoder(Protocol):
    """Turns small images into embeddings; safe to use from several threads.

    Attributes:
        spec: What it wants of a frame, and all that its numbers depend on.
    """

    spec: EncoderSpec

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns embeddings of shape (B, dim), not normalised, of (B, H, W, 3) RGB frames.

        Frames come in the size of `spec.frame_input`, at most `spec.batch_size` of one video at
        once. A frame's embedding may not depend on what it has seen before.
        """
        ...
