"""An image is measured and scaled as a frame of a video is."""

from pathlib import Path

import numpy as np
import pytest

from lightly_pipeline.errors import CorruptImageError
from lightly_pipeline.images.decoding import read_rgb
from lightly_pipeline.images.frames import ImageFrames
from lightly_pipeline.images.isolated import IsolatedImages
from lightly_pipeline.video import FrameInput, open_video
from lightly_pipeline_tests.support.decoders import decoding_children
from lightly_pipeline_tests.support.pictures import encoded, picture
from lightly_pipeline_tests.support.videos import VideoFolder

WANTED = FrameInput(32, 24)


def test_the_image_of_a_frame_is_nearly_that_frame(fixture_videos: VideoFolder) -> None:
    with open_video(fixture_videos["h264.mp4"]) as video:
        frames = [(frame.row, frame.small, frame.to_rgb()) for frame in video.frames(WANTED)]
    images = ImageFrames(WANTED)
    for row, small, rgb in frames[:8]:
        image = images.of(read_rgb(encoded(rgb, "PNG")), row.index)
        assert (image.row.width, image.row.height) == (row.width, row.height)
        assert np.abs(image.small.astype(int) - small).mean() < 1
        for name in ("luminance", "contrast", "mean_red", "sharpness"):
            assert getattr(image.row.quality, name) == pytest.approx(
                getattr(row.quality, name), rel=0.05, abs=0.5
            )


def test_equal_pixels_have_one_checksum_whatever_the_format() -> None:
    images = ImageFrames(WANTED)
    files = [encoded(picture(3), image_format) for image_format in ("PNG", "BMP", "TIFF")]
    sums = {images.of(read_rgb(file), 0).row.checksum for file in files}
    other = images.of(picture(4), 0).row.checksum
    assert len(sums) == 1
    assert other not in sums


def test_numbers_of_an_image_do_not_depend_on_those_before_it() -> None:
    pictures = [np.zeros((64, 96, 3), np.uint8), *(picture(seed) for seed in range(40))]
    together = ImageFrames(WANTED)
    rows = [together.of(rgb, 0).row for rgb in pictures * 2]
    assert rows == [ImageFrames(WANTED).of(rgb, 0).row for rgb in pictures * 2]


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 500), (500, 1)])
def test_pictures_of_a_few_pixels_have_numbers_too(size: tuple[int, int]) -> None:
    frame = ImageFrames(WANTED).of(np.full((*size, 3), 255, np.uint8), 0)
    assert frame.row.quality.luminance == pytest.approx(100)
    assert frame.small is not None
    assert frame.small.min() > 250


def test_a_child_process_decodes_the_same(tmp_path: Path) -> None:
    files = [encoded(picture(seed), "PNG") for seed in range(3)]
    here = ImageFrames(WANTED)
    with IsolatedImages(WANTED) as children:
        for index, file in enumerate(files):
            there, own = children.of(file, index), here.of(read_rgb(file), index)
            assert there.row == own.row
            assert np.array_equal(there.small, own.small)
        with pytest.raises(CorruptImageError, match="not an image"):
            children.of(b"text", 3)


def test_an_image_that_kills_its_child_is_corrupt_and_the_next_is_read() -> None:
    with IsolatedImages(WANTED, memory_bytes=1) as children:
        with pytest.raises(CorruptImageError, match=r"crashed|memory"):
            children.of(encoded(picture(1, 2000, 2000), "PNG"), 0)
        with pytest.raises(CorruptImageError, match=r"crashed|memory"):
            children.of(encoded(picture(1, 2000, 2000), "PNG"), 1)


def test_an_image_that_takes_too_long_is_corrupt_and_the_next_is_read() -> None:
    image = encoded(picture(1), "PNG")
    with IsolatedImages(WANTED, deadline_s=10) as children:
        children.of(image, 0)
        for child in decoding_children():
            child.suspend()
        with pytest.raises(CorruptImageError, match="took over 10 s"):
            children.of(image, 1)
        assert children.of(image, 2).row.index == 2
