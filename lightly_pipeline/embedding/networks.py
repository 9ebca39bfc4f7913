"""torchvision's networks as encoders: the only module that needs torch.

Their weights come from torchvision or from a local file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray

from lightly_pipeline.embedding.spec import EncoderSpec
from lightly_pipeline.errors import LightlyPipelineError

# Means and deviations that torchvision's weights were trained with.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_PREFIXES = ("module.", "model.", "backbone.", "encoder.")


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Keeps torch from starting threads of its own: there is one thread per video already."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class ResNetEncoder:
    """Pooled features of a torchvision network, always run on batches of one size."""

    def __init__(self, spec: EncoderSpec) -> None:
        self.spec = spec
        if spec.device == "cuda" and not torch.cuda.is_available():
            raise LightlyPipelineError(
                "lightly_config.trainer.gpus asks for a GPU and torch sees none: set it to 0"
            )
        network = _resnet(spec)
        network.fc = torch.nn.Identity()
        self._dtype = torch.float16 if spec.precision == 16 else torch.float32
        self._network = network.eval().to(spec.device, self._dtype)
        self._mean = torch.tensor(_MEAN).view(1, 3, 1, 1)
        self._std = torch.tensor(_STD).view(1, 3, 1, 1)

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns embeddings (B, dim) of (B, 224, 224, 3) frames."""
        size = self.spec.batch_size
        parts = [self._encode(frames[i : i + size]) for i in range(0, len(frames), size)]
        return np.concatenate(parts)

    def _encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        padded = np.zeros((self.spec.batch_size, *frames.shape[1:]), dtype=np.uint8)
        padded[: len(frames)] = frames
        with torch.inference_mode():
            images = torch.from_numpy(padded).permute(0, 3, 1, 2).float() / 255
            images = ((images - self._mean) / self._std).to(self.spec.device, self._dtype)
            embeddings: NDArray[np.float32] = self._network(images).float().cpu().numpy()
        return embeddings[: len(frames)]


def _resnet(spec: EncoderSpec) -> Any:
    import torchvision.models

    build = getattr(torchvision.models, spec.name.replace("-", ""))
    if spec.checkpoint is None:
        try:
            return build(weights="IMAGENET1K_V1")
        except OSError as error:
            raise LightlyPipelineError(
                f"lightly_config.model.name {spec.name}: its pretrained weights are not on this "
                f"machine and could not be fetched ({error}): use the default encoder, which needs "
                "no download, give a local file in worker_config.checkpoint, or run once with "
                "internet access"
            ) from error
    network = build(weights=None)
    _load_checkpoint(network, spec.checkpoint, spec.name)
    return network


def _load_checkpoint(network: Any, checkpoint: str, name: str) -> None:
    state = {_plain_key(key): value for key, value in _read_checkpoint(checkpoint).items()}
    wanted = {key: value for key, value in network.state_dict().items() if not _is_head(key)}
    wrong = [
        key
        for key, value in wanted.items()
        if not key.endswith("num_batches_tracked")
        and (key not in state or state[key].shape != value.shape)
    ]
    if wrong:
        raise LightlyPipelineError(
            f"worker_config.checkpoint {checkpoint} does not fit {name}: {len(wrong)} of "
            f"{len(wanted)} tensors are missing or of another shape, the first is {wrong[0]}"
        )
    network.load_state_dict({key: state[key] for key in wanted if key in state}, strict=False)


def _read_checkpoint(checkpoint: str) -> dict[str, Any]:
    try:
        if Path(checkpoint).suffix == ".safetensors":
            return dict(safetensors.torch.load_file(checkpoint))
        document = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:
        raise LightlyPipelineError(
            f"worker_config.checkpoint {checkpoint} cannot be read as weights: {error}"
        ) from error
    state: dict[str, Any] = document.get("state_dict", document)
    return state


def _plain_key(key: str) -> str:
    for prefix in _PREFIXES:
        key = key.removeprefix(prefix)
    return key


def _is_head(key: str) -> bool:
    return key.startswith("fc.")
