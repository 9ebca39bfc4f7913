"""Draws the sample scenes: small pictures that move and look like nothing else in the set.

Pure functions of a scene's name and the time; encoding is in `__init__.py`.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
_Grid = tuple[Picture, Picture]


def draw(name: str, time_s: float, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Returns the picture of a scene at a time, shape (height, width, 3), uint8 RGB."""
    picture = _SCENES[name](time_s, size)
    return np.clip(picture, 0, 255).astype(np.uint8)


@lru_cache(maxsize=16)
def _grid(size: tuple[int, int]) -> _Grid:
    """Returns x and y in 0..1."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return x / width, y / height


@lru_cache(maxsize=16)
def _texture(seed: int, size: tuple[int, int], octaves: int) -> Picture:
    """Returns smooth noise in 0..1, shape (height, 2 * width): wide enough to pan over."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    width, height = 2 * size[0], size[1]
    total = np.zeros((height, width), dtype=np.float32)
    for octave in range(octaves):
        cells = 4 * 2**octave
        coarse = rng.random((cells, 2 * cells), dtype=np.float32)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(image) / 2**octave
    normalised: Picture = (total - total.min()) / np.ptp(total)
    return normalised


def _pan(texture: Picture, size: tuple[int, int], offset: float) -> Picture:
    start = int(offset * size[0]) % size[0]
    return texture[:, start : start + size[0]]


def _blend(weight: Picture, low: tuple[int, int, int], high: tuple[int, int, int]) -> Picture:
    a, b = np.array(low, np.float32), np.array(high, np.float32)
    return a + weight[..., None] * (b - a)


def _hills(time_s: float, size: tuple[int, int]) -> Picture:
    x, y = _grid(size)
    picture = _blend(y, (90, 160, 235), (225, 235, 250))
    for layer, colour in enumerate(((110, 140, 120), (70, 120, 60), (45, 85, 35))):
        shift = time_s * 0.05 * (layer + 1)
        ridge = 0.55 + 0.13 * layer + 0.06 * np.sin(6 * (x + shift) * (layer + 1) + layer)
        picture = np.where((y > ridge)[..., None], np.array(colour, np.float32), picture)
    return picture


def _night(time_s: float, size: tuple[int, int]) -> Picture:
    x, y = _grid(size)
    picture = _blend(y, (4, 6, 22), (18, 20, 40))
    for lamp in range(7):
        centre = (0.15 * lamp + 0.25 * time_s) % 1.1 - 0.05
        glow = np.exp(-((x - centre) ** 2 * 900 + (y - 0.45 - 0.02 * lamp) ** 2 * 600))
        picture = picture + glow[..., None] * np.array([255, 190, 90], np.float32)
    return picture


def _forest(time_s: float, size: tuple[int, int]) -> Picture:
    x, _ = _grid(size)
    leaves = _pan(_texture(1, size, 6), size, time_s * 0.04)
    trunks = (np.sin(34 * (x + time_s * 0.04)) > 0.86)[..., None]
    return np.where(
        trunks, np.array([60, 40, 25], np.float32), _blend(leaves, (12, 40, 8), (120, 180, 60))
    )


def _blocks(time_s: float, size: tuple[int, int]) -> Picture:
    x, y = _grid(size)
    picture = (
        np.full((*x.shape, 3), 120, np.float32) + 20 * _texture(2, size, 5)[:, : size[0], None]
    )
    for i, colour in enumerate(((200, 30, 30), (240, 240, 240), (30, 60, 190), (230, 190, 20))):
        left = (0.3 * i + time_s * (0.08 + 0.05 * i)) % 1.3 - 0.2
        inside = (x > left) & (x < left + 0.16) & (y > 0.2 * i + 0.12) & (y < 0.2 * i + 0.26)
        picture = np.where(inside[..., None], np.array(colour, np.float32), picture)
    return picture


def _sea(time_s: float, size: tuple[int, int]) -> Picture:
    x, y = _grid(size)
    waves = 0.5 + 0.25 * np.sin(40 * y + 9 * np.sin(3 * x + time_s / 4) + time_s / 2)
    foam = _pan(_texture(3, size, 6), size, time_s * 0.03)
    return _blend(0.7 * waves.astype(np.float32) + 0.3 * foam, (5, 60, 90), (150, 220, 225))


def _desert(time_s: float, size: tuple[int, int]) -> Picture:
    sand = _pan(_texture(4, size, 4), size, time_s * 0.02)
    return _blend(sand, (190, 130, 70), (245, 210, 150))


def _studio(time_s: float, size: tuple[int, int]) -> Picture:
    x, y = _grid(size)
    picture = _blend(x, (70, 20, 90), (180, 60, 150))
    sway = 0.5 + 0.03 * np.sin(2 * time_s)
    head = (x - sway) ** 2 * 1.6 + (y - 0.38) ** 2 < 0.022
    body = (x - sway) ** 2 * 1.2 + (y - 1.0) ** 2 < 0.17
    picture = np.where(body[..., None], np.array([40, 45, 60], np.float32), picture)
    return np.where(head[..., None], np.array([225, 180, 150], np.float32), picture)


def _clock(time_s: float, size: tuple[int, int]) -> Picture:
    x, y = _grid(size)
    aspect = size[0] / size[1]
    dx, dy = (x - 0.5) * aspect, y - 0.5
    picture = _blend(y, (20, 50, 120), (30, 90, 170))
    dial = dx**2 + dy**2 < 0.16
    picture = np.where(dial[..., None], np.array([235, 235, 225], np.float32), picture)
    angle = 2 * np.pi * time_s / 12
    along, across = dx * np.sin(angle) - dy * np.cos(angle), dx * np.cos(angle) + dy * np.sin(angle)
    hand = (np.abs(across) < 0.012) & (along > 0) & (along < 0.36)
    return np.where(hand[..., None], np.array([150, 20, 20], np.float32), picture)


def _planets(time_s: float, size: tuple[int, int]) -> Picture:
    x, y = _grid(size)
    picture = np.zeros((*x.shape, 3), np.float32)
    for i, colour in enumerate(((255, 220, 80), (90, 150, 255), (220, 90, 60))):
        radius, angle = 0.14 * i, time_s * (1.5 - 0.4 * i) + i
        cx, cy = 0.5 + radius * np.cos(angle), 0.5 + radius * np.sin(angle)
        disc = (x - cx) ** 2 + (y - cy) ** 2 < (0.09 - 0.02 * i) ** 2
        picture = np.where(disc[..., None], np.array(colour, np.float32), picture)
    return picture


_SCENES: dict[str, Callable[[float, tuple[int, int]], Picture]] = {
    "blocks": _blocks,
    "clock": _clock,
    "desert": _desert,
    "forest": _forest,
    "hills": _hills,
    "night": _night,
    "planets": _planets,
    "sea": _sea,
    "studio": _studio,
}
