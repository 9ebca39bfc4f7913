"""Rounds EfficientNet-Lite0 to whole numbers for `lightly_pipeline.embedding.integers`.

No picture is looked at. Batch norms are folded into the layers before them. Layers with many
weights get 8 bits each, small ones 10, depthwise ones 12: these take little room and matter much
(8 bits everywhere double the error). How large numbers get is said by ReLU6, elsewhere by the mean
and the deviation of the batch norm.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.embedding.integers import MIDDLE, SIZE, STRIDES

SUM_LIMIT = 2**24 - 1
"""float32 holds every whole number up to here."""
_MOST = 2**12
_DEPTHWISE_LIMIT, _SMALL_LIMIT, _LARGE_LIMIT = 2047, 511, 127
_LARGE = 40_000
_DEVIATIONS = 5
_INPUT_LIMIT, _INPUT_STEP = 255 - MIDDLE, 1 / 128

Tensors = dict[str, NDArray[Any]]


def quantised(state: Tensors) -> Tensors:
    """Returns the tensors that `IntegerNetwork` takes.

    Args:
        state: Of the network, as `efficientnet_lite_pytorch` names them.
    """
    layers = {name: _folded(state, *parts) for name, parts in _parts().items()}
    _trim(layers)
    rounded = {name: _rounded(weight) for name, (weight, *_) in layers.items()}
    limits = _limits(rounded)
    ranges = _ranges(layers)
    tensors: Tensors = {}
    step_in = _INPUT_STEP
    for name, (_, bias, _) in layers.items():
        weight, weight_step = rounded[name]
        step = ranges[name] / limits[name]
        tensors[f"{name}.weight"] = weight
        tensors[f"{name}.scale"] = (weight_step * step_in / step).astype(np.float32)
        tensors[f"{name}.bias"] = (bias / step).astype(np.float32)
        tensors[f"{name}.limit"] = np.array(limits[name], np.int32)
        step_in = step
    return tensors


def _parts() -> dict[str, tuple[str, str, str]]:
    """Returns convolution, batch norm and kind by layer, in the order they follow each other."""
    parts = {"stem": ("_conv_stem", "_bn0", "stem")}
    for i in range(len(STRIDES)):
        block = f"_blocks.{i}."
        if i:
            parts[f"{i}.expand"] = (f"{block}_expand_conv", f"{block}_bn0", "pointwise")
        parts[f"{i}.depthwise"] = (f"{block}_depthwise_conv", f"{block}_bn1", "depthwise")
        parts[f"{i}.project"] = (f"{block}_project_conv", f"{block}_bn2", "pointwise")
    parts["head"] = ("_conv_head", "_bn1", "pointwise")
    return parts


def _folded(state: Tensors, convolution: str, norm: str, kind: str) -> tuple[Any, Any, Any]:
    """Returns weight (..., outputs), bias, and how large the outputs get."""
    gamma, beta, mean, variance = (
        state[f"{norm}.{what}"].astype(np.float64)
        for what in ("weight", "bias", "running_mean", "running_var")
    )
    gain = gamma / np.sqrt(variance + 1e-3)
    weight = state[f"{convolution}.weight"].astype(np.float64) * gain[:, None, None, None]
    if kind == "depthwise":
        weight = weight[:, 0].transpose(1, 2, 0)
    else:
        # (outputs, inputs, k, k) to (k, k, inputs) one after the other.
        weight = weight.transpose(2, 3, 1, 0).reshape(-1, len(weight))
    return weight, beta - mean * gain, np.abs(beta) + _DEVIATIONS * np.abs(gamma)


def _trim(layers: dict[str, tuple[Any, Any, Any]]) -> None:
    """Cuts off what of a kernel sees nothing but padding in a map of 2x2 pixels."""
    side = SIZE // 2
    for i, stride in enumerate(STRIDES):
        weight, *rest = layers[f"{i}.depthwise"]
        excess = len(weight) // 2 - (side - 1)
        if stride == 1 and excess > 0:
            layers[f"{i}.depthwise"] = (weight[excess:-excess, excess:-excess], *rest)
        side //= stride


def _rounded(weight: NDArray[np.float64]) -> tuple[NDArray[np.signedinteger[Any]], Any]:
    """Returns whole numbers and, per output, what one of them stands for."""
    limit = _LARGE_LIMIT if weight.size > _LARGE else _SMALL_LIMIT
    if weight.ndim == 3:
        limit = _DEPTHWISE_LIMIT
    axes = tuple(range(weight.ndim - 1))
    step = np.abs(weight).max(axis=axes) / limit
    step = np.where(step > 0, step, 1)
    return np.rint(weight / step).astype(np.int8 if limit < 128 else np.int16), step


def largest_sum(weight: NDArray[Any]) -> int:
    """Returns the largest sum of a layer's products where every input is 1 or -1."""
    axes = tuple(range(weight.ndim - 1))
    return int(np.abs(weight.astype(np.int64)).sum(axis=axes).max())


def _limits(rounded: dict[str, tuple[NDArray[Any], Any]]) -> dict[str, int]:
    """Returns the largest power of two, by layer, that no later sum is too large with."""
    names = list(rounded)
    limits = {}
    for name, after in zip(names, [*names[1:], ""], strict=True):
        sums = largest_sum(rounded[after][0]) if after else 1
        limits[name] = min(_MOST, 2 ** int(np.log2(SUM_LIMIT / sums)))
    # Blocks that add to each other count in the same steps.
    for stage in _stages():
        least = min(limits[name] for name in stage)
        limits.update(dict.fromkeys(stage, least))
    return limits


def _ranges(layers: dict[str, tuple[Any, Any, Any]]) -> dict[str, float]:
    """Returns what number a layer's limit stands for: 6 behind a ReLU6."""
    ranges = dict.fromkeys(layers, 6.0)
    for stage in _stages():
        # What is added up in a stage is taken for independent.
        each = [layers[name][2] for name in stage]
        ranges.update(dict.fromkeys(stage, float(np.sqrt(np.square(each).sum(0)).max())))
    return ranges


def _stages() -> list[list[str]]:
    """Returns the narrowing layers whose outputs are added to each other."""
    groups = ((0,), (1, 2), (3, 4), (5, 6, 7), (8, 9, 10), (11, 12, 13, 14), (15,))
    return [[f"{i}.project" for i in group] for group in groups]
