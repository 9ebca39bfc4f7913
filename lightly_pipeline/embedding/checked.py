"""Encoders whose answers are looked at before they are believed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.embedding.protocol import Encoder
from lightly_pipeline.embedding.spec import EncoderSpec
from lightly_pipeline.errors import LightlyPipelineError


class CheckedEncoder:
    """An encoder that gives finite vectors of the promised length, or an error.

    Args:
        spec: What is promised.
        encoder: The encoder.
    """

    def __init__(self, spec: EncoderSpec, encoder: Encoder) -> None:
        self.spec, self._encoder = spec, encoder

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns embeddings (B, dim) of (B, H, W, 3) frames.

        Raises:
            LightlyPipelineError: The encoder gave something else.
        """
        return self._checked(self._encoder.encode(frames), len(frames), "frames")

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Returns embeddings (T, dim) of texts, to be compared with those of frames.

        Raises:
            LightlyPipelineError: The encoder has no text side, or gave something else.
        """
        encode_texts = getattr(self._encoder, "encode_texts", None)
        if encode_texts is None:
            raise LightlyPipelineError(
                f"the encoder {self.spec.name} has no text side: ask in words with one of "
                "open_clip/NAME/PRETRAINED, or give images in pipeline_config.similarity_folders"
            )
        return self._checked(encode_texts(texts), len(texts), "texts")

    def _checked(self, found: object, n: int, what: str) -> NDArray[np.float32]:
        vectors = np.asarray(found)
        if vectors.shape != (n, self.spec.dim):
            raise LightlyPipelineError(
                f"the encoder {self.spec.name} gave shape {vectors.shape} for {n} {what} where "
                f"{(n, self.spec.dim)} is promised by its spec"
            )
        if not np.isfinite(vectors).all():
            raise LightlyPipelineError(
                f"the encoder {self.spec.name} gave numbers that are not finite: look at its "
                "weights, or run it with lightly_config.trainer.precision 32"
            )
        return vectors.astype(np.float32, copy=False)
