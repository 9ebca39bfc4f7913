"""torchvision's classification networks: what their last linear layer is given.

`resnet-18` and its like are Lightly's spelling of `resnet18`.
"""

import re
from collections.abc import Callable
from typing import Any

from lightly_pipeline.embedding.names import DEFAULT_NAME, SPELLINGS, registered
from lightly_pipeline.embedding.protocol import Encoder
from lightly_pipeline.embedding.spec import EncoderRequest, EncoderSpec, NetworkInput
from lightly_pipeline.embedding.weights import Fetched, checked, network_spec
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.hints import did_you_mean
from lightly_pipeline.video import FrameInput
from lightly_pipeline.video.types import Resampler

# Known without torchvision, so that a misspelt name is refused before it is loaded.
RESNETS = ("resnet-18", "resnet-34", "resnet-50", "resnet-101", "resnet-152")


def spec(request: EncoderRequest) -> EncoderSpec:
    """Returns the spec of a network of torchvision.

    Raises:
        InvalidConfigurationError: torchvision has none of this name, or a file is missing.
        LightlyPipelineError: Its weights are not on this machine.
    """
    if request.name not in RESNETS:
        _require_name(request.name)
    return network_spec(
        request, "torchvision", lambda: _described(request.name, *network(request.name)[:2])
    )


def load(spec: EncoderSpec) -> Encoder:
    """Loads a network of torchvision with the weights of its spec.

    Raises:
        LightlyPipelineError: They are missing, damaged, or of another network.
    """
    from lightly_pipeline.embedding.networks import load_weights, network_encoder

    built, _, is_head = network(spec.name)
    load_weights(built, checked(spec), spec.name, is_head)
    return network_encoder(spec, built)


def network(name: str, weights: Any = None) -> tuple[Any, int, Callable[[str], bool]]:
    """Returns a network without its last layer, what that was given, and which tensors were its.

    Args:
        name: Of the network.
        weights: As torchvision takes them; random ones by default.

    Raises:
        InvalidConfigurationError: It does not end in a linear layer.
    """
    import torch
    import torchvision.models

    built = torchvision.models.get_model(_plain(name), weights=weights)
    linear = [key for key, part in built.named_modules() if isinstance(part, torch.nn.Linear)]
    if not linear:
        raise InvalidConfigurationError(
            f"lightly_config.model.name {name}: the network does not end in a linear layer, whose "
            "input would be the embedding; use another one"
        )
    parent, _, last = linear[-1].rpartition(".")
    head = built.get_submodule(linear[-1])
    setattr(built.get_submodule(parent), last, torch.nn.Identity())
    return built, int(head.in_features), lambda key: key.startswith((f"{linear[-1]}.", "aux"))


def fetch(name: str) -> Fetched:
    """Downloads a network's pretrained weights.

    Raises:
        InvalidConfigurationError: There is no such network.
        OSError: They cannot be had.
    """
    _require_name(name)
    entry = _pretrained(name)
    built, dim, is_head = network(name, entry)
    state = {key: value for key, value in built.state_dict().items() if not is_head(key)}
    return Fetched(state, _described(name, built, dim), "BSD-3-Clause (torchvision)", entry.url)


def _described(name: str, built: Any, dim: int) -> NetworkInput:
    """Returns what a network wants of a frame, as torchvision trained it, and gives for it."""
    from lightly_pipeline.embedding.networks import suits_onnx

    wanted = _pretrained(name).transforms()
    size = wanted.crop_size[0]
    resampler: Resampler = "bicubic" if wanted.interpolation.value == "bicubic" else "bilinear"
    return NetworkInput(
        dim,
        FrameInput(size, size, resampler),
        tuple(wanted.mean),
        tuple(wanted.std),
        suits_onnx(built),
    )


def _pretrained(name: str) -> Any:
    import torchvision.models

    return torchvision.models.get_model_weights(_plain(name)).DEFAULT


def _require_name(name: str) -> None:
    import torchvision.models

    known = torchvision.models.list_models(module=torchvision.models)
    if _plain(name) not in known:
        names = [DEFAULT_NAME, *RESNETS, *known, *registered()]
        raise InvalidConfigurationError(
            f"lightly_config.model.name: {name!r} is not known{_hint(name, names)}; use {SPELLINGS}"
        )


def _hint(name: str, names: list[str]) -> str:
    hint = did_you_mean(name, names)
    return f" ({hint})" if hint.startswith("did") else ""


def _plain(name: str) -> str:
    return re.sub(r"^resnet-(\d+)$", r"resnet\1", name)
