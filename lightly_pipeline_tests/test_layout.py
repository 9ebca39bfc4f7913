"""Names are reversible where they must be and injective everywhere."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightly_pipeline.layout import (
    Resize,
    frame_name,
    frame_path,
    image_name,
    partition_key,
    table_folder,
    video_path,
)

PATHS = st.one_of(
    st.text(min_size=1, max_size=40),
    st.lists(
        st.sampled_from(["", ".", "..", "...", "a", "a.mp4", "%2E", "é", "a b", "x" * 300]),
        min_size=1,
        max_size=5,
    ).map("/".join),
).filter(lambda path: bool(path) and not re.search("[\ud800-\udfff]", path))


@given(PATHS)
def test_a_partition_key_leads_back_to_its_path(path: str) -> None:
    assert video_path(partition_key(path)) == path


@given(PATHS)
def test_partition_keys_are_fit_for_the_dagster_ui(path: str) -> None:
    key = partition_key(path)
    assert re.fullmatch(r"[A-Za-z0-9_./@:%-]+", key)
    assert "..." not in key
    assert "//" not in key
    assert not key.startswith("/")
    assert not {".", ".."} & set(key.split("/"))


def test_ordinary_paths_stay_readable() -> None:
    assert partition_key("cam-1/2024_01/video.mp4") == "cam-1/2024_01/video.mp4"
    assert partition_key("my video,é.mp4") == "my%20video%2C%C3%A9.mp4"


def test_names_that_are_not_utf8_survive() -> None:
    name = b"caf\xe9.mp4".decode("utf-8", "surrogateescape")
    assert partition_key(name) == "caf%E9.mp4"
    assert video_path("caf%E9.mp4") == name


@pytest.mark.parametrize(
    ("video", "index", "n_frames", "image_format", "expected"),
    [
        ("subdir/video_1.mp4", 99, 200, "png", "subdir/video_1-099-mp4.png"),
        ("video.mp4", 99, 1000, "png", "video-0099-mp4.png"),
        ("v.mp4", 3, 10, "png", "v-03-mp4.png"),
        ("dog_running_ball.mp4", 24, 290, "png", "dog_running_ball-024-mp4.png"),
        ("a.b.MP4", 12, 100, "jpg", "a.b-012-MP4.jpg"),
        ("v.mp4", 3, 9, "webp", "v-3-mp4.webp"),
    ],
)
def test_frame_names_are_lightlys(
    video: str, index: int, n_frames: int, image_format: str, expected: str
) -> None:
    assert frame_name(video, index, n_frames, image_format) == expected
    assert frame_path(video, index, n_frames, image_format) == f".lightly/frames/{expected}"


VIDEOS = st.tuples(PATHS, st.sampled_from([".mp4", ".MP4", ".avi"])).map("".join)


@given(a=VIDEOS, b=VIDEOS, i=st.integers(0, 99), j=st.integers(0, 99))
def test_two_frames_never_share_an_image(a: str, b: str, i: int, j: int) -> None:
    if (a, i) != (b, j):
        assert frame_path(a, i, 100, "png") != frame_path(b, j, 100, "png")


SIZES = st.none() | st.integers(1, 4320) | st.tuples(st.integers(1, 4320), st.integers(1, 8192))
MARKS = st.just("") | st.text("0123456789abcdef", min_size=16, max_size=16)


@given(VIDEOS, SIZES, MARKS, SIZES, MARKS)
def test_images_of_two_sizes_or_marks_never_share_a_path(
    video: str, a: Resize, mark_a: str, b: Resize, mark_b: str
) -> None:
    paths = [
        frame_path(video, 3, 10, "png", size, mark) for size, mark in ((a, mark_a), (b, mark_b))
    ]
    assert (paths[0] == paths[1]) == ((a, mark_a) == (b, mark_b))
    if not mark_a:
        assert image_name(paths[0]) == frame_name(video, 3, 10, "png")


@given(VIDEOS, st.integers(0, 9))
def test_no_image_name_upsets_a_store(video: str, index: int) -> None:
    for segment in frame_path(video, index, 10, "png").split("/"):
        assert segment not in ("", ".", "..")
        assert len(segment.encode("utf-8", "surrogateescape")) <= 255
        assert not re.search(r"[\x00-\x1f\x7f]", segment)
    assert frame_path(video, index, 10, "png").endswith(".png")


@given(PATHS, PATHS)
def test_tables_of_two_videos_never_share_a_folder(a: str, b: str) -> None:
    assert (table_folder("e", a) == table_folder("e", b)) == (a == b)
    assert re.fullmatch(r"\.lightly/tables/e/[0-9a-f]{2}/[0-9a-f]{64}", table_folder("e", a))
