"""Colour and texture statistics of small images: what the default encoder sees.

A soft HSV histogram with half of the exposure removed, and uniform local binary patterns at two
radii, as square roots: 551 numbers from 64x64 pixels. The linear map behind them is in
`default.py`, its fit in `benchmarks/fitting.py`.

Every sum is exact, so its order cannot show: the bits do not depend on the batch, the threads or
the machine. Frames are worked on a few at a time, in arrays that a thread keeps: each operation
is one call for all of them, and none asks the system for memory. In these arrays the frames
alternate from number to number; neighbouring pixels, which mostly fall into the same bin, would
wait for each other in `bincount`.
"""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE = 64
HUES, SATURATIONS, VALUES = 8, 4, 8
PATTERNS = 59
COLOUR_DIM = HUES * SATURATIONS * VALUES
BLOCKS = (COLOUR_DIM, 4 * PATTERNS, PATTERNS)
DIM = sum(BLOCKS)
# Statistics are multiples of 2 to the power of minus this.
FRACTION_BITS = 22

_PIXELS = SIZE * SIZE
# Frames that are worked on together: more would leave the cache.
PART = 8
_MIN_LUMA, _TARGET_LUMA = 0.04, 0.4
# A pixel's place between two bins, in bits: three of them and 4096 pixels fit into a float64.
_SHARE_BITS = 13
_SHARE = 1 << _SHARE_BITS
# Flat areas keep one code: without a threshold noise would choose among all of them.
_LBP_THRESHOLD = 0.01
# Clockwise from the top left, as (dy, dx).
_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
_CODES = 256
_UNIFORM = [
    code for code in range(_CODES) if (code ^ ((code >> 1) | (code & 1) << 7)).bit_count() <= 2
]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


def statistics(frames: NDArray[np.uint8]) -> Floats:
    """Returns the statistics of each frame.

    Args:
        frames: Shape (B, H, W, 3), uint8 RGB; averaged over areas to 64x64 if of another size.

    Returns:
        Shape (B, 551), multiples of 2 ** -22 in 0..1: colour 256 (hue, saturation, value),
        patterns of radius 1 in 2x2 cells 236, patterns of radius 2 59. A frame's numbers do not
        depend on the others.
    """
    shares = np.empty((len(frames), DIM))
    for start in range(0, len(frames), PART):
        part = slice(start, start + PART)
        _write_shares(frames[part], shares[part])
    roots = np.sqrt(shares, out=shares)
    return _rounded(roots, FRACTION_BITS).astype(np.float32)


def _rounded(numbers: Doubles, bits: int) -> Doubles:
    numbers *= 1 << bits
    np.rint(numbers, out=numbers)
    numbers /= 1 << bits
    return numbers


class _Workspace:
    """The arrays in which `n_frames` frames are worked on; one number per pixel and frame."""

    def __init__(self, n_frames: int) -> None:
        n = _PIXELS * n_frames
        self.n_frames = n_frames
        self.rgb = np.empty((3, n), np.float32)
        self.luma, self.value, self.chroma, self.hue, self.spare = np.empty((5, n), np.float32)
        self.flags = np.empty((3, n), np.bool_)
        self.position, self.bins = np.empty((2, n), np.int32)
        self.shares = np.empty((3, n))
        self.weights = np.empty(n)
        self.index = np.empty(n, np.intp)
        self.code = np.empty(n, np.uint8)
        self.frame = np.tile(np.arange(n_frames, dtype=np.int32), _PIXELS)
        self.cells = {(r, c): _cells(n_frames, r, c) for r, c in ((1, 2), (2, 1))}


_kept = threading.local()


def _workspace(n_frames: int) -> _Workspace:
    """Returns this thread's arrays: the same ones as long as parts have the same size."""
    work: _Workspace | None = getattr(_kept, "work", None)
    if work is None or work.n_frames != n_frames:
        work = _kept.work = _Workspace(n_frames)
    return work


def _write_shares(frames: NDArray[np.uint8], shares: Doubles) -> None:
    """Writes which share of each frame's pixels falls into each bin, shape (B, 551)."""
    work = _workspace(len(frames))
    small: NDArray[np.float32] | NDArray[np.uint8] = frames
    if frames.shape[1:3] != (SIZE, SIZE):
        small = _averaged(frames)
    pixels = small.reshape(len(frames), _PIXELS, 3).transpose(2, 1, 0)
    np.copyto(work.rgb.reshape(pixels.shape), pixels)
    work.rgb /= 255
    red, green, blue = work.rgb
    np.multiply(red, 0.299, out=work.luma)
    for channel, factor in ((green, 0.587), (blue, 0.114)):
        work.luma += np.multiply(channel, factor, out=work.spare)
    borders = np.cumsum(BLOCKS)
    shares[:, borders[0] : borders[1]] = _patterns(work, 1, 2)
    shares[:, borders[1] :] = _patterns(work, 2, 1)
    shares[:, : borders[0]] = _colour(work)


def _averaged(frames: NDArray[np.uint8]) -> Floats:
    """Returns (B, 64, 64, 3), the mean of the pixels that each target pixel touches."""
    n_frames, height, width, _ = frames.shape
    rows = np.empty((n_frames, SIZE, width, 3), np.int32)
    for i, touched in enumerate(_touched(height)):
        np.add.reduce(frames[:, touched], axis=1, dtype=np.int32, out=rows[:, i])
    sums = np.empty((n_frames, SIZE, SIZE, 3), np.int32)
    for i, touched in enumerate(_touched(width)):
        np.add.reduce(rows[:, :, touched], axis=2, out=sums[:, :, i])
    lengths = [[part.stop - part.start for part in _touched(size)] for size in (height, width)]
    return (sums / np.multiply.outer(*lengths)[:, :, None]).astype(np.float32)


def _touched(size: int) -> list[slice]:
    """Returns which of `size` pixels each of 64 in their place touches."""
    return [slice(i * size // SIZE, -(-(i + 1) * size // SIZE)) for i in range(SIZE)]


def _colour(work: _Workspace) -> Doubles:
    """Returns the HSV histogram, each pixel shared among its eight nearest bins, shape (B, 256)."""
    _expose(work)
    _hsv(work)
    work.bins[:] = 0
    _place(work, 0, work.hue, HUES, HUES / 6)
    _place(work, 1, work.chroma, SATURATIONS, SATURATIONS - 1)
    _place(work, 2, work.value, VALUES, VALUES - 1)
    work.bins *= work.n_frames
    np.add(work.bins, work.frame, out=work.index)
    return _histogram(work)


def _expose(work: _Workspace) -> None:
    """Brings each frame's mean luma half of the way to the target."""
    sums = work.luma.reshape(_PIXELS, -1).sum(axis=0, dtype=np.float64)
    gains = np.sqrt(_TARGET_LUMA / np.maximum(sums / _PIXELS, _MIN_LUMA)).astype(np.float32)
    rows = work.rgb.reshape(3, SIZE, -1)
    rows *= np.tile(gains, SIZE)
    np.minimum(work.rgb, 1, out=work.rgb)


def _hsv(work: _Workspace) -> None:
    """Leaves hue in -1..5, saturation (as `chroma`) and value in 0..1."""
    red, green, blue = work.rgb
    value, chroma, hue, spare = work.value, work.chroma, work.hue, work.spare
    np.maximum(np.maximum(red, green, out=value), blue, out=value)
    np.minimum(np.minimum(red, green, out=chroma), blue, out=chroma)
    np.subtract(value, chroma, out=chroma)
    # Which channel is the largest: red before green before blue.
    is_red, is_green, is_blue = work.flags
    np.equal(value, red, out=is_red)
    np.greater(np.equal(value, green, out=is_green), is_red, out=is_green)
    np.logical_not(np.logical_or(is_red, is_green, out=is_blue), out=is_blue)
    # Products with 0 and 1 take a twentieth of the time of `np.where`.
    np.multiply(np.subtract(green, blue, out=hue), is_red, out=hue)
    for first, second, is_largest in ((blue, red, is_green), (red, green, is_blue)):
        np.multiply(np.subtract(first, second, out=spare), is_largest, out=spare)
        hue += spare
    hue /= np.maximum(chroma, 1e-6, out=spare)
    hue += np.multiply(is_green, np.float32(2), out=spare)
    hue += np.multiply(is_blue, np.float32(4), out=spare)
    chroma /= np.maximum(value, 1e-6, out=spare)


def _place(work: _Workspace, axis: int, numbers: Floats, n_bins: int, scale: float) -> None:
    """Notes the bin below each number, and in `shares` how far it is from there to the next."""
    numbers *= scale * _SHARE
    position, bins = work.position, work.spare.view(np.int32)
    np.copyto(position, np.rint(numbers, out=numbers), casting="unsafe")
    np.right_shift(position, _SHARE_BITS, out=bins)
    if axis == 0:
        # The circle closes: before the first bin comes the last.
        bins &= n_bins - 1
    work.bins *= n_bins
    work.bins += bins
    position &= _SHARE - 1
    work.shares[axis] = position


def _histogram(work: _Workspace) -> Doubles:
    """Returns the shares of all pixels, summed up, from sums over those in the same bins.

    With h, s and v the distances from the lower bins, a pixel gives (1-h)(1-s)(1-v) to the lowest
    and hsv to the highest of its eight: sums of the eight products of h, s and v are enough.
    """
    hue, saturation, value = work.shares
    weights = work.weights
    shape = (HUES, SATURATIONS, VALUES, work.n_frames)
    sums = np.empty((2, 2, 2, *shape))

    def add_up(products: Doubles | None) -> NDArray[Any]:
        return np.bincount(work.index, products, sums[0, 0, 0].size).reshape(shape)

    sums[0, 0, 0] = add_up(None)
    sums[0, 0, 1] = add_up(value)
    sums[0, 1, 0] = add_up(saturation)
    sums[1, 0, 0] = add_up(hue)
    sums[0, 1, 1] = add_up(np.multiply(saturation, value, out=weights))
    sums[1, 0, 1] = add_up(np.multiply(hue, value, out=weights))
    sums[1, 1, 0] = add_up(np.multiply(hue, saturation, out=weights))
    sums[1, 1, 1] = add_up(np.multiply(weights, value, out=weights))
    for axis in range(3):
        lower, upper = sums
        sums = lower * _SHARE - upper
        sums += np.roll(upper, 1, axis=axis + sums.ndim - len(shape))
    return sums.reshape(COLOUR_DIM, -1).T / (_PIXELS * _SHARE**3)


def _cells(n_frames: int, radius: int, n_cells: int) -> NDArray[np.intp]:
    """Returns where each pixel's cell begins among the counts; the border counts as a last one."""
    inner = SIZE - 2 * radius
    numbers = np.full((SIZE, SIZE, n_frames), n_cells * n_cells * n_frames, np.intp)
    along = np.arange(inner) * n_cells // inner
    cell = along[:, None] * n_cells + along
    numbers[radius:-radius, radius:-radius] = (
        cell[:, :, None] + np.arange(n_frames) * n_cells * n_cells
    )
    return numbers.ravel() * _CODES


def _patterns(work: _Workspace, radius: int, n_cells: int) -> Doubles:
    """Returns histograms of uniform patterns in n_cells x n_cells cells, all others in one bin.

    A neighbour lies at the same distance in memory for all pixels; what this gives at the border
    is not counted.
    """
    margin = radius * (SIZE + 1) * work.n_frames
    inside = slice(margin, work.luma.size - margin)
    n_inside = work.luma.size - 2 * margin
    edge = np.add(work.luma[inside], _LBP_THRESHOLD, out=work.spare[inside])
    code, flag = work.code[inside], work.flags[0, :n_inside]
    code[:] = 0
    for bit, (dy, dx) in enumerate(_NEIGHBOURS):
        start = margin + radius * (dy * SIZE + dx) * work.n_frames
        np.greater_equal(work.luma[start : start + n_inside], edge, out=flag)
        bits = flag.view(np.uint8)
        code |= np.left_shift(bits, bit, out=bits)
    index = np.add(work.cells[radius, n_cells][inside], code, out=work.index[inside])
    n_counted = work.n_frames * n_cells * n_cells
    counts = np.bincount(index, minlength=(n_counted + 1) * _CODES).reshape(-1, _CODES)[:n_counted]
    uniform = counts[:, _UNIFORM]
    others = counts.sum(axis=1, keepdims=True) - uniform.sum(axis=1, keepdims=True)
    pixels = ((SIZE - 2 * radius) // n_cells) ** 2
    shares: Doubles = np.hstack([uniform, others]) / pixels
    return shares.reshape(work.n_frames, -1)
