"""Files of every format become upright RGB pixels, and broken ones a reason."""

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lightly_pipeline.errors import CorruptImageError
from lightly_pipeline.images.decoding import MAX_PIXELS, read_rgb, upright_size
from lightly_pipeline_tests.support.pictures import encoded, picture

PIXELS = picture(1)
LOSSLESS = ["PNG", "BMP", "TIFF", "PPM", "WEBP"]
_ORIENTATION = 0x0112
# What a camera stored, given the upright picture, by the orientation that it names.
STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: np.rot90(p, -1),
}


@pytest.mark.parametrize("image_format", LOSSLESS)
def test_lossless_formats_give_the_pixels(image_format: str) -> None:
    options = {"lossless": True} if image_format == "WEBP" else {}
    content = encoded(PIXELS, image_format, **options)
    assert np.array_equal(read_rgb(content), PIXELS)
    assert upright_size(content) == (96, 64)


def test_jpeg_and_gif_give_nearly_the_pixels() -> None:
    for content in (encoded(PIXELS, "JPEG", quality=95), encoded(PIXELS, "GIF")):
        away = np.abs(read_rgb(content).astype(int) - PIXELS)
        assert away.mean() < 12


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "WEBP"])
def test_pictures_are_turned_upright_as_exif_says(number: int, image_format: str) -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED[number](PIXELS)))
    exif = Image.Exif()
    exif[_ORIENTATION] = number
    options = {"lossless": True} if image_format == "WEBP" else {}
    content = encoded(stored, image_format, exif=exif, **options)
    assert np.array_equal(read_rgb(content), PIXELS)
    assert upright_size(content) == (96, 64)


def test_a_rotated_jpeg_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    content = encoded(np.ascontiguousarray(np.rot90(PIXELS)), "JPEG", quality=95, exif=exif)
    turned = read_rgb(content)
    assert turned.shape == PIXELS.shape
    assert np.abs(turned.astype(int) - PIXELS).mean() < 5


def test_broken_exif_breaks_no_picture() -> None:
    content = encoded(PIXELS, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert read_rgb(content).shape == PIXELS.shape


def test_cmyk_is_taken_by_its_complement() -> None:
    image = Image.fromarray(PIXELS).convert("CMYK")
    assert np.array_equal(read_rgb(encoded(image, "TIFF")), PIXELS)
    jpeg = read_rgb(encoded(image, "JPEG", quality=95))
    assert np.abs(jpeg.astype(int) - PIXELS).mean() < 12


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_grey_of_16_bits_keeps_its_upper_8(image_format: str) -> None:
    levels = np.arange(64 * 96, dtype=np.uint16).reshape(64, 96) * 10
    shown = read_rgb(encoded(levels, image_format))
    assert np.array_equal(shown, np.repeat((levels >> 8)[..., None], 3, axis=2))


def test_colour_of_16_bits_keeps_its_upper_8() -> None:
    assert np.array_equal(read_rgb(_png_of_16_bits(PIXELS.astype(np.uint16) * 256 + 99)), PIXELS)


def test_floating_point_is_taken_from_its_least_value_to_its_largest() -> None:
    values = np.linspace(-2, 3, 64 * 96, dtype=np.float32).reshape(64, 96)
    values[0, 1] = np.nan
    shown = read_rgb(encoded(values, "TIFF"))
    assert (shown.min(), shown.max()) == (0, 255)
    assert shown[0, 1, 0] == 0
    flat = read_rgb(encoded(np.full((4, 4), 7.0, np.float32), "TIFF"))
    assert not flat.any()


def test_transparency_is_left_out() -> None:
    alpha = np.zeros((64, 96, 1), np.uint8)
    assert np.array_equal(read_rgb(encoded(np.dstack([PIXELS, alpha]), "PNG")), PIXELS)
    palette = Image.fromarray(PIXELS).quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    assert np.array_equal(read_rgb(encoded(palette, "PNG", transparency=3)), expected)
    assert np.array_equal(read_rgb(encoded(palette, "PNG", transparency=bytes(16))), expected)


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "TIFF"])
def test_the_first_picture_of_several_counts(image_format: str) -> None:
    flat = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if image_format == "WEBP" else {}
    content = encoded(flat[0], image_format, save_all=True, append_images=flat[1:], **options)
    assert (read_rgb(content) == (255, 0, 0)).all()


def test_black_and_white_and_tiny_pictures_are_read() -> None:
    for mode in ("1", "L", "LA", "P"):
        assert read_rgb(encoded(Image.new(mode, (1, 1)), "PNG")).shape == (1, 1, 3)


@pytest.mark.parametrize("image_format", [*LOSSLESS, "JPEG", "GIF"])
def test_files_that_are_cut_are_corrupt(image_format: str) -> None:
    content = encoded(PIXELS, image_format)
    with pytest.raises(CorruptImageError, match=r"damaged|not an image"):
        read_rgb(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"no image at all", "not an image"),
        (b"%PDF-1.4 something", "not an image"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "damaged|not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    ],
)
def test_what_is_no_image_is_corrupt(content: bytes, reason: str) -> None:
    with pytest.raises(CorruptImageError, match=reason):
        read_rgb(content)


def test_bombs_are_refused_before_they_take_memory() -> None:
    for side in (9_460, 30_000, 60_000):
        with pytest.raises(CorruptImageError, match="pixels"):
            read_rgb(_png_header(side))
        with pytest.raises(CorruptImageError, match="pixels"):
            upright_size(_png_header(side))
    assert 9_459**2 < MAX_PIXELS < 9_460**2


@pytest.mark.parametrize("image_format", [*LOSSLESS, "JPEG", "GIF"])
def test_damaged_bytes_give_a_picture_or_a_reason(image_format: str) -> None:
    random = np.random.default_rng(3)
    content = encoded(PIXELS, image_format)
    for _ in range(150):
        broken = bytearray(content)
        for place in random.integers(0, len(broken), 4):
            broken[place] = random.integers(256)
        with suppress(CorruptImageError):
            pixels = read_rgb(bytes(broken))
            assert pixels.dtype == np.uint8
            assert pixels.shape[2] == 3


def _png_header(side: int) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", b"x" * 100)


def _png_of_16_bits(pixels: NDArray[np.uint16]) -> bytes:
    height, width = pixels.shape[:2]
    rows = pixels.astype(">u2").reshape(height, -1)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    buffer = io.BytesIO()
    buffer.write(b"\x89PNG\r\n\x1a\n")
    buffer.write(_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)))
    buffer.write(_chunk(b"IDAT", zlib.compress(lines)) + _chunk(b"IEND", b""))
    return buffer.getvalue()


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
