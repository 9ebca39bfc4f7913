"""The bytes of an untrusted image file become upright RGB pixels, or a reason why they do not.

Only the formats that are promised are looked for, and sizes are bounded before pixels are made.
What images of more than 8 bits, of other colours and of several pictures become is decided here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from lightly_pipeline.errors import CorruptImageError

# Each by its module: for a format whose module is not loaded, Pillow loads all that it has.
_FORMATS = (
    PngImagePlugin.PngImageFile.format,
    JpegImagePlugin.JpegImageFile.format,
    BmpImagePlugin.BmpImageFile.format,
    GifImagePlugin.GifImageFile.format,
    TiffImagePlugin.TiffImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
    PpmImagePlugin.PpmImageFile.format,
)

MAX_PIXELS = 89_478_485
"""Width times height; Pillow's own bound: 8 bits of three colours take a quarter of a gigabyte."""
MAX_FILE_BYTES = 256 * 1024 * 1024
_ORIENTATION = 0x0112
# EXIF 2.32, tag 274: what turns a picture upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TRANSPOSING = frozenset(_TURNS[number] for number in (5, 6, 7, 8))
_SHOWN = 200


def read_rgb(content: bytes) -> NDArray[np.uint8]:
    """Returns the picture of an image file, shape (H, W, 3), uint8, contiguous and upright.

    The first picture of a file that has several; without transparency, as the colours under it
    are; CMYK by its complement; grey of 16 bits by the upper 8; grey of 32 bits and of floating
    point, which name no white, from its least value to its largest. Colour profiles are not
    applied.

    Raises:
        CorruptImageError: It is no image, damaged, or too large.
    """
    with _opened(content) as image:
        image.load()
        turn = _turn(image)
        upright = image if turn is None else image.transpose(turn)
        return np.ascontiguousarray(_as_rgb(upright))


def upright_size(content: bytes) -> tuple[int, int]:
    """Returns the (width, height) of the picture that `read_rgb` gives, without decoding it.

    Raises:
        CorruptImageError: It is no image, or too large.
    """
    with _opened(content) as image:
        # Pillow turns TIFF itself, and says its size as it will be.
        is_turned = isinstance(image, TiffImagePlugin.TiffImageFile)
        is_lying = not is_turned and _turn(image) in _TRANSPOSING
        return (image.height, image.width) if is_lying else image.size


@contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    """Yields an image of bounded size; what is raised in the context becomes a reason."""
    if not content:
        raise CorruptImageError("the file is empty")
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as image:
            _check_size(image)
            yield image
    except CorruptImageError:
        raise
    except UnidentifiedImageError:
        raise CorruptImageError(f"not an image ({', '.join(_FORMATS)})") from None
    except Image.DecompressionBombError:
        raise CorruptImageError(f"more than {MAX_PIXELS} pixels") from None
    except MemoryError:
        raise CorruptImageError("decoding it takes too much memory") from None
    except Exception as error:  # noqa: BLE001
        # Pillow's decoders raise almost anything at broken files.
        text = str(error)[:_SHOWN] or "no reason given"
        raise CorruptImageError(f"damaged: {text} ({type(error).__name__})") from None


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise CorruptImageError(
            f"{image.width}x{image.height} pixels are more than {MAX_PIXELS} in all"
        )


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Returns what turns an image upright; None where it is, or its EXIF data are broken."""
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001
        return None


def _as_rgb(image: Image.Image) -> NDArray[np.uint8]:
    # Else Pillow warns that a palette's transparency is lost, which is what is wanted.
    image.info.pop("transparency", None)
    if image.mode.startswith("I;16"):
        return _grey(np.asarray(image).astype(np.uint16) >> 8)
    if image.mode in ("I", "F"):
        return _grey(_stretched(np.asarray(image)))
    return np.asarray(image.convert("RGB"))


def _stretched(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Returns numbers brought to 0 to 255; those that are none become 0."""
    numbers = values.astype(np.float64)
    known = np.isfinite(numbers)
    low, high = numbers[known].min(initial=np.inf), numbers[known].max(initial=-np.inf)
    if not high > low:
        return np.zeros(numbers.shape)
    scaled: NDArray[np.float64] = np.rint(
        (np.where(known, numbers, low) - low) * (255 / (high - low))
    )
    return scaled


def _grey(levels: NDArray[np.generic]) -> NDArray[np.uint8]:
    return np.repeat(levels.astype(np.uint8)[:, :, None], 3, axis=2)
