"""From the name of an encoder to its spec and to the encoder: which family a name belongs to.

One line per family; what its names are and how they are loaded is in a module of `families`. A
family is imported when one of its encoders is asked for.
"""

import importlib
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast

from lightly_pipeline.datasources import Datasource
from lightly_pipeline.embedding.checked import CheckedEncoder
from lightly_pipeline.embedding.protocol import Encoder
from lightly_pipeline.embedding.spec import EncoderRequest, EncoderSpec, Precision
from lightly_pipeline.embedding.weights import KnownWeights, keep_fetched, restore
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.extras import package
from lightly_pipeline.logs import logger_of

_logger = logger_of(__name__)
DEFAULT_NAME = "default"
ENTRY_POINTS = "lightly_pipeline.encoders"
"""Group of the entry points by which installed packages give names to encoders of their own."""
KEY = "lightly_config.model.name"

# Those that ship, by their whole name.
_SHIPPED = {DEFAULT_NAME: "shipped", "default-2": "default_2"}
# By the beginning of a name, longest first where one is the beginning of another.
_PREFIXES = {
    "default+": "joined",
    "efficientnet-lite": "efficientnet_lite",
    "timm/": "timm",
    "open_clip/": "open_clip",
    "onnx:": "onnx",
    "torchscript:": "torchscript",
}
# Families whose weights are downloaded.
_FETCHED = ("torchvision", "timm", "open_clip")
# Families that run on a GPU where one is asked for.
_ON_GPU = (*_FETCHED, "efficientnet_lite", "joined", "onnx", "torchscript", "trained")
# Families of which some have a text side.
_WITH_TEXTS = ("open_clip", "own")
SPELLINGS = (
    "default, default-2, default+efficientnet-lite0, efficientnet-lite0, a torchvision network "
    "such as resnet-18, timm/NAME, open_clip/NAME/PRETRAINED, onnx:PATH, torchscript:PATH, or "
    "package.module:factory"
)


class _Family(Protocol):
    """A module of `families`."""

    def spec(self, request: EncoderRequest) -> EncoderSpec:
        """Returns the spec of what is asked for.

        Raises:
            LightlyPipelineError: There is no such encoder, or its weights are not here.
        """
        ...

    def load(self, spec: EncoderSpec) -> Encoder:
        """Returns the encoder.

        Raises:
            LightlyPipelineError: Weights are missing, damaged, or not those of the network.
        """
        ...


def encoder_spec(
    model_name: str | None = None,
    *,
    checkpoint: str | None = None,
    gpus: int | None = None,
    precision: Precision = 32,
    batch_size: int | None = None,
) -> EncoderSpec:
    """Returns the spec of the encoder that a configuration asks for.

    Args:
        model_name: None or "default" for the one that ships; else as `SPELLINGS` says.
        checkpoint: Weights file of a network, in place of its pretrained ones; or what a run has
            trained, which says itself which network it is of.
        gpus: On how many GPUs a network runs; by default on all that are there.
        precision: Bits of a network's numbers; 16 on a GPU only.
        batch_size: Frames per call.

    Raises:
        InvalidConfigurationError: The combination makes no sense, or a file is missing.
        LightlyPipelineError: A package or the weights are not on this machine.
    """
    name = model_name or DEFAULT_NAME
    family = "trained" if checkpoint and _is_of_run(checkpoint) else family_of(name)
    if precision == 16 and gpus == 0 and family not in _SHIPPED.values():
        raise InvalidConfigurationError(
            "lightly_config.trainer.precision: 16 needs a GPU (lightly_config.trainer.gpus: 1)"
        )
    n_gpus = _n_gpus(family) if family in _ON_GPU and gpus != 0 else 0
    if gpus is not None:
        n_gpus = min(n_gpus, gpus)
    if family in _ON_GPU and not n_gpus and (gpus or precision == 16):
        _logger.warning(
            "lightly_config.trainer.gpus: no GPU to be seen; %s runs on the CPU, in 32 bits",
            name,
        )
        precision = 32
    request = EncoderRequest(name, checkpoint, n_gpus, precision, batch_size)
    return _family(family).spec(request)


def _is_of_run(checkpoint: str) -> bool:
    """Returns whether a file is a model that a run has trained."""
    from lightly_pipeline.embedding.families.trained import hyper_parameters

    return hyper_parameters(checkpoint) is not None


def _n_gpus(family: str) -> int:
    """Returns how many GPUs there are for a family's networks."""
    # torch is heavy: it is only asked where a driver may be.
    if sys.platform == "darwin" or (sys.platform == "linux" and not _has_driver()):
        return 0
    if family == "onnx":
        providers = package("onnxruntime", "onnx").get_available_providers()
        return int("CUDAExecutionProvider" in providers)
    import torch

    return torch.cuda.device_count()


def _has_driver() -> bool:
    """Returns whether Linux shows a device of NVIDIA, of AMD, or of Windows around it."""
    return any(Path(f"/dev/{name}").exists() for name in ("nvidiactl", "kfd", "dxg"))


def load_encoder(spec: EncoderSpec) -> CheckedEncoder:
    """Loads the encoder a spec names.

    Raises:
        LightlyPipelineError: Weights are missing, damaged, or not those of the network.
    """
    return CheckedEncoder(spec, _family(spec.family).load(spec))


def family_of(name: str) -> str:
    """Returns the module of `families` that a name belongs to, without importing it."""
    if name in _SHIPPED:
        return _SHIPPED[name]
    for prefix, family in _PREFIXES.items():
        if name.startswith(prefix):
            return family
    if ":" in name or name in registered():
        return "own"
    return "torchvision"


def registered() -> dict[str, str]:
    """Returns the factory, as "package.module:factory", by name that an installed package gave."""
    return {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}


def check_has_texts(name: str | None) -> None:
    """Refuses an encoder that cannot embed words.

    Raises:
        InvalidConfigurationError: It cannot.
    """
    if family_of(name or DEFAULT_NAME) not in _WITH_TEXTS:
        raise InvalidConfigurationError(
            f"pipeline_config.similarity_texts: the encoder {name or DEFAULT_NAME} knows no words; "
            f"set {KEY} to open_clip/NAME/PRETRAINED, or give images in "
            "pipeline_config.similarity_folders"
        )


def provide_weights(store: Datasource, name: str) -> None:
    """Copies an encoder's weights from LIGHTLY to this machine, where only that holds them."""
    if family_of(name) in _FETCHED:
        restore(store, name)


def fetch_weights(name: str) -> KnownWeights:
    """Downloads the weights of an encoder and keeps them on this machine.

    Args:
        name: Of a torchvision network, `timm/NAME` or `open_clip/NAME/PRETRAINED`.

    Raises:
        InvalidConfigurationError: There is no such encoder, or it has nothing to fetch.
        LightlyPipelineError: The weights cannot be had.
    """
    if family_of(name) not in _FETCHED:
        raise InvalidConfigurationError(
            f"there is nothing to fetch for {name}: its weights are in a file or a package"
        )
    family = importlib.import_module(f"lightly_pipeline.embedding.families.{family_of(name)}")
    try:
        fetched = family.fetch(name)
    except LightlyPipelineError:
        raise
    except (OSError, RuntimeError) as error:
        raise LightlyPipelineError(f"the weights of {name} cannot be fetched: {error}") from error
    return keep_fetched(name, fetched)


def _family(name: str) -> _Family:
    return cast("_Family", importlib.import_module(f"lightly_pipeline.embedding.families.{name}"))
