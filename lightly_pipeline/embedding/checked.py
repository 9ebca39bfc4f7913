"""Encoders whose answers are looked at before they are believed."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.embedding.batcher import Batcher
from lightly_pipeline.embedding.protocol import Encoder
from lightly_pipeline.embedding.spec import CALLS_PER_GPU, EncoderSpec
from lightly_pipeline.errors import LightlyPipelineError

# Frames that a video hands over at once to an encoder on a GPU.
_PIECE = 16


class CheckedEncoder:
    """An encoder that gives finite vectors of the promised length, or an error.

    Args:
        spec: What is promised.
        encoder: The encoder.
    """

    def __init__(self, spec: EncoderSpec, encoder: Encoder) -> None:
        self.spec, self._encoder = spec, encoder

    @cached_property
    def same_anywhere(self) -> bool:
        """Whether a frame's bits are the same in every batch, whoever its neighbours are.

        Declared by the spec, else tried on noise: one frame in every place of a batch, among
        others, and alone.
        """
        if self.spec.in_any_batch:
            return True
        size = self.spec.frame_input
        assert size is not None
        noise = np.random.default_rng(0)
        shape = (self.spec.batch_size, size.height, size.width, 3)
        others = noise.integers(0, 256, shape, dtype=np.uint8)
        frame = others[:1].copy()
        everywhere = self.encode(np.repeat(frame, self.spec.batch_size, axis=0))
        found = [*everywhere, self.encode(others)[0], self.encode(frame)[0]]
        return all(np.array_equal(found[0], vector) for vector in found)

    @property
    def piece(self) -> int:
        """How many frames are handed over at once."""
        return self.spec.batch_size if self._batcher is None else min(_PIECE, self.spec.batch_size)

    @property
    def n_ahead(self) -> int:
        """How many pieces a video may hand over before it waits for the first: up to a batch."""
        return 0 if self._batcher is None else -(-self.spec.batch_size // self.piece)

    def submit(self, frames: NDArray[np.uint8]) -> Callable[[], NDArray[np.float32]]:
        """Hands over a piece of frames; returns what waits for their embeddings.

        On a GPU those of several videos share batches, and nobody waits until then.
        """
        if self._batcher is None:
            embeddings = self.encode(frames)
            return lambda: embeddings
        return self._batcher.submit(frames)

    @cached_property
    def _batcher(self) -> Batcher | None:
        if not self.spec.n_gpus or not self.same_anywhere:
            return None
        return Batcher(self.encode, self.spec.batch_size, CALLS_PER_GPU * self.spec.n_gpus)

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
