"""Boxes become whole pixels of a picture."""

import av
import numpy as np
import pytest

from lightly_pipeline.video import FrameInput, open_video
from lightly_pipeline.video.boxes import pixel_boxes, scaled_boxes
from lightly_pipeline.video.crops import cropped, small_crop
from lightly_pipeline.video.orientation import UPRIGHT, Orientation
from lightly_pipeline.video.parts import pixels_in
from lightly_pipeline.video.pixels import FullImages
from lightly_pipeline_tests.support.videos import VideoFolder


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


@pytest.mark.parametrize(
    "name",
    [
        *("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"),
        *("yuv420p10le", "yuv422p10le", "yuv410p", "nv12", "gray", "rgb24", "pal8"),
    ],
)
@pytest.mark.parametrize("size", [(640, 480), (854, 470), (161, 121)])
def test_crops_have_the_pixels_of_the_whole_picture(name: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    frame = av.VideoFrame(*size, name)
    for plane in frame.planes:
        noise = rng.integers(0, 256, len(memoryview(plane)), dtype=np.uint8)
        if "10" in name:
            noise = rng.integers(0, 1024, len(noise) // 2, dtype=np.uint16).view(np.uint8)
        np.frombuffer(plane, np.uint8)[:] = noise
    images = FullImages("by_height")
    turned = Orientation(transpose=True, mirror_x=True)
    for orientation in (UPRIGHT, turned):
        whole = images.of(frame, orientation)
        height, width = whole.shape[:2]
        for _ in range(10):
            x, y = rng.integers(0, width - 60), rng.integers(0, height - 60)
            boxes = np.array([(x, y, *rng.integers(1, 60, 2)), (width - 9, height - 9, 9, 9)])
            found = pixels_in(images, frame, orientation, boxes.astype(np.int32))
            assert all(
                np.array_equal(part, cropped(whole, box))
                for part, box in zip(found, boxes, strict=True)
            )


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("h264.mp4", "h265.hevc", "mpeg2.mpg", "vp9.webm", "av1.mp4", "mjpeg.mov", "prores.mov"),
        *("dv.mov", "raw-uyvy.mov", "cinepak.mov", "qtrle-alpha.mov", "smc.mov", "svq1.mov"),
    ],
)
def test_crops_of_decoded_frames_have_the_pixels_of_the_whole(
    fixture_videos: VideoFolder, name: str
) -> None:
    boxes = np.array([(3, 5, 20, 30), (100, 61, 21, 13), (0, 90, 1, 1)], dtype=np.int32)
    with open_video(fixture_videos[name]) as video:
        for frame in video.frames():
            whole = frame.to_rgb()
            parts = [crop for box in boxes for crop in frame.crops(box[None])]
            for found in (frame.crops(boxes), parts):
                for crop, box in zip(found, boxes, strict=True):
                    assert np.array_equal(crop, cropped(whole, box))
            if frame.index == 5:
                return
