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
    n = len(rgb)
    # In float64, so that the order of summation cannot show in the float32 gain.
    mean = luma.double().mean(dim=(1, 2)).clamp_min(_MIN_LUMA)
    gain = (_TARGET_LUMA / mean).sqrt().float()
    hue, saturation, value = _hsv((rgb * gain[:, None, None, None]).clamp_max(1))
    hue_low, hue_part = _split(hue * (HUES / 6), HUES)
    saturation_low, saturation_part = _split(saturation * (SATURATIONS - 1), SATURATIONS - 1)
    value_low, value_part = _split(value * (VALUES - 1), VALUES - 1)
    hue_high = (hue_low + 1) % HUES
    histogram = torch.zeros(n, COLOUR_DIM)
    for hue_bin, hue_weight in ((hue_low, 1 - hue_part), (hue_high, hue_part)):
        for step_s, weight_s in ((0, 1 - saturation_part), (1, saturation_part)):
            weight_hs = hue_weight * weight_s
            bins_hs = (hue_bin * SATURATIONS + saturation_low + step_s) * VALUES + value_low
            histogram.scatter_add_(1, bins_hs, weight_hs * (1 - value_part))
            histogram.scatter_add_(1, bins_hs + 1, weight_hs * value_part)
    return histogram.div_(SIZE * SIZE).sqrt_()


def _hsv(rgb: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Returns hue in 0..6, saturation and value in 0..1, each of shape (B, 4096)."""
    r, g, b = (channel.flatten(1) for channel in rgb.unbind(1))
    value = torch.maximum(torch.maximum(r, g), b)
    chroma = value - torch.minimum(torch.minimum(r, g), b)
    safe = chroma.clamp_min(1e-6)
    hue = torch.where(
        value == r,
        ((g - b) / safe) % 6,
        torch.where(value == g, (b - r) / safe + 2, (r - g) / safe + 4),
    )
    return hue, chroma / value.clamp_min(1e-6), value


def _split(position: torch.Tensor, n_bins: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the lower bin of each position and how far it lies towards the next."""
    low = position.long().clamp_(0, n_bins - 1)
    return low, (position - low).clamp_(0, 1)


def _patterns(luma: torch.Tensor, radius: int, n_cells: int) -> torch.Tensor:
    """Returns square-rooted histograms of uniform patterns in n_cells x n_cells cells."""
    inner = SIZE - 2 * radius
    edge = luma[:, radius : radius + inner, radius : radius + inner] + _LBP_THRESHOLD
    code = torch.zeros(edge.shape, dtype=torch.uint8)
    for bit, (dy, dx) in enumerate(_NEIGHBOURS):
        top, left = radius * (1 + dy), radius * (1 + dx)
        neighbour = luma[:, top : top + inner, left : left + inner]
        code |= (neighbour >= edge).to(torch.uint8) << bit
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
