"""Frames become embeddings.

Encoders and what they want of a frame; decoding is below, storing and comparing above. torch is
loaded with a network, not for the default encoder and not for a spec.
"""

from lightly_pipeline.embedding.encoders import Encoder, load_encoder, without_threads
from lightly_pipeline.embedding.spec import EncoderSpec, encoder_spec

__all__ = ["Encoder", "EncoderSpec", "encoder_spec", "load_encoder", "without_threads"]
