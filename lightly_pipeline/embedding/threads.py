"""How many threads an encoder may use: one, since there is one thread per video already."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lightly_pipeline.embedding.spec import EncoderSpec

_WITHOUT_TORCH = ("shipped", "onnx", "none")


@contextmanager
def without_threads(spec: EncoderSpec) -> Iterator[None]:
    """Keeps an encoder's torch, or BLAS, from starting threads, while the context lasts."""
    if spec.family == "default_2":
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, user_api="blas"):
            yield
        return
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
