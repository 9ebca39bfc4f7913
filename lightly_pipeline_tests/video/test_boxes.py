"""Boxes become whole pixels of a picture."""

import numpy as np
import pytest

from lightly_pipeline.video import FrameInput
from lightly_pipeline.video.boxes import pixel_boxes, scaled_boxes
from lightly_pipeline.video.crops import cropped, small_crop


def pixels_of(*boxes: tuple[float, ...], size: tuple[int, int] = (160, 120)) -> list[list[int]]:
    return pixel_boxes(np.array(boxes, dtype=np.float64).reshape(-1, 4), *size).tolist()


def test_a_box_has_all_pixels_that_it_touches_and_ends_at_the_edge_of_the_picture() -> None:
    assert pixels_of((10, 20, 30, 40)) == [[10, 20, 30, 40]]
    assert pixels_of((10.2, 20.9, 30, 0.05)) == [[10, 20, 31, 1]]
    assert pixels_of((-5, -5, 10, 10), (150, 100, 1e300, 50)) == [[0, 0, 5, 5], [150, 100, 10, 20]]
    assert pixels_of() == []


def test_thirds_of_a_picture_share_no_pixel() -> None:
    thirds = np.array([(k / 3, 0, 1 / 3, 1) for k in range(3)])
    boxes = pixel_boxes(scaled_boxes(thirds, 1920, 1080), 1920, 1080)
    assert boxes.tolist() == [[k * 640, 0, 640, 1080] for k in range(3)]


@pytest.mark.parametrize("box", [(160, 0, 10, 10), (-20, 0, 20, 10), (0, 500, 10, 10)])
def test_a_box_outside_of_the_picture_is_named(box: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"predictions\[1\]: the box .* outside .* 160 x 120"):
        pixels_of((0, 0, 1, 1), box)


def test_an_encoder_sees_what_is_in_the_box_and_nothing_else() -> None:
    picture = np.zeros((120, 160, 3), dtype=np.uint8)
    picture[20:60, 10:40] = (200, 100, 50)
    box = np.array([10, 20, 30, 40], dtype=np.int32)
    for wanted in (FrameInput(8, 8), FrameInput(8, 8, "bicubic", shorter_edge=10)):
        small = small_crop(cropped(picture, box), wanted)
        assert small.shape == (8, 8, 3)
        assert (small == (200, 100, 50)).all()
