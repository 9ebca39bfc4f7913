"""Thumbnails of images, where a dataset asks for them: small pictures beside the images.

Made of the image as it is stored, so that they are the same whether it was there or is new. Where
they lie is `layout`'s; images never change, so neither does a thumbnail that is there.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lightly_pipeline.datasources import Datasource
from lightly_pipeline.export.images import IMAGE_FORMATS, LOSSY_FORMATS, encode_image, fitted_size
from lightly_pipeline.layout import thumbnail_path

MAX_EDGE = 256
"""Pixels that no thumbnail exceeds, neither in width nor in height."""


class Thumbnails:
    """Stores the thumbnails of images.

    Args:
        store: The LIGHTLY datasource.
        template: Where they lie, with `[filename]` and `[extension]` for those of the image.
    """

    def __init__(self, store: Datasource, template: str) -> None:
        self._store, self._template = store, template

    def add(self, image_path: str, content: bytes, pixels: NDArray[np.uint8] | None = None) -> None:
        """Stores the thumbnail of an image, unless it is there.

        Args:
            image_path: Of the image.
            content: Of the image.
            pixels: What was encoded, shape (H, W, 3), where it is at hand: an image of a lossless
                format is not decoded again.

        Raises:
            DatasourceError: The store failed.
        """
        if self.is_there(image_path):
            return
        if pixels is None or image_path.endswith(LOSSY_FORMATS):
            with Image.open(io.BytesIO(content)) as image:
                pixels = np.asarray(image.convert("RGB"))
        self.add_pixels(image_path, pixels)

    def is_there(self, image_path: str) -> bool:
        """Returns whether an image has its thumbnail."""
        return self._store.stat(thumbnail_path(self._template, image_path)) is not None

    def add_pixels(self, image_path: str, pixels: NDArray[np.uint8]) -> None:
        """Stores the thumbnail of an image, given by its pixels, shape (H, W, 3)."""
        path = thumbnail_path(self._template, image_path)
        self._store.write(path, _thumbnail(pixels, path))


def _thumbnail(pixels: NDArray[np.uint8], path: str) -> bytes:
    """Returns a picture no larger than `MAX_EDGE`, in the format that the path ends with."""
    height, width = pixels.shape[:2]
    size = fitted_size(width, height, MAX_EDGE)
    # Whole pixels are averaged first: a third of the time of filtering all of them.
    small = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    ending = path.rpartition(".")[2].lower()
    return encode_image(np.asarray(small), ending if ending in IMAGE_FORMATS else "png")
