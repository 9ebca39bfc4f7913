"""Encoders of the user's own: `package.module:factory`, or a name that an installed package gave.

The factory takes nothing and returns an `Encoder`, whose spec says all that its numbers depend on.
"""

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lightly_pipeline.embedding.names import registered
from lightly_pipeline.embedding.protocol import Encoder
from lightly_pipeline.embedding.spec import EncoderRequest, EncoderSpec
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.video import FrameInput

_KEY = "lightly_config.model.name"


def spec(request: EncoderRequest) -> EncoderSpec:
    """Returns the spec of the encoder that a factory makes.

    Raises:
        InvalidConfigurationError: There is no such factory, or it makes something else.
        LightlyPipelineError: The factory failed.
    """
    if request.checkpoint:
        raise InvalidConfigurationError(
            f"worker_config.checkpoint: {request.name} is made by a factory, which knows its own "
            "weights; leave it empty"
        )
    made = _made(request.name)
    return replace(
        made.spec,
        name=request.name,
        family="own",
        batch_size=request.batch_size or made.spec.batch_size,
    )


def load(spec: EncoderSpec) -> Encoder:
    """Makes the encoder.

    Raises:
        LightlyPipelineError: The factory failed.
    """
    return _made(spec.name)


def _made(name: str) -> Encoder:
    factory = _factory(name)
    try:
        made = factory()
    except LightlyPipelineError:
        raise
    except Exception as error:
        raise LightlyPipelineError(f"{_KEY} {name}: the factory failed: {error}") from error
    _check(name, made)
    encoder: Encoder = made
    return encoder


def _factory(name: str) -> Callable[[], Any]:
    path = registered().get(name, name)
    module, _, attribute = path.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidConfigurationError(
            f"{_KEY}: {name} cannot be imported: {error}; package.module:factory is wanted, and "
            "the package must be importable where the run is executed"
        ) from error
    if not callable(found):
        raise InvalidConfigurationError(f"{_KEY}: {name} is not a function that makes an encoder")
    factory: Callable[[], Any] = found
    return factory


def _check(name: str, made: Any) -> None:
    spec = getattr(made, "spec", None)
    if not isinstance(spec, EncoderSpec) or not callable(getattr(made, "encode", None)):
        raise InvalidConfigurationError(
            f"{_KEY}: what {name} returns is no encoder: it needs an attribute `spec` "
            "(lightly_pipeline.EncoderSpec) and a method `encode`"
        )
    if not isinstance(spec.frame_input, FrameInput) or spec.dim < 1 or spec.batch_size < 1:
        raise InvalidConfigurationError(
            f"{_KEY}: the spec of {name} needs a FrameInput, a dimension and a batch size from 1 on"
        )
