"""Which encoder is meant, known without loading it.

The spec enters the embedding id, so it names everything that decides over the numbers. Loading
and running encoders is in `encoders.py`; torch is not needed here.
"""

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.video import FrameInput

DEFAULT_NAME = "default"
# Raised with every change of the default encoder's code that changes a bit of its embeddings.
_REVISION = 2
_WEIGHTS = "weights/hsv_lbp_128.json"
# Batch of the default encoder: more frames only leave the cache.
_DEFAULT_BATCH = 16
_RESNET_BATCH = 16
# Pooled features, and the hash that torchvision's file names carry.
RESNETS = {
    "resnet-18": (512, "f37072fd"),
    "resnet-34": (512, "b627a593"),
    "resnet-50": (2048, "11ad3fa6"),
    "resnet-101": (2048, "cd907fc2"),
    "resnet-152": (2048, "f82ba261"),
}


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """An encoder by all that its numbers depend on.

    Attributes:
        name: "default", or a torchvision network such as "resnet-18".
        dim: Length of an embedding.
        frame_input: The image it wants of each frame.
        weights_sha256: Hash of its weights; for a network that torchvision fetches, the hash in
            the file's name.
        batch_size: Frames per call; networks always see full, padded batches.
        checkpoint: Local weights file of a network.
        device: "cpu" or "cuda".
        precision: Bits of the numbers inside a network.
    """

    name: str
    dim: int
    frame_input: FrameInput
    weights_sha256: str
    batch_size: int
    checkpoint: str | None = None
    device: Literal["cpu", "cuda"] = "cpu"
    precision: Literal[16, 32] = 32

    @property
    def has_independent_rows(self) -> bool:
        """Whether a frame's embedding is the same to the last bit in every batch."""
        return self.name == DEFAULT_NAME

    def identity(self) -> str:
        """Returns a stable text that differs whenever the embeddings may differ."""
        wanted = self.frame_input
        size = f"{wanted.width}x{wanted.height} {wanted.resampler}"
        if self.name == DEFAULT_NAME:
            return f"{self.name} {_REVISION} {self.weights_sha256} {size}"
        # A network's last bits depend on the batch it is run in.
        where = f"{self.device} batch {self.batch_size}"
        return f"{self.name} {self.weights_sha256} {size} {self.precision} {where}"


def encoder_spec(
    model_name: str | None = None,
    *,
    checkpoint: str | None = None,
    gpus: int | None = None,
    precision: Literal[16, 32] = 32,
    batch_size: int | None = None,
) -> EncoderSpec:
    """Returns the spec of the encoder that a configuration asks for.

    Args:
        model_name: None or "default" for the one that ships, else a key of `RESNETS`.
        checkpoint: Weights file of a network; its pretrained weights are fetched without one.
        gpus: 1 or more runs a network on a GPU; the CPU is used by default.
        precision: Bits of a network's numbers; 16 on a GPU only.
        batch_size: Frames per call.

    Raises:
        InvalidConfigurationError: The combination makes no sense, or a file is missing.
    """
    if model_name in (None, DEFAULT_NAME):
        if checkpoint:
            raise InvalidConfigurationError(
                "worker_config.checkpoint: the default encoder takes none; name the network it is "
                f"for in lightly_config.model.name ({', '.join(RESNETS)})"
            )
        return _default_spec(batch_size or _DEFAULT_BATCH)
    if model_name not in RESNETS:
        raise InvalidConfigurationError(
            f"lightly_config.model.name: {model_name!r} is not known; use {DEFAULT_NAME}, "
            f"{', '.join(RESNETS)}"
        )
    if precision == 16 and not gpus:
        raise InvalidConfigurationError(
            "lightly_config.trainer.precision: 16 needs a GPU (lightly_config.trainer.gpus: 1)"
        )
    dim, pretrained = RESNETS[model_name]
    return EncoderSpec(
        name=model_name,
        dim=dim,
        frame_input=FrameInput(224, 224, "bilinear"),
        weights_sha256=_file_hash(checkpoint) if checkpoint else pretrained,
        batch_size=batch_size or _RESNET_BATCH,
        checkpoint=checkpoint,
        device="cuda" if gpus else "cpu",
        precision=precision,
    )


def sidecar() -> dict[str, object]:
    """Returns what is written beside the default encoder's weights: hash, fit list, recipe."""
    text = files("lightly_pipeline.embedding").joinpath(_WEIGHTS).read_text(encoding="utf-8")
    document: dict[str, object] = json.loads(text)
    return document


def _default_spec(batch_size: int) -> EncoderSpec:
    return EncoderSpec(
        name=DEFAULT_NAME,
        dim=128,
        frame_input=FrameInput(64, 64, "area"),
        weights_sha256=str(sidecar()["weights_sha256"]),
        batch_size=batch_size,
    )


def _file_hash(checkpoint: str) -> str:
    path = Path(checkpoint)
    if not path.is_file():
        raise InvalidConfigurationError(f"worker_config.checkpoint: {path} is not a file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
