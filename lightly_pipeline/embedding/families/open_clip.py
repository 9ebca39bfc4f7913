"""Networks of OpenCLIP: `open_clip/NAME/PRETRAINED` (extra `open-clip`).

They have a text side: the only encoders that SIMILARITY can ask in words.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.embedding.protocol import Encoder
from lightly_pipeline.embedding.spec import EncoderRequest, EncoderSpec, NetworkInput
from lightly_pipeline.embedding.weights import Fetched, checked, network_spec
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.extras import package
from lightly_pipeline.hints import did_you_mean
from lightly_pipeline.video import FrameInput
from lightly_pipeline.video.types import Resampler

_PREFIX = "open_clip/"


def spec(request: EncoderRequest) -> EncoderSpec:
    """Returns the spec of a network of OpenCLIP.

    Raises:
        InvalidConfigurationError: OpenCLIP has none of this name, or a file is missing.
        LightlyPipelineError: OpenCLIP or the weights are not on this machine.
    """
    return network_spec(request, "open_clip", lambda: _describe(network(request.name)))


def load(spec: EncoderSpec) -> Encoder:
    """Loads a network of OpenCLIP with the weights of its spec.

    Raises:
        LightlyPipelineError: They are missing, damaged, or of another network.
    """
    import torch

    from lightly_pipeline.embedding.networks import load_weights, network_encoder

    built = network(spec.name)
    load_weights(built, checked(spec), spec.name)
    architecture, _ = _parts(spec.name)

    class _ImageSide(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.both = built

        def forward(self, images: torch.Tensor) -> Any:
            return self.both.encode_image(images)

    images = network_encoder(spec, _ImageSide())

    class _Encoder:
        def __init__(self) -> None:
            self.spec, self.encode = spec, images.encode

        def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
            tokens = package("open_clip", "open-clip").get_tokenizer(architecture)(list(texts))
            with torch.inference_mode():
                found: NDArray[np.float32] = (
                    built.encode_text(tokens.to(self.spec.device)).float().cpu().numpy()
                )
            return found

    return _Encoder()


def network(name: str, *, pretrained: bool = False) -> Any:
    """Returns a network, both of its sides.

    Raises:
        InvalidConfigurationError: OpenCLIP has none of this name.
    """
    open_clip = package("open_clip", "open-clip")
    architecture, weights = _parts(name)
    known = open_clip.list_models()
    if architecture not in known:
        raise InvalidConfigurationError(
            f"lightly_config.model.name: OpenCLIP has no network {architecture!r}; "
            f"{did_you_mean(architecture, known)}"
        )
    if pretrained and weights not in open_clip.list_pretrained_tags_by_model(architecture):
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        raise InvalidConfigurationError(
            f"lightly_config.model.name: OpenCLIP has no weights {weights!r} of {architecture}; "
            f"{did_you_mean(weights, tags)}"
        )
    return open_clip.create_model(
        architecture, pretrained=weights if pretrained else None, require_pretrained=pretrained
    )


def fetch(name: str) -> Fetched:
    """Downloads a network's pretrained weights.

    Raises:
        InvalidConfigurationError: There is no such network.
        OSError, RuntimeError: They cannot be had.
    """
    built = network(name, pretrained=True)
    return Fetched(built.state_dict(), _describe(built), "unknown", f"OpenCLIP {name}")


def _parts(name: str) -> tuple[str, str]:
    """Returns the architecture, and the name of its weights where one is given."""
    architecture, _, weights = name.removeprefix(_PREFIX).partition("/")
    return architecture, weights


def _describe(built: Any) -> NetworkInput:
    """Returns what a network wants and gives: the whole frame, not its middle."""
    import torch

    from lightly_pipeline.embedding.networks import suits_onnx

    known = package("open_clip", "open-clip").get_model_preprocess_cfg(built)
    size = known["size"]
    height, width = (size, size) if isinstance(size, int) else size
    resampler: Resampler = "bicubic" if known["interpolation"] == "bicubic" else "bilinear"
    with torch.inference_mode():
        dim = built.eval().encode_image(torch.zeros(1, 3, height, width)).shape[1]
    return NetworkInput(
        int(dim),
        FrameInput(width, height, resampler),
        tuple(known["mean"]),
        tuple(known["std"]),
        suits_onnx(built.visual),
    )
