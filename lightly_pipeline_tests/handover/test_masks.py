"""Masks in the spellings of every tool are the same pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lightly_pipeline.handover.masks import Mask

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24))


@given(masks)
def test_run_lengths_are_the_pixels(pixels: np.ndarray) -> None:
    mask = Mask.of(pixels)
    assert np.array_equal(mask.pixels(), pixels)
    assert mask.area == pixels.sum()
    assert sum(mask.runs) == pixels.size
    x, y, width, height = map(int, mask.box())
    assert pixels[y : y + height, x : x + width].sum() == mask.area
    assert np.array_equal(mask.cropped().pixels(), pixels[y : y + height, x : x + width])


@given(masks)
def test_pycocotools_reads_the_compressed_and_the_plain_counts(pixels: np.ndarray) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    mask = Mask.of(pixels)
    size = [mask.height, mask.width]
    assert np.array_equal(coco.decode({"size": size, "counts": mask.coco_string()}) > 0, pixels)
    plain = coco.frPyObjects({"size": size, "counts": mask.column_counts()}, *size)
    assert np.array_equal(coco.decode(plain) > 0, pixels)


@given(masks)
def test_outlines_filled_by_the_even_odd_rule_are_the_pixels(pixels: np.ndarray) -> None:
    edges = [
        (here, there)
        for line in Mask.of(pixels).outlines()
        for here, there in zip(line, [*line[1:], line[0]], strict=True)
    ]
    filled = np.zeros_like(pixels)
    for (x, start), (_, end) in (edge for edge in edges if edge[0][0] == edge[1][0]):
        filled[min(start, end) : max(start, end), x:] ^= True
    assert np.array_equal(filled, pixels)


@given(masks, st.integers(1, 5), st.integers(1, 5))
def test_a_scaled_mask_keeps_its_shape(pixels: np.ndarray, across: int, down: int) -> None:
    larger = np.repeat(np.repeat(pixels, down, axis=0), across, axis=1)
    mask = Mask.of(pixels).scaled(larger.shape[1], larger.shape[0])
    assert np.array_equal(mask.pixels(), larger)
    assert mask.scaled(pixels.shape[1], pixels.shape[0]) == Mask.of(pixels)


def test_a_long_run_takes_several_blocks_of_label_studio() -> None:
    pixels = np.zeros((300, 400), dtype=bool)
    pixels[100:250, 40:360] = True
    assert np.array_equal(decoded(Mask.of(pixels).label_studio_bytes(), (300, 400)), pixels)


@given(masks)
def test_label_studio_reads_its_form(pixels: np.ndarray) -> None:
    form = Mask.of(pixels).label_studio_bytes()
    assert np.array_equal(decoded(form, pixels.shape), pixels)


def decoded(form: list[int], shape: tuple[int, ...]) -> np.ndarray:
    """Reads Label Studio's run lengths as its converter does (brush.decode_rle)."""
    bits = "".join(f"{byte:08b}" for byte in form)
    place = 0

    def take(n: int) -> int:
        nonlocal place
        place += n
        return int(bits[place - n : place], 2)

    total, word = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < total:
        is_run = take(1)
        length = take(sizes[take(2)]) + 1
        values += [take(word)] * length if is_run else [take(word) for _ in range(length)]
    return np.array(values).reshape(*shape, 4)[:, :, 3] > 127
