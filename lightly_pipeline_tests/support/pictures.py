"""Image files made for tests: pictures that differ, in every format, and files that are broken."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lightly_pipeline import Dataset, LocalDatasource
from lightly_pipeline.config import DatasetType


def picture(seed: int, width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """Returns a picture with a colour and a pattern of its own, shape (height, width, 3)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    base = random.integers(0, 200, 3)
    waves = np.sin(x / random.uniform(2, 20) + y / random.uniform(2, 20))[..., None]
    blocks = random.integers(0, 40, (height // 8 + 1, width // 8 + 1, 3)).repeat(8, 0).repeat(8, 1)
    return np.clip(base + 30 * waves + blocks[:height, :width], 0, 255).astype(np.uint8)


def encoded(pixels: NDArray[Any] | Image.Image, image_format: str, **options: Any) -> bytes:
    """Returns an image file of pixels."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def put_image(folder: Path, name: str, seed: int, image_format: str = "PNG") -> Path:
    """Writes a picture of its own."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(picture(seed), image_format))
    return path


def put_images(folder: Path, n: int, *, first: int = 0, below: str = "day") -> list[str]:
    """Writes so many pictures and returns their names."""
    names = [f"{below}/{number:04d}.png" for number in range(first, first + n)]
    for number, name in enumerate(names, start=first):
        put_image(folder, name, number)
    return names


def image_dataset(folder: Path, **options: Any) -> Dataset:
    """Returns a dataset of the images in `in`, with its results in `out`."""
    return Dataset(
        "pictures",
        dataset_type=DatasetType.IMAGES,
        input=LocalDatasource(folder / "in"),
        lightly=LocalDatasource(folder / "out"),
        **options,
    )
