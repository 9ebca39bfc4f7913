"""Networks of torch as encoders: how frames reach them, and how files of weights are read.

Which network it is, and what it wants of a frame, is said by a module of `families`.
"""

import queue
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray

from lightly_pipeline.embedding.exporting import exported
from lightly_pipeline.embedding.protocol import Encoder
from lightly_pipeline.embedding.spec import CALLS_PER_GPU, EncoderSpec
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.logs import logger_of

_logger = logger_of(__name__)
# What trainers put before the names of a network's tensors.
_PREFIXES = ("module.", "model.", "backbone.", "encoder.")
# Of numbers of a network: an export holds them three times for a moment.
_MAX_EXPORTED = 100_000_000


def network_encoder(spec: EncoderSpec, network: torch.nn.Module) -> Encoder:
    """Returns the encoder of a network, on the engine that its spec names.

    Args:
        spec: Of the encoder.
        network: Takes (B, 3, H, W) images, their channels scaled; returns (B, dim).
    """
    by_onnx = exported(spec, network.eval()) if spec.by_onnx else None
    return by_onnx or NetworkEncoder(spec, network)


def suits_onnx(network: torch.nn.Module) -> bool:
    """Returns whether ONNX Runtime is the faster engine for a network on a CPU.

    It is for convolutions, at least a quarter of the layers that multiply; what consists of
    attention takes torch's time and longer to export, what is large too much memory.
    """
    kinds = (torch.nn.Conv2d, torch.nn.Linear)
    layers = [layer for layer in network.modules() if isinstance(layer, kinds)]
    n_convolutions = sum(isinstance(layer, torch.nn.Conv2d) for layer in layers)
    n_numbers = sum(tensor.numel() for tensor in network.parameters())
    return 4 * n_convolutions >= len(layers) > 0 and n_numbers <= _MAX_EXPORTED


class _Place(NamedTuple):
    """A device with a copy of the network, and what channels are scaled by there."""

    device: str
    network: torch.nn.Module
    mean: torch.Tensor
    std: torch.Tensor


class NetworkEncoder:
    """A network that is always run on batches of one size, so that neighbours do not show.

    On several GPUs there is a copy on each; a call takes the one that is free.

    Args:
        spec: Of the encoder.
        network: Takes (B, 3, H, W) images, their channels scaled; returns (B, dim).
    """

    def __init__(self, spec: EncoderSpec, network: torch.nn.Module) -> None:
        self.spec = spec
        dtype = torch.float16 if spec.precision == 16 else torch.float32
        network = network.eval().to(spec.device, dtype)
        network = network.to(memory_format=torch.channels_last)
        self._dtype = dtype
        self._first = self._place(spec.device, network)
        # On the CPU threads come and go as they like.
        self._free: queue.SimpleQueue[_Place] = queue.SimpleQueue()
        for number in range(spec.n_gpus):
            device = f"cuda:{number}"
            place = self._place(device, deepcopy(network).to(device)) if number else self._first
            for _ in range(CALLS_PER_GPU):
                self._free.put(place)
        # Frames that fit on the device at once; fewer once it has run out of memory.
        self._at_once = spec.batch_size

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns embeddings (B, dim) of (B, H, W, 3) frames."""
        embeddings = np.empty((len(frames), self.spec.dim), np.float32)
        start = 0
        while start < len(frames):
            part = frames[start : start + self._at_once]
            try:
                embeddings[start : start + len(part)] = self._encode(part)
            except torch.cuda.OutOfMemoryError as error:
                self._halve(error)
                continue
            start += len(part)
        return embeddings

    def _encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        if not self.spec.n_gpus:
            return self._encode_on(self._first, frames)
        place = self._free.get()
        try:
            return self._encode_on(place, frames)
        finally:
            self._free.put(place)

    def _place(self, device: str, network: torch.nn.Module) -> _Place:
        mean, std = (_per_channel(c, device) for c in (self.spec.mean, self.spec.std))
        return _Place(device, network, mean, std)

    def _encode_on(self, place: _Place, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            # Pixels travel as bytes, and lie as channels-last already.
            padded = torch.zeros(
                (self._at_once, *frames.shape[1:]),
                dtype=torch.uint8,
                pin_memory=bool(self.spec.n_gpus),
            )
            padded[: len(frames)] = torch.from_numpy(frames)
            images = padded.to(place.device, non_blocking=True).permute(0, 3, 1, 2).float() / 255
            images = ((images - place.mean) / place.std).to(self._dtype)
            found: NDArray[np.float32] = place.network(images).float().cpu().numpy()
        return found[: len(frames)]

    def _halve(self, error: Exception) -> None:
        torch.cuda.empty_cache()
        if self._at_once == 1:
            raise LightlyPipelineError(
                f"{self.spec.name}: the GPU has no memory for a single frame; free it, or set "
                "lightly_config.trainer.gpus to 0"
            ) from error
        self._at_once = (self._at_once + 1) // 2
        _logger.warning(
            "%s: the GPU ran out of memory; going on with %d frames at once",
            self.spec.name,
            self._at_once,
        )


def _per_channel(numbers: tuple[float, float, float], device: str) -> torch.Tensor:
    return torch.tensor(numbers, device=device).view(1, 3, 1, 1)


def output_dim(network: torch.nn.Module, height: int, width: int, name: str) -> int:
    """Returns the length of a network's embeddings, found by running it on a black image.

    Raises:
        LightlyPipelineError: It does not return one vector per image.
    """
    with torch.inference_mode():
        found = network.eval()(torch.zeros(1, 3, height, width))
    if not isinstance(found, torch.Tensor) or found.ndim != 2 or len(found) != 1:
        shape = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise LightlyPipelineError(
            f"lightly_config.model.name {name}: the network gives {shape} for one image where "
            "(1, dimension) is wanted: pool its output"
        )
    return int(found.shape[1])


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Returns the tensors of a file, by name; no code of the file is run.

    Raises:
        LightlyPipelineError: It cannot be read as weights.
    """
    try:
        if path.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(path))
        document = torch.load(path, map_location="cpu", weights_only=True)
        state: dict[str, torch.Tensor] = document.get("state_dict", document)
    except Exception as error:
        raise LightlyPipelineError(
            f"worker_config.checkpoint {path} cannot be read as weights: {error}"
        ) from error
    return state


def load_weights(
    network: torch.nn.Module,
    path: Path,
    name: str,
    is_head: Callable[[str], bool] = lambda _: False,
) -> None:
    """Loads the tensors of a file into a network.

    Args:
        network: The network.
        path: The file.
        name: Of the network, for people.
        is_head: Whether a tensor belongs to a head that is not used; it may be missing.

    Raises:
        LightlyPipelineError: The file does not fit.
    """
    state = _named_as(network, read_weights(path))
    wanted = {key: value for key, value in network.state_dict().items() if not is_head(key)}
    wrong = [
        key
        for key, value in wanted.items()
        if not key.endswith("num_batches_tracked")
        and (key not in state or state[key].shape != value.shape)
    ]
    if wrong:
        raise LightlyPipelineError(
            f"worker_config.checkpoint {path} does not fit {name}: {len(wrong)} of "
            f"{len(wanted)} tensors are missing or of another shape, the first is {wrong[0]}"
        )
    network.load_state_dict({key: state[key] for key in wanted if key in state}, strict=False)


def _named_as(network: torch.nn.Module, state: dict[str, Any]) -> dict[str, Any]:
    """Returns tensors under the network's names: what trainers put before them is taken off."""
    known = network.state_dict().keys()
    return {key if key in known else _plain(key): value for key, value in state.items()}


def _plain(key: str) -> str:
    for prefix in _PREFIXES:
        key = key.removeprefix(prefix)
    return key
