"""Weights of networks on this machine: one folder, each file with what is known of it beside it.

`lightly-pipeline encoder fetch` fills the folder, LIGHTLY may hold copies for other machines, and a
run only reads: nothing is downloaded behind anybody's back. torch is not needed to look.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lightly_pipeline.datasources import Datasource
from lightly_pipeline.embedding.spec import EncoderRequest, EncoderSpec, NetworkInput
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.layout import encoder_path
from lightly_pipeline.video import FrameInput

FOLDER_VARIABLE = "LIGHTLY_PIPELINE_ENCODERS"


@dataclass(frozen=True, slots=True)
class KnownWeights:
    """What is known of a file of weights.

    Attributes:
        name: Of the encoder, as a configuration spells it.
        sha256: Of the file.
        size_bytes: Of the file.
        network: What the network wants and gives.
        licence: Of the weights, as their publisher names it; "unknown" where nothing is said.
        source: Where they come from.
    """

    name: str
    sha256: str
    size_bytes: int
    network: NetworkInput
    licence: str
    source: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """Weights as a family has downloaded them.

    Attributes:
        state: Tensors by name.
        network: What the network wants and gives.
        licence: Of the weights, as their publisher names it; "unknown" where nothing is said.
        source: Where they come from.
    """

    state: Mapping[str, Any]
    network: NetworkInput
    licence: str
    source: str


def weights_folder() -> Path:
    """Returns where weights lie: LIGHTLY_PIPELINE_ENCODERS, or a folder of the user's cache."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "lightly_pipeline" / "encoders"


def weights_file(name: str) -> Path:
    """Returns where the weights of an encoder lie, or would."""
    return weights_folder() / f"{_slug(name)}.safetensors"


def known_weights(name: str) -> KnownWeights | None:
    """Returns what is known of an encoder's weights; None where they are not on this machine."""
    file = weights_file(name)
    if not file.is_file():
        return None
    try:
        return _from_json(file.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def all_known() -> list[KnownWeights]:
    """Returns the weights on this machine, in order of names."""
    names = [file.stem for file in sorted(weights_folder().glob("*.safetensors"))]
    found = [known_weights(name) for name in names]
    return [known for known in found if known is not None]


def keep_fetched(name: str, fetched: Fetched) -> KnownWeights:
    """Keeps downloaded weights as one file of tensors, without code, under the encoder's name."""
    import safetensors.torch

    tensors = {key: tensor.clone().contiguous() for key, tensor in fetched.state.items()}
    content = safetensors.torch.save(tensors)
    known = KnownWeights(
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        network=fetched.network,
        licence=fetched.licence,
        source=fetched.source,
    )
    _keep(known, content)
    return known


def _keep(known: KnownWeights, content: bytes) -> None:
    """Writes weights and what is known of them: the weights last, so that both are there then."""
    file = weights_file(known.name)
    _write_whole(file.with_suffix(".json"), _to_json(known))
    _write_whole(file, content)


def _write_whole(file: Path, content: bytes) -> None:
    """Writes a file that others see whole or not at all; its folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(file)


def network_spec(
    request: EncoderRequest, family: str, describe: Callable[[], NetworkInput]
) -> EncoderSpec:
    """Returns the spec of a network: with the user's own weights, or those that were fetched.

    Args:
        request: What the configuration says.
        family: Of the network.
        describe: Returns what the network wants; called once a checkpoint is known to be there.

    Raises:
        InvalidConfigurationError: There is no such checkpoint.
        LightlyPipelineError: No weights were fetched; says what to do.
    """
    if request.checkpoint is None:
        return kept_spec(request, family)
    return checkpoint_spec(request, family, describe)


def kept_spec(request: EncoderRequest, family: str) -> EncoderSpec:
    """Returns the spec of a network with the weights that this machine holds of it.

    Raises:
        LightlyPipelineError: It holds none; says what to do.
    """
    known = known_weights(request.name)
    if known is None or known.name != request.name:
        raise LightlyPipelineError(
            f"lightly_config.model.name {request.name}: its weights are not on this machine "
            f"({weights_file(request.name)}). Run `lightly-pipeline encoder fetch {request.name}` "
            "with internet access (with --lightly they lie beside your data, where every worker "
            "finds them), give a local file in worker_config.checkpoint, or use the default "
            "encoder, which needs no download"
        )
    file = str(weights_file(request.name))
    return known.network.spec(request, family, sha256=known.sha256, weights=file)


def publish(store: Datasource, known: KnownWeights) -> None:
    """Copies weights into LIGHTLY, where other machines find them."""
    with weights_file(known.name).open("rb") as file, store.writer(_stored(known.name)) as target:
        shutil.copyfileobj(file, target, 1 << 20)
    # Last: who finds it finds the weights, too.
    store.write(_stored(known.name, ".json"), _to_json(known))


def restore(store: Datasource, name: str) -> bool:
    """Copies an encoder's weights from LIGHTLY to this machine, unless they are here.

    Returns:
        Whether they are here now.

    Raises:
        LightlyPipelineError: What LIGHTLY holds is damaged.
    """
    if known_weights(name) is not None:
        return True
    if store.stat(_stored(name, ".json")) is None:
        return False
    known = _from_json(store.read(_stored(name, ".json")).decode())
    content = store.read(_stored(name))
    if hashlib.sha256(content).hexdigest() != known.sha256:
        raise LightlyPipelineError(
            f"{store.location(_stored(name))} is damaged: its hash is not the one that was "
            f"written beside it; run `lightly-pipeline encoder fetch {name} --lightly ...` again"
        )
    _keep(known, content)
    return True


def checkpoint_spec(
    request: EncoderRequest, family: str, describe: Callable[[], NetworkInput]
) -> EncoderSpec:
    """Returns the spec of a network with weights of the user's own, in `request.checkpoint`.

    Args:
        request: What the configuration says.
        family: Of the network.
        describe: Returns what the network wants; called once the file is known to be there.

    Raises:
        InvalidConfigurationError: There is no such file.
    """
    assert request.checkpoint is not None
    sha256 = file_hash(request.checkpoint, "worker_config.checkpoint")
    return describe().spec(request, family, sha256=sha256, weights=request.checkpoint)


def checked(spec: EncoderSpec) -> Path:
    """Returns the weights file of a spec, after its hash was compared.

    Raises:
        LightlyPipelineError: It is gone, or holds something else by now.
    """
    assert spec.weights is not None
    path = Path(spec.weights)
    if not path.is_file() or file_hash(path, "weights") != spec.weights_sha256:
        raise LightlyPipelineError(
            f"{path} is damaged, or not what it was when the run began: put it back (fetched "
            "weights: run `lightly-pipeline encoder fetch` again), then start a new run"
        )
    return path


def file_hash(path: str | Path, key: str) -> str:
    """Returns the SHA-256 of a file that a configuration names.

    Args:
        path: The file.
        key: Of the configuration.

    Raises:
        InvalidConfigurationError: There is none.
    """
    if not Path(path).is_file():
        raise InvalidConfigurationError(f"{key}: {path} is not a file")
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def kept_file(store: Datasource, path: str, sha256: str) -> Path:
    """Copies a model that a run has trained to this machine, unless it is here.

    Args:
        store: The LIGHTLY datasource.
        path: Of the checkpoint there.
        sha256: Of its content.

    Returns:
        The local copy.

    Raises:
        ObjectNotFoundError: It is gone.
        LightlyPipelineError: It is damaged.
    """
    file = weights_folder() / "trained" / f"{sha256}.ckpt"
    if file.is_file() and file_hash(file, "weights") == sha256:
        return file
    content = store.read(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise LightlyPipelineError(
            f"{store.location(path)} is damaged: its hash is not the one that was written when it "
            "was trained; train again (with another lightly_config.seed, or after removing it)"
        )
    _write_whole(file, content)
    return file


def _slug(name: str) -> str:
    """Returns a name without what paths take for something else."""
    return name.replace("/", "--").replace(":", "-")


def _stored(name: str, ending: str = ".safetensors") -> str:
    return encoder_path(_slug(name) + ending)


def _to_json(known: KnownWeights) -> bytes:
    return (json.dumps(asdict(known), indent=1) + "\n").encode()


def _from_json(text: str) -> KnownWeights:
    values: dict[str, Any] = json.loads(text)
    network = values["network"]
    values["network"] = NetworkInput(
        network["dim"],
        FrameInput(**network["frame_input"]),
        tuple(network["mean"]),
        tuple(network["std"]),
        # Weights that an earlier release fetched stay with torch, and their tables valid.
        network.get("suits_onnx", False),
    )
    return KnownWeights(**values)
