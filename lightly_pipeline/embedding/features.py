"""Colour and texture statistics of small images: what the default encoder sees.

A soft HSV histogram with half of the exposure removed, and uniform local binary patterns at two
radii, as square roots: 551 numbers from 64x64 pixels. The linear map behind them is in
`encoders.py`, its fit in `fitting.py`.
"""

from functools import lru_cache

import torch

SIZE = 64
HUES, SATURATIONS, VALUES = 8, 4, 8
PATTERNS = 59
COLOUR_DIM = HUES * SATURATIONS * VALUES
BLOCKS = (COLOUR_DIM, 4 * PATTERNS, PATTERNS)
DIM = sum(BLOCKS)

_MIN_LUMA, _TARGET_LUMA = 0.04, 0.4
# Flat areas keep one code: without a threshold noise would choose among all of them.
_LBP_THRESHOLD = 0.01
# Clockwise from the top left, as (dy, dx).
_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))


def statistics(frames: torch.Tensor) -> torch.Tensor:
    """Returns the statistics of each frame.

    Args:
        frames: Shape (B, H, W, 3), uint8 RGB; averaged over areas to 64x64 if of another size.

    Returns:
        Shape (B, 551), float32: colour 256 (hue, saturation, value), patterns of radius 1 in
        2x2 cells 236, patterns of radius 2 59. A frame's numbers do not depend on the others.
    """
    rgb = _small(frames)
    luma = 0.299 * rgb[:, 0] + 0.587 * rgb[:, 1] + 0.114 * rgb[:, 2]
    return torch.cat([_colour(rgb, luma), _patterns(luma, 1, 2), _patterns(luma, 2, 1)], dim=1)


def _small(frames: torch.Tensor) -> torch.Tensor:
    """Returns (B, 3, 64, 64) float32 in 0..1."""
    rgb = frames.permute(0, 3, 1, 2).contiguous().float().div_(255)
    if rgb.shape[2:] != (SIZE, SIZE):
        rgb = torch.nn.functional.interpolate(rgb, (SIZE, SIZE), mode="area")
    return rgb


def _colour(rgb: torch.Tensor, luma: torch.Tensor) -> torch.Tensor:
    """Returns the square-rooted HSV histogram, each pixel shared among its eight nearest bins."""
    # In float64, so that the order of summation cannot show in the float32 gain.
    mean = luma.double().mean(dim=(1, 2)).clamp_min(_MIN_LUMA)
    gain = (_TARGET_LUMA / mean).sqrt().float()
    hue, saturation, value = _hsv((rgb * gain[:, None, None, None]).clamp_max(1))
    position = hue * (HUES / 6)
    hues = _shares(position, HUES)
    # The circle closes: beyond the last bin comes the first.
    hues[:, 0] += (position - (HUES - 1)).clamp_min_(0)
    saturations = _shares(saturation * (SATURATIONS - 1), SATURATIONS)
    values = _shares(value * (VALUES - 1), VALUES).transpose(1, 2)
    histogram = torch.empty(len(rgb), HUES, SATURATIONS, VALUES)
    for i in range(SATURATIONS):
        # One product of matrices per frame: its sums do not depend on the other frames.
        histogram[:, :, i] = torch.bmm(hues * saturations[:, i : i + 1], values)
    return histogram.flatten(1).div_(SIZE * SIZE).sqrt_()


def _hsv(rgb: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Returns hue in 0..6, saturation and value in 0..1, each of shape (B, 4096)."""
    r, g, b = (channel.flatten(1) for channel in rgb.unbind(1))
    value = torch.maximum(torch.maximum(r, g), b)
    chroma = value - torch.minimum(torch.minimum(r, g), b)
    safe = chroma.clamp_min(1e-6)
    red = (g - b) / safe
    hue = torch.where(
        value == r,
        torch.where(red < 0, red + 6, red),
        torch.where(value == g, (b - r) / safe + 2, (r - g) / safe + 4),
    )
    return hue, chroma / value.clamp_min(1e-6), value


def _shares(position: torch.Tensor, n_bins: int) -> torch.Tensor:
    """Returns how much of each pixel falls into each bin, shape (B, n_bins, 4096)."""
    return (1 - (position[:, None] - _bins(n_bins)).abs_()).clamp_min_(0)


def _bins(n_bins: int) -> torch.Tensor:
    return torch.arange(n_bins, dtype=torch.float32).view(1, n_bins, 1)


def _patterns(luma: torch.Tensor, radius: int, n_cells: int) -> torch.Tensor:
    """Returns square-rooted histograms of uniform patterns in n_cells x n_cells cells."""
    inner = SIZE - 2 * radius
    edge = luma[:, radius : radius + inner, radius : radius + inner] + _LBP_THRESHOLD
    code = torch.zeros(edge.shape, dtype=torch.uint8)
    for bit, (dy, dx) in enumerate(_NEIGHBOURS):
        top, left = radius * (1 + dy), radius * (1 + dx)
        neighbour = luma[:, top : top + inner, left : left + inner]
        code.add_((neighbour >= edge).view(torch.uint8), alpha=1 << bit)
    cell = inner // n_cells
    bins = _pattern_numbers()[code.int()].reshape(len(luma), n_cells, cell, n_cells, cell)
    rows = torch.arange(n_cells).view(1, -1, 1, 1, 1)
    columns = torch.arange(n_cells).view(1, 1, 1, -1, 1)
    images = torch.arange(len(luma)).view(-1, 1, 1, 1, 1)
    bins = bins + PATTERNS * (columns + n_cells * (rows + n_cells * images))
    n_bins = PATTERNS * n_cells * n_cells
    counts = torch.bincount(bins.flatten(), minlength=len(luma) * n_bins).view(len(luma), n_bins)
    return counts.float().div_(cell * cell).sqrt_()


@lru_cache(maxsize=1)
def _pattern_numbers() -> torch.Tensor:
    """Returns the bin of every 8-bit code: uniform codes in rising order, then all others."""
    numbers = torch.full((256,), PATTERNS - 1, dtype=torch.int64)
    uniform = [
        code for code in range(256) if (code ^ ((code >> 1) | (code & 1) << 7)).bit_count() <= 2
    ]
    numbers[uniform] = torch.arange(len(uniform))
    return numbers
