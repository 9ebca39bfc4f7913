"""Which frame an image of another tool is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightly_pipeline.intake.names import FrameFinder
from lightly_pipeline.layout import frame_name

VIDEOS = ("b.mp4", "sub/b.mp4", "sub/c.MOV", "x.y/rear-left.mp4", "1/twin.mp4", "2/twin.mp4")


@given(
    st.sampled_from(VIDEOS),
    st.integers(0, 11),
    st.sampled_from(["png", "JPG", "tif"]),
    st.sampled_from(["", "images/", "/data/day 1/", "s3/bucket/.lightly/frames/", "C:\\x\\"]),
)
def test_a_frames_name_is_found_behind_any_folders(
    video: str, index: int, ending: str, folders: str
) -> None:
    image = frame_name(video, index, 12, ending)
    expected = frame_name(video, index, 12, "png")
    assert FrameFinder(VIDEOS).frame_of(folders + image) == expected


def test_the_name_of_a_file_alone_tells_the_video_where_it_is_the_only_one() -> None:
    finder = FrameFinder(VIDEOS)
    assert finder.frame_of("c-07-MOV.png") == "sub/c-07-MOV.png"
    assert finder.frame_of("labels/c-07-MOV") == "sub/c-07-MOV.png"
    with pytest.raises(ValueError, match=r"2 files are called twin\.mp4"):
        finder.frame_of("twin-07-mp4.png")
    with pytest.raises(ValueError, match="no such video"):
        finder.frame_of("sub/d-07-mp4.png")
    with pytest.raises(ValueError, match="no name of a frame"):
        finder.frame_of("frame_000017.png")


def test_where_no_videos_are_known_names_are_taken_as_they_are() -> None:
    assert FrameFinder(None).frame_of("any/where-07-mp4.png") == "any/where-07-mp4.png"
    with pytest.raises(ValueError, match="no name of a frame"):
        FrameFinder(None).frame_of("any/where.png")


def test_an_image_of_a_dataset_of_images_is_itself() -> None:
    finder = FrameFinder(["a.jpg", "sub/b-07-mp4.png", "sub/a.png"])
    assert finder.frame_of("images/sub/a.png") == "sub/a.png"
    assert finder.frame_of("a.jpg") == "a.jpg"
    assert finder.frame_of("b-07-mp4.png") == "sub/b-07-mp4.png"
    with pytest.raises(ValueError, match="no name of a frame"):
        finder.frame_of("c.jpg")
