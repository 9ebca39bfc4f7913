"""What a file that holds a whole model says of the frames it wants.

ONNX and TorchScript have no words for means or resamplers, so a file carries them as JSON under a
name of ours; what it does not say is ImageNet's.
"""

import json
from collections.abc import Mapping
from typing import Any, get_args

from lightly_pipeline.embedding.spec import IMAGENET_MEAN, IMAGENET_STD, Channels
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.hints import did_you_mean
from lightly_pipeline.video import FrameInput
from lightly_pipeline.video.types import Resampler

METADATA = "lightly_pipeline"
"""Key of an ONNX model's metadata, and with ".json" the name of a TorchScript file's extra file."""
_KEYS = ("width", "height", "resampler", "mean", "std")


def wanted(
    text: str, where: str, size: tuple[int, int] = (224, 224)
) -> tuple[FrameInput, Channels, Channels]:
    """Returns input, mean and std of a model.

    Args:
        text: JSON such as `{"width": 224, "height": 224, "resampler": "bicubic", "mean": [0, 0, 0],
            "std": [1, 1, 1]}`, every key optional; may be empty.
        where: The file, for people.
        size: (width, height) where nothing is said.

    Raises:
        InvalidConfigurationError: It is not that.
    """
    said = _parsed(text, where)
    for key in said:
        if key not in _KEYS:
            raise _error(where, key, did_you_mean(key, _KEYS))
    resampler = said.get("resampler", "bilinear")
    if resampler not in get_args(Resampler):
        raise _error(where, "resampler", did_you_mean(str(resampler), get_args(Resampler)))
    frame_input = FrameInput(
        _pixels(said, "width", size[0], where), _pixels(said, "height", size[1], where), resampler
    )
    mean = _channels(said, "mean", IMAGENET_MEAN, where)
    std = _channels(said, "std", IMAGENET_STD, where)
    if min(std) <= 0:
        raise _error(where, "std", "numbers above 0 are wanted")
    return frame_input, mean, std


def _parsed(text: str, where: str) -> Mapping[str, Any]:
    try:
        said = json.loads(text or "{}")
    except ValueError as error:
        raise _error(where, METADATA, f"not JSON: {error}") from None
    if not isinstance(said, dict):
        raise _error(where, METADATA, "a JSON object is wanted")
    return said


def _pixels(said: Mapping[str, Any], key: str, default: int, where: str) -> int:
    number = said.get(key, default)
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 4096:
        raise _error(where, key, "a whole number from 1 to 4096 is wanted")
    return number


def _channels(said: Mapping[str, Any], key: str, default: Channels, where: str) -> Channels:
    numbers = said.get(key, default)
    if len(numbers) != 3 or not all(isinstance(number, int | float) for number in numbers):
        raise _error(where, key, "three numbers are wanted, for red, green and blue")
    red, green, blue = (float(number) for number in numbers)
    return red, green, blue


def _error(where: str, key: str, problem: str) -> InvalidConfigurationError:
    return InvalidConfigurationError(f"{where}: {key}: {problem}")
