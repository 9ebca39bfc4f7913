"""ONNX Runtime as every encoder here uses it: one thread, and batches of one size.

Where the model comes from, a user's file or an exported network, is the caller's business.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.embedding.spec import EncoderSpec
from lightly_pipeline.extras import package

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def session(model: str | bytes, device: str) -> Any:
    """Returns a session of a model; it may be run from several threads at once.

    Args:
        model: A file's path, or the content of one.
        device: "cpu" or "cuda".

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
    """
    runtime = package("onnxruntime", "onnx")
    options = runtime.SessionOptions()
    # There is one thread per video already. With one, ONNX Runtime starts and spins none.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return runtime.InferenceSession(model, options, providers=[_PROVIDERS[device]])


def run(opened: Any, images: NDArray[Any]) -> NDArray[Any]:
    """Returns the first output of a session for its only input."""
    found: NDArray[Any] = opened.run(None, {opened.get_inputs()[0].name: images})[0]
    return found


class SessionEncoder:
    """A model that is always run on batches of one size, so that neighbours do not show.

    Args:
        spec: Of the encoder.
        opened: The model's session.
        prepare: Makes what the model takes of a whole batch of (B, H, W, 3) frames.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        opened: Any,
        prepare: Callable[[NDArray[np.uint8]], NDArray[Any]] = lambda frames: frames,
    ) -> None:
        self.spec, self._session, self._prepare = spec, opened, prepare

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns embeddings (B, dim) of (B, H, W, 3) frames."""
        embeddings = np.empty((len(frames), self.spec.dim), np.float32)
        for start in range(0, len(frames), self.spec.batch_size):
            part = slice(start, start + self.spec.batch_size)
            embeddings[part] = self._encode(frames[part])
        return embeddings

    def _encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        n_missing = self.spec.batch_size - len(frames)
        if n_missing:
            frames = np.concatenate([frames, np.zeros((n_missing, *frames.shape[1:]), np.uint8)])
        found = run(self._session, self._prepare(np.ascontiguousarray(frames)))
        return found[: self.spec.batch_size - n_missing]
