"""Images hold the pixels they were given."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lightly_pipeline.export.images import (
    IMAGE_FORMATS,
    LOSSY_FORMATS,
    encode_image,
    resize_rgb,
    target_size,
)

LOSSLESS = [name for name in IMAGE_FORMATS if name not in LOSSY_FORMATS]


def picture(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A smooth picture with some noise: what JPEG is made for, and not trivially flat."""
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([x * 255 / max(width - 1, 1), y * 255 / max(height - 1, 1), (x + y) % 256], -1)
    noise = np.random.default_rng(seed).normal(0, 2, base.shape)
    return np.clip(base * 0.8 + noise, 0, 255).astype(np.uint8)


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.mark.parametrize("image_format", LOSSLESS)
@given(width=st.integers(1, 70), height=st.integers(1, 40), seed=st.integers(0, 99))
def test_lossless_formats_give_back_every_bit(
    image_format: str, width: int, height: int, seed: int
) -> None:
    rgb = picture(width, height, seed)
    assert np.array_equal(decoded(encode_image(rgb, image_format)), rgb)


@pytest.mark.parametrize("image_format", LOSSY_FORMATS)
def test_lossy_formats_stay_above_38_db(image_format: str) -> None:
    y, x = np.mgrid[0:240, 0:320]
    rgb = np.stack([x * 255 / 319, y * 255 / 239, (x + y) * 255 / 558], -1).astype(np.uint8)
    error = decoded(encode_image(rgb, image_format)).astype(float) - rgb
    assert 10 * np.log10(255**2 / np.mean(error**2)) > 38


@pytest.mark.parametrize("image_format", IMAGE_FORMATS)
def test_same_pixels_give_same_bytes(image_format: str) -> None:
    rgb = picture(64, 48)
    assert encode_image(rgb, image_format) == encode_image(rgb.copy(), image_format)


@pytest.mark.parametrize("image_format", IMAGE_FORMATS)
def test_the_file_is_what_its_extension_says(image_format: str) -> None:
    kinds = {"jpg": "JPEG", "jpeg": "JPEG"}
    content = encode_image(picture(16, 16), image_format)
    assert Image.open(io.BytesIO(content)).format == kinds.get(image_format, image_format.upper())


@pytest.mark.parametrize(
    ("size", "resize", "expected"),
    [
        ((1920, 1080), None, (1920, 1080)),
        ((1920, 1080), 540, (960, 540)),
        ((1080, 1920), 540, (540, 960)),
        ((100, 100), 50, (50, 50)),
        ((1921, 1081), 100, (177, 100)),
        ((1000, 10), 1, (100, 1)),
        ((640, 480), (100, 300), (300, 100)),
    ],
)
def test_resize_means_shorter_edge_or_height_and_width(
    size: tuple[int, int], resize: int | tuple[int, int] | None, expected: tuple[int, int]
) -> None:
    assert target_size(*size, resize) == expected


def test_resizing_is_antialiased() -> None:
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    small = resize_rgb(stripes, (16, 16))
    assert small.shape == (16, 16, 3)
    assert np.all(np.abs(small.astype(int) - 127) < 40)
