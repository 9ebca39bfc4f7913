"""Models in TorchScript files: `torchscript:PATH`.

The model takes (B, 3, H, W) and gives (B, dim); what it wants of a frame stands in the extra file
`lightly_pipeline.json` inside (`exported.py`).
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from lightly_pipeline.embedding import exported
from lightly_pipeline.embedding.protocol import Encoder
from lightly_pipeline.embedding.spec import EncoderRequest, EncoderSpec, NetworkInput
from lightly_pipeline.embedding.weights import checked, file_hash
from lightly_pipeline.errors import InvalidConfigurationError

_PREFIX = "torchscript:"


def spec(request: EncoderRequest) -> EncoderSpec:
    """Returns the spec of a model in a file.

    Raises:
        InvalidConfigurationError: There is no such file, or it is no such model.
    """
    from lightly_pipeline.embedding.networks import output_dim

    if request.checkpoint:
        raise InvalidConfigurationError(
            f"lightly_config.model.name {request.name}: the weights are those of the file; leave "
            "worker_config.checkpoint empty"
        )
    path = Path(request.name.removeprefix(_PREFIX))
    sha256 = file_hash(path, "lightly_config.model.name")
    model, said = _loaded(path)
    frame_input, mean, std = exported.wanted(said, str(path))
    dim = output_dim(model, frame_input.height, frame_input.width, request.name)
    described = NetworkInput(dim, frame_input, mean, std)
    spec = described.spec(request, "torchscript", sha256=sha256, weights=str(path))
    return replace(spec, name=f"{_PREFIX}{path.name}")


def load(spec: EncoderSpec) -> Encoder:
    """Loads a model from its file.

    Raises:
        LightlyPipelineError: The file was changed.
    """
    from lightly_pipeline.embedding.networks import NetworkEncoder

    model, _ = _loaded(checked(spec))
    return NetworkEncoder(spec, model)


def _loaded(path: Path) -> tuple[Any, str]:
    """Returns the model, and what the file says of the frames it wants."""
    import torch

    extra: dict[str, Any] = {f"{exported.METADATA}.json": ""}
    load_script: Any = torch.jit.load
    try:
        model = load_script(str(path), map_location="cpu", _extra_files=extra)
    except RuntimeError as error:
        raise InvalidConfigurationError(
            f"lightly_config.model.name: {path} cannot be loaded as TorchScript: "
            f"{str(error).splitlines()[0]}"
        ) from error
    said = extra[f"{exported.METADATA}.json"]
    return model, said.decode() if isinstance(said, bytes) else said
