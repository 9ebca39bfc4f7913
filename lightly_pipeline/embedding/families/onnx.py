"""Models in ONNX files, run by ONNX Runtime: `onnx:PATH` (extra `onnx`). No torch is needed.

The model takes (B, 3, H, W) float32 and gives (B, dim); what it wants of a frame stands in its
metadata (`exported.py`).
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.embedding import exported
from lightly_pipeline.embedding.protocol import Encoder
from lightly_pipeline.embedding.spec import NETWORK_BATCH, EncoderRequest, EncoderSpec
from lightly_pipeline.embedding.weights import checked, file_hash
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.extras import package

_PREFIX = "onnx:"
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def spec(request: EncoderRequest) -> EncoderSpec:
    """Returns the spec of a model in a file.

    Raises:
        InvalidConfigurationError: There is no such file, or it is no such model.
        LightlyPipelineError: ONNX Runtime is not installed.
    """
    if request.checkpoint or request.precision == 16:
        raise InvalidConfigurationError(
            f"lightly_config.model.name {request.name}: weights and precision are those of the "
            "file; leave worker_config.checkpoint and trainer.precision as they are"
        )
    path = Path(request.name.removeprefix(_PREFIX))
    sha256 = file_hash(path, "lightly_config.model.name")
    session = _session(path, request.device)
    batch, size = _shape(session, path)
    said = session.get_modelmeta().custom_metadata_map.get(exported.METADATA, "")
    frame_input, mean, std = exported.wanted(said, str(path), size)
    batch_size = batch or request.batch_size or NETWORK_BATCH
    black = np.zeros((batch_size, 3, frame_input.height, frame_input.width), np.float32)
    return EncoderSpec(
        name=f"{_PREFIX}{path.name}",
        dim=_run(session, black, path).shape[1],
        frame_input=frame_input,
        weights_sha256=sha256,
        batch_size=batch_size,
        family="onnx",
        weights=str(path),
        mean=mean,
        std=std,
        device=request.device,
    )


def load(spec: EncoderSpec) -> Encoder:
    """Loads a model from its file.

    Raises:
        LightlyPipelineError: The file was changed.
    """
    return OnnxEncoder(spec)


class OnnxEncoder:
    """A model in an ONNX file, always run on batches of one size."""

    def __init__(self, spec: EncoderSpec) -> None:
        self.spec = spec
        self._path = checked(spec)
        self._session = _session(self._path, spec.device)
        scale, mean, std = (np.array(x, np.float32) for x in (255.0, spec.mean, spec.std))
        # (pixel / 255 - mean) / std, as one product and one sum.
        self._gain, self._offset = 1 / (scale * std), -mean / std

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns embeddings (B, dim) of (B, H, W, 3) frames."""
        embeddings = np.empty((len(frames), self.spec.dim), np.float32)
        for start in range(0, len(frames), self.spec.batch_size):
            part = slice(start, start + self.spec.batch_size)
            embeddings[part] = self._encode(frames[part])
        return embeddings

    def _encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        images = np.zeros((self.spec.batch_size, *frames.shape[1:]), np.float32)
        images[: len(frames)] = frames * self._gain + self._offset
        channels_first = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        return _run(self._session, channels_first, self._path)[: len(frames)]


def _session(path: Path, device: str) -> Any:
    runtime = package("onnxruntime", "onnx")
    options = runtime.SessionOptions()
    # There is one thread per video already.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return runtime.InferenceSession(str(path), options, providers=[_PROVIDERS[device]])
    except Exception as error:
        raise InvalidConfigurationError(
            f"lightly_config.model.name: {path} cannot be loaded as an ONNX model: {error}"
        ) from error


def _shape(session: Any, path: Path) -> tuple[int | None, tuple[int, int]]:
    """Returns the batch size, None where any will do, and (width, height)."""
    inputs = session.get_inputs()
    shape = inputs[0].shape
    if (
        len(inputs) != 1
        or len(shape) != 4
        or shape[1] not in (3, None)
        or "float" not in (inputs[0].type)
    ):
        raise InvalidConfigurationError(
            f"lightly_config.model.name: {path} takes {inputs[0].type} of shape {shape} where one "
            "input of float32 (batch, 3, height, width) is wanted"
        )
    batch, _, height, width = (side if isinstance(side, int) else None for side in shape)
    return batch, (width or 224, height or 224)


def _run(session: Any, images: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    found: NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: images})[0]
    if found.ndim != 2 or len(found) != len(images):
        raise InvalidConfigurationError(
            f"lightly_config.model.name: {path} gives shape {found.shape} for {len(images)} images "
            "where (batch, dimension) is wanted: pool its output before exporting it"
        )
    return found.astype(np.float32)
