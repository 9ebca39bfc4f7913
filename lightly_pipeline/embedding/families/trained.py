"""Models that runs have trained: checkpoints that say themselves which network they are of.

The network is torchvision's ResNet, whose last layer gives the embedding: at width 1 its weights
load into `torchvision.models.resnet18(num_classes=num_ftrs)` and its like. How one is trained is
in `lightly_pipeline.training`.
"""

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightly_pipeline.embedding.protocol import Encoder
from lightly_pipeline.embedding.spec import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    EncoderRequest,
    EncoderSpec,
    NetworkInput,
)
from lightly_pipeline.embedding.weights import checked, checkpoint_spec
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.video import FrameInput

MADE_BY = "lightly_pipeline"
_LAYERS = {
    "resnet-9": (1, 1, 1, 1),
    "resnet-18": (2, 2, 2, 2),
    "resnet-34": (3, 4, 6, 3),
    "resnet-50": (3, 4, 6, 3),
    "resnet-101": (3, 4, 23, 3),
    "resnet-152": (3, 8, 36, 3),
}
_WITH_BASIC_BLOCKS = ("resnet-9", "resnet-18", "resnet-34")


def hyper_parameters(path: str | Path) -> dict[str, Any] | None:
    """Returns what a checkpoint says of its network; None where it is not one of a run."""
    import torch

    if not Path(path).is_file() or not zipfile.is_zipfile(path):
        return None
    try:
        document = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        said = dict(document["hyper_parameters"])
    except Exception:  # noqa: BLE001  whatever it is, it is no such file
        return None
    return said if said.get("made_by") == MADE_BY else None


def spec(request: EncoderRequest) -> EncoderSpec:
    """Returns the spec of the model in a checkpoint.

    Raises:
        InvalidConfigurationError: It is of another network than was asked for.
        LightlyPipelineError: It was made by a later release.
    """
    said = hyper_parameters(request.checkpoint or "")
    assert said is not None, "only asked for checkpoints of runs"
    name = said.get("name")
    if name not in _LAYERS:
        raise LightlyPipelineError(
            f"worker_config.checkpoint {request.checkpoint}: this release does not know the "
            f"network {name}"
        )
    # The name of the default encoder stands for none that was given.
    if request.name not in ("default", name, name.replace("-", "")):
        raise InvalidConfigurationError(
            f"worker_config.checkpoint {request.checkpoint} is a model that a run trained, a "
            f"{name}: leave out lightly_config.model.name ({request.name}), or set it to {name}"
        )
    return checkpoint_spec(replace(request, name=name), "trained", lambda: _described(said))


def load(spec: EncoderSpec) -> Encoder:
    """Loads the model of a checkpoint.

    Raises:
        LightlyPipelineError: It is gone, damaged, or was replaced.
    """
    from lightly_pipeline.embedding.networks import load_weights, network_encoder

    path = checked(spec)
    said = hyper_parameters(path)
    assert said is not None, "its hash was compared"
    built = backbone(spec.name, said["width"], said["num_ftrs"])
    load_weights(built, path, spec.name)
    return network_encoder(spec, built)


def _described(said: dict[str, Any]) -> NetworkInput:
    import torch

    from lightly_pipeline.embedding.networks import suits_onnx

    size, dim = int(said["input_size"]), int(said["num_ftrs"])
    # Its layers are looked at, not its numbers.
    with torch.device("meta"):
        built = backbone(said["name"], said["width"], dim)
    return NetworkInput(dim, FrameInput(size, size, "area"), suits_onnx=suits_onnx(built))


def backbone(name: str, width: int, num_ftrs: int) -> Any:
    """Returns a ResNet with random weights that takes (B, 3, H, W) and gives (B, num_ftrs).

    Args:
        name: `resnet-9` to `resnet-152`.
        width: How many times as many channels there are inside each block, as in torchvision's
            `wide_resnet50_2`.
        num_ftrs: Length of an embedding.
    """
    import torch
    import torchvision.models.resnet as resnets

    if name not in _WITH_BASIC_BLOCKS:
        return resnets.ResNet(
            resnets.Bottleneck, _LAYERS[name], num_classes=num_ftrs, width_per_group=64 * width
        )
    if width == 1:
        return resnets.ResNet(resnets.BasicBlock, _LAYERS[name], num_classes=num_ftrs)

    class WideBlock(resnets.BasicBlock):  # type: ignore[misc]
        """torchvision's basic block takes no width."""

        def __init__(self, inplanes: int, planes: int, *args: Any, **options: Any) -> None:
            super().__init__(inplanes, planes, *args, **options)
            inner = planes * width
            self.conv1 = resnets.conv3x3(inplanes, inner, self.stride)
            self.bn1 = torch.nn.BatchNorm2d(inner)
            self.conv2 = resnets.conv3x3(inner, planes)

    return resnets.ResNet(WideBlock, _LAYERS[name], num_classes=num_ftrs)


def checkpoint_parameters(name: str, width: int, num_ftrs: int, input_size: int) -> dict[str, Any]:
    """Returns what a checkpoint has to say for its model to be loaded again."""
    return {
        "made_by": MADE_BY,
        "method": "SimCLR",
        "name": name,
        "width": width,
        "num_ftrs": num_ftrs,
        "input_size": input_size,
        "mean": list(IMAGENET_MEAN),
        "std": list(IMAGENET_STD),
    }
