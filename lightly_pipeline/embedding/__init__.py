"""Frames become embeddings.

Encoders and what they want of a frame; decoding is below, storing and comparing above. torch is
loaded on first use of an encoder, not for its spec.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lightly_pipeline.embedding.spec import EncoderSpec, encoder_spec

if TYPE_CHECKING:
    from lightly_pipeline.embedding.encoders import Encoder, load_encoder

__all__ = ["Encoder", "EncoderSpec", "encoder_spec", "load_encoder"]

_HOMES = {"Encoder": "encoders", "load_encoder": "encoders"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
