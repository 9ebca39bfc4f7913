"""Models in ONNX files, run by ONNX Runtime: `onnx:PATH` (extra `onnx`). No torch is needed.

The model takes (B, 3, H, W) float32 and gives (B, dim); what it wants of a frame stands in its
metadata (`exported.py`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.embedding import exported
from lightly_pipeline.embedding.protocol import Encoder
from lightly_pipeline.embedding.sessions import SessionEncoder, run, session
from lightly_pipeline.embedding.spec import EncoderRequest, EncoderSpec
from lightly_pipeline.embedding.weights import checked, file_hash
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError

_PREFIX = "onnx:"


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
    opened = _session(path, request.device)
    batch, size = _shape(opened, path)
    said = opened.get_modelmeta().custom_metadata_map.get(exported.METADATA, "")
    frame_input, mean, std = exported.wanted(said, str(path), size)
    batch_size = batch or request.network_batch
    black = np.zeros((batch_size, 3, frame_input.height, frame_input.width), np.float32)
    return EncoderSpec(
        name=f"{_PREFIX}{path.name}",
        dim=_dim(opened, black, path),
        frame_input=frame_input,
        weights_sha256=sha256,
        batch_size=batch_size,
        family="onnx",
        weights=str(path),
        mean=mean,
        std=std,
        device=request.device,
        n_gpus=request.gpus,
    )


def load(spec: EncoderSpec) -> Encoder:
    """Loads a model from its file.

    Raises:
        LightlyPipelineError: The file was changed.
    """
    return SessionEncoder(spec, _session(checked(spec), spec.device), _prepared(spec))


def _prepared(spec: EncoderSpec) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Returns what makes (B, 3, H, W) images of scaled channels of (B, H, W, 3) frames."""
    scale, mean, std = (np.array(x, np.float32) for x in (255.0, spec.mean, spec.std))
    # (pixel / 255 - mean) / std, as one product and one sum.
    gain, offset = 1 / (scale * std), -mean / std
    return lambda frames: np.ascontiguousarray((frames * gain + offset).transpose(0, 3, 1, 2))


def _session(path: Path, device: str) -> Any:
    try:
        return session(str(path), device)
    except LightlyPipelineError:
        raise
    except Exception as error:
        raise InvalidConfigurationError(
            f"lightly_config.model.name: {path} cannot be loaded as an ONNX model: {error}"
        ) from error


def _shape(opened: Any, path: Path) -> tuple[int | None, tuple[int, int]]:
    """Returns the batch size, None where any will do, and (width, height)."""
    inputs = opened.get_inputs()
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


def _dim(opened: Any, images: NDArray[np.float32], path: Path) -> int:
    """Returns the length of a model's embeddings, found by running it on images."""
    found = run(opened, images)
    if found.ndim != 2 or len(found) != len(images):
        raise InvalidConfigurationError(
            f"lightly_config.model.name: {path} gives shape {found.shape} for {len(images)} images "
            "where (batch, dimension) is wanted: pool its output before exporting it"
        )
    return int(found.shape[1])
