"""EfficientNet-Lite0 on 64x64 pixels in whole numbers, on NumPy: the network of `default-2`.

Weights have 8 to 12 bits, and what a layer gives is rounded to whole numbers up to its limit. The
limits are such that no sum of products reaches 2 ** 24 (`benchmarks/quantise.py` sees to it), so
float32 holds every sum exactly, in whatever order BLAS and SIMD add up. Between sums there are
single IEEE operations. So a frame's bits depend neither on its batch nor on threads nor on the
machine.

Arrays are (rows, columns, frames x channels). The pixel beside another is as far away in memory for
all frames, and the innermost loops of NumPy are long. Layers of large maps see few frames at a
time, which stay in the cache; layers of small maps see many, for each call reads all their weights.
"""

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SIZE = 64
DIM = 1280
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
"""Of the blocks' depthwise layers."""
MIDDLE = 127
"""Taken from the bytes of a frame: the network's authors chose (byte - 127) / 128."""

# Frames at a time in the first blocks, and in those from _LATE on; measured.
_FEW, _MANY, _LATE = 4, 16, 5

Floats = NDArray[np.float32]


class Layer(NamedTuple):
    """One layer: sums of products, then `clip(rint(sums * scale + bias), low, limit)`.

    Attributes:
        weight: (inputs, outputs), or (k, k, channels) of a depthwise layer; whole numbers.
        scale: Per output.
        bias: Per output.
        low: 0 where the network has a ReLU6, else -limit.
        limit: The largest whole number given.
    """

    weight: Floats
    scale: Floats
    bias: Floats
    low: float
    limit: float


class IntegerNetwork:
    """The network without its classifier.

    Args:
        tensors: Of each layer (`stem`; `0.expand`, `0.depthwise`, `0.project` and so on; `head`)
            `.weight` (int8 or int16), `.scale`, `.bias` (float32) and `.limit` (int32). Block 0
            expands nothing.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        self._stem = _layer(tensors, "stem", _FEW, relu=True)
        self._blocks = [
            _Block(tensors, i, stride, _FEW if i < _LATE else _MANY)
            for i, stride in enumerate(STRIDES)
        ]
        self._head = _layer(tensors, "head", _MANY, relu=True)
        self._kept = threading.local()

    def sums(self, frames: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Returns what the last layer gives, summed over the picture.

        Args:
            frames: Shape (B, 64, 64, 3), uint8 RGB.

        Returns:
            Shape (B, 1280), whole numbers below 2 ** 15.
        """
        sums = np.empty((len(frames), DIM))
        for start in range(0, len(frames), _MANY):
            part = slice(start, start + _MANY)
            sums[part] = self._part(frames[part])
        return sums

    def _part(self, frames: NDArray[np.uint8]) -> NDArray[np.float64]:
        n_frames = len(frames)
        early, late = self._blocks[:_LATE], self._blocks[_LATE:]
        side = SIZE // 8
        n_channels = early[-1].n_outputs
        gathered = np.empty((side, side, n_frames, n_channels), np.float32)
        for start in range(0, n_frames, _FEW):
            few = slice(start, start + _FEW)
            x = self._early(frames[few], early)
            gathered[:, :, few] = x.reshape(side, side, -1, n_channels)
        x = gathered.reshape(side, side, -1)
        for block in late:
            x = block(x, n_frames, self._padded(block, len(x)))
        x = _product(x, self._head, n_frames)
        settled = _settle(x, self._head, x)
        sums: NDArray[np.float64] = settled.sum(axis=(0, 1), dtype=np.float64)
        return sums.reshape(n_frames, DIM)

    def _early(self, frames: NDArray[np.uint8], blocks: "list[_Block]") -> Floats:
        """Returns what the first blocks give of at most _FEW frames."""
        n_frames = len(frames)
        # One row and column of zeros at the end, as the network's padding has it.
        padded = np.zeros((SIZE + 1, SIZE + 1, n_frames, 3), np.float32)
        np.subtract(
            frames.transpose(1, 2, 0, 3), MIDDLE, out=padded[:SIZE, :SIZE], dtype=np.float32
        )
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))[::2, ::2]
        patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(SIZE // 2, SIZE // 2, -1)
        x = _product(patches, self._stem, n_frames)
        x = _settle(x, self._stem, x)
        for block in blocks:
            x = block(x, n_frames, self._padded(block, len(x)))
        return x

    def _padded(self, block: "_Block", side: int) -> Floats:
        """Returns this thread's array for a block's widened map; nobody writes to its border."""
        arrays: dict[int, Floats] = self._kept.__dict__.setdefault("arrays", {})
        if block.number not in arrays:
            padded = side + sum(block.padding)
            n_channels = block.n_at_once * block.n_widened
            arrays[block.number] = np.zeros((padded, padded, n_channels), np.float32)
        return arrays[block.number]


class _Block:
    """Widens the channels, looks at each channel's neighbourhood, narrows; adds what came in."""

    def __init__(
        self, tensors: Mapping[str, NDArray[Any]], number: int, stride: int, n_frames: int
    ) -> None:
        self.number, self.n_at_once, self._stride = number, n_frames, stride
        self._expand = _layer(tensors, f"{number}.expand", n_frames, relu=True) if number else None
        self._depthwise = _layer(tensors, f"{number}.depthwise", n_frames, relu=True)
        self._project = _layer(tensors, f"{number}.project", n_frames, relu=False)
        kernel = len(self._depthwise.weight)
        self.padding = ((kernel - stride) // 2, kernel - stride - (kernel - stride) // 2)
        self.n_widened, self.n_outputs = self._project.weight.shape
        n_inputs = self._expand.weight.shape[0] if self._expand else self.n_widened
        self._adds = stride == 1 and n_inputs == self.n_outputs

    def __call__(self, x: Floats, n_frames: int, padded: Floats) -> Floats:
        side, before = len(x), self.padding[0]
        padded = padded[:, :, : n_frames * self.n_widened]
        inside = padded[before : before + side, before : before + side]
        if self._expand:
            _settle(_product(x, self._expand, n_frames), self._expand, inside)
        else:
            inside[:] = x
        kernel = len(self._depthwise.weight)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), (0, 1))
        windows = windows[:: self._stride, :: self._stride]
        weight = self._depthwise.weight[:, :, : padded.shape[2]]
        # One pass of multiply and add per shift, without arrays for the products.
        wide = np.einsum("hwnij,ijn->hwn", windows, weight)
        wide = _settle(wide, self._depthwise, wide)
        narrow = _product(wide, self._project, n_frames)
        return _settle(narrow, self._project, narrow, x if self._adds else None)


def _layer(tensors: Mapping[str, NDArray[Any]], name: str, n_frames: int, *, relu: bool) -> Layer:
    weight = tensors[f"{name}.weight"].astype(np.float32)
    if weight.ndim == 3:
        weight = np.tile(weight, n_frames)
    limit = float(tensors[f"{name}.limit"])
    scale, bias = (np.tile(tensors[f"{name}.{what}"], n_frames) for what in ("scale", "bias"))
    return Layer(weight, scale, bias, 0.0 if relu else -limit, limit)


def _product(x: Floats, layer: Layer, n_frames: int) -> Floats:
    """Returns sums of products of each pixel's channels."""
    rows = x.reshape(-1, layer.weight.shape[0])
    return (rows @ layer.weight).reshape(*x.shape[:2], n_frames * layer.weight.shape[1])


def _settle(sums: Floats, layer: Layer, out: Floats, added: Floats | None = None) -> Floats:
    """Writes whole numbers of the layer's range to `out`; `sums` is used up."""
    n = sums.shape[2]
    sums *= layer.scale[:n]
    sums += layer.bias[:n]
    np.rint(sums, out=sums)
    if added is not None:
        sums += added
    return np.clip(sums, layer.low, layer.limit, out=out)
