"""How many threads an encoder may use: one, since there is one thread per video already."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lightly_pipeline.embedding.spec import EncoderSpec

_WITHOUT_TORCH = ("shipped", "onnx", "none")


@contextmanager
def without_threads(spec: EncoderSpec) -> Iterator[None]:
    """Keeps an encoder's torch from starting threads of its own, while the context lasts."""
    if spec.family in _WITHOUT_TORCH or (spec.family == "own" and "torch" not in sys.modules):
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
