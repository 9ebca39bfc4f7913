"""Networks of timm, without their heads: `timm/NAME` (extra `timm`)."""

from typing import Any

from lightly_pipeline.embedding.protocol import Encoder
from lightly_pipeline.embedding.spec import EncoderRequest, EncoderSpec, NetworkInput
from lightly_pipeline.embedding.weights import Fetched, checked, network_spec
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.extras import package
from lightly_pipeline.hints import did_you_mean
from lightly_pipeline.video import FrameInput
from lightly_pipeline.video.types import Resampler

_PREFIX = "timm/"


def spec(request: EncoderRequest) -> EncoderSpec:
    """Returns the spec of a network of timm.

    Raises:
        InvalidConfigurationError: timm has none of this name, or a file is missing.
        LightlyPipelineError: timm or the weights are not on this machine.
    """
    return network_spec(request, "timm", lambda: _describe(network(request.name), request.name))


def load(spec: EncoderSpec) -> Encoder:
    """Loads a network of timm with the weights of its spec.

    Raises:
        LightlyPipelineError: They are missing, damaged, or of another network.
    """
    from lightly_pipeline.embedding.networks import load_weights, network_encoder

    built = network(spec.name)
    load_weights(built, checked(spec), spec.name)
    return network_encoder(spec, built)


def network(name: str, *, pretrained: bool = False) -> Any:
    """Returns a network without its head.

    Raises:
        InvalidConfigurationError: timm has none of this name.
    """
    timm = package("timm", "timm")
    plain = name.removeprefix(_PREFIX)
    if not timm.is_model(plain.split(".")[0]):
        hint = did_you_mean(plain, timm.list_models())
        raise InvalidConfigurationError(
            f"lightly_config.model.name: timm has no network {plain!r}"
            + (f", {hint}" if hint.startswith("did") else "")
        )
    return timm.create_model(plain, pretrained=pretrained, num_classes=0)


def fetch(name: str) -> Fetched:
    """Downloads a network's pretrained weights.

    Raises:
        InvalidConfigurationError: There is no such network.
        OSError, RuntimeError: They cannot be had.
    """
    built = network(name, pretrained=True)
    known = built.pretrained_cfg
    return Fetched(
        built.state_dict(),
        _describe(built, name),
        known.get("license") or "unknown",
        known.get("hf_hub_id") or known.get("url") or "timm",
    )


def _describe(built: Any, name: str) -> NetworkInput:
    """Returns what a network wants and gives: the whole frame, not its middle."""
    from lightly_pipeline.embedding.networks import output_dim, suits_onnx

    known = package("timm.data", "timm").resolve_model_data_config(built)
    _, height, width = known["input_size"]
    resampler: Resampler = "bicubic" if known["interpolation"] == "bicubic" else "bilinear"
    return NetworkInput(
        output_dim(built, height, width, name),
        FrameInput(width, height, resampler),
        tuple(known["mean"]),
        tuple(known["std"]),
        suits_onnx(built),
    )
