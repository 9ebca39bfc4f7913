"""Frames become embeddings.

Encoders and what they want of a frame; decoding is below, storing and comparing above. torch is
loaded with a network, not for the default encoder and not for its spec.
"""

from lightly_pipeline.embedding.checked import CheckedEncoder
from lightly_pipeline.embedding.names import (
    check_has_texts,
    encoder_spec,
    load_encoder,
    provide_weights,
)
from lightly_pipeline.embedding.protocol import Encoder
from lightly_pipeline.embedding.spec import NO_ENCODER, EncoderSpec
from lightly_pipeline.embedding.threads import without_threads

__all__ = [
    "NO_ENCODER",
    "CheckedEncoder",
    "Encoder",
    "EncoderSpec",
    "check_has_texts",
    "encoder_spec",
    "load_encoder",
    "provide_weights",
    "without_threads",
]
