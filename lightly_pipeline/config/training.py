"""What a configuration must say, and may not say, where a model is to be trained.

Decisions on values alone; what the dataset holds is looked at when training begins.
"""

import re

from lightly_pipeline.config.lightly import LightlyConfig
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.hints import did_you_mean

TRAINED_NETWORKS = ("resnet-9", "resnet-18", "resnet-34", "resnet-50", "resnet-101", "resnet-152")
"""Networks that are trained here: those of the original."""
DEFAULT_NETWORK = "resnet-18"
DEFAULT_BATCH = 128
"""Frames of a batch where `lightly_config.loader.batch_size` is not given."""
# A network halves the image five times; below this nothing of it is left.
_LEAST_INPUT = 16
_MOST_INPUT = 1024


def network_name(config: LightlyConfig) -> str:
    """Returns the network that is trained, as the original spells it."""
    return re.sub(r"^resnet(\d+)$", r"resnet-\1", config.model.name or DEFAULT_NETWORK)


def check_training(config: LightlyConfig) -> None:
    """Refuses what a model cannot be trained with.

    Raises:
        InvalidConfigurationError: Names the option and what to write.
    """
    name = network_name(config)
    if name not in TRAINED_NETWORKS:
        hint = did_you_mean(name, TRAINED_NETWORKS)
        raise InvalidConfigurationError(
            f"lightly_config.model.name: {config.model.name} is not trained here"
            + (f" ({hint})" if hint.startswith("did") else "")
            + f"; with worker_config.enable_training name one of {', '.join(TRAINED_NETWORKS)}, or "
            "leave the name out"
        )
    if config.loader.batch_size == 1:
        raise InvalidConfigurationError(
            "lightly_config.loader.batch_size: 1 trains nothing, as each frame is told apart from "
            f"the others of its batch; use 2 or more ({DEFAULT_BATCH} when not given)"
        )
    if config.trainer.max_epochs == 0:
        raise InvalidConfigurationError(
            "lightly_config.trainer.max_epochs: 0 trains nothing; use 1 or more, or leave out "
            "worker_config.enable_training"
        )
    if not _LEAST_INPUT <= config.collate.input_size <= _MOST_INPUT:
        raise InvalidConfigurationError(
            f"lightly_config.collate.input_size: {config.collate.input_size} pixels; use "
            f"{_LEAST_INPUT} to {_MOST_INPUT}"
        )
    if config.trainer.precision == 16 and config.trainer.gpus == 0:
        raise InvalidConfigurationError(
            "lightly_config.trainer.precision: 16 needs a GPU (lightly_config.trainer.gpus: 1)"
        )
    for option in ("sigmas", "rr_degrees"):
        values = getattr(config.collate, option)
        if values is not None and values[0] > values[1]:
            raise InvalidConfigurationError(
                f"lightly_config.collate.{option}: {values[0]:g} is above {values[1]:g}; write the "
                "smaller one first"
            )
