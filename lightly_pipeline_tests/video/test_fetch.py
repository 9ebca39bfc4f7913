"""Frames of one pass, and the same frames fetched again."""

import io
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lightly_pipeline.errors import CorruptVideoError, FrameChangedError
from lightly_pipeline.video import FrameIndex, open_video
from lightly_pipeline_tests.support.videos import (
    BY_NAME,
    VideoFolder,
    make_video,
    number_of,
)

pytestmark = pytest.mark.slow


def index_of(path: Path) -> FrameIndex:
    with open_video(path) as video:
        return video.index()


def test_fetched_pixels_are_those_of_sequential_decoding(fixture_videos: VideoFolder) -> None:
    with open_video(fixture_videos["h264.mp4"]) as video:
        passing = {f.index: f.to_rgb() for f in video.frames()}
        fetched = {f.index: f.to_rgb() for f in video.fetch(passing)}
    assert passing.keys() == fetched.keys()
    assert all(np.array_equal(passing[i], fetched[i]) for i in passing)


def test_frames_are_fetched_in_the_order_asked_for(fixture_videos: VideoFolder) -> None:
    wanted = [7, 30, 2, 30, 2]
    path = fixture_videos["h264.mp4"]
    with open_video(path, index=index_of(path)) as video:
        fetched = list(video.fetch(wanted))
        assert [f.index for f in fetched] == [number_of(f.to_rgb()) for f in fetched] == wanted
        assert [f.index for f in video.fetch(wanted, ordered=False)] == [2, 7, 30]
        rows = video.index().rows
    assert [(f.pts, f.time_s) for f in fetched] == [(rows[i].pts, rows[i].time_s) for i in wanted]


def test_a_frame_that_does_not_exist_is_named(fixture_videos: VideoFolder) -> None:
    with open_video(fixture_videos["h264.mp4"]) as video:
        with pytest.raises(IndexError, match="no frame 40: the video has frames 0 to 39"):
            list(video.fetch([3, 40]))
        with pytest.raises(IndexError, match="no frame -1"):
            list(video.fetch([-1]))
        assert list(video.fetch([])) == []


def test_a_picture_of_a_pass_is_there_until_the_next_frame(fixture_videos: VideoFolder) -> None:
    with open_video(fixture_videos["h264.mp4"]) as video:
        frames = video.frames()
        first = next(frames)
        assert number_of(first.to_rgb()) == 0
        second = next(frames)
        assert (second.index, second.pts, second.time_s) == (1, second.row.pts, second.row.time_s)
        with pytest.raises(RuntimeError, match=r"went on from frame 0.*fetch\(\[0\]\)"):
            first.to_rgb()


def test_seeking_serves_ordinary_files(fixture_videos: VideoFolder) -> None:
    for name in ("h264.mp4", "h264.mov", "vp9.webm", "h265.mp4"):
        with open_video(fixture_videos[name]) as video:
            assert {f.rung for f in video.fetch([30, 5])} == {"seek"}


def test_a_changed_file_is_an_error_and_never_another_picture(tmp_path: Path) -> None:
    first = make_video(tmp_path, BY_NAME["h264.mp4"], "a.mp4", seed=1)
    other = make_video(tmp_path, BY_NAME["h264.mp4"], "b.mp4", seed=2)
    with (
        open_video(other, index=index_of(first)) as video,
        pytest.raises(FrameChangedError, match="frames 3, 7"),
    ):
        list(video.fetch([7, 3]))


def test_a_reader_without_name_serves_like_a_path(fixture_videos: VideoFolder) -> None:
    path = fixture_videos["h264.mp4"]
    index = index_of(path)
    with open_video(io.BytesIO(path.read_bytes())) as video:
        assert [f.row for f in video.frames()] == index.rows
        assert [f.index for f in video.fetch([9])] == [9]


INDEXED = ("h264.mp4", "h264.avi", "h264.mpg", "h265.hevc", "vp9.webm", "mpeg4.avi", "qtrle.mov")


@given(name=st.sampled_from(INDEXED), wanted=st.lists(st.integers(0, 39), max_size=12))
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_indices_give_exactly_these_frames(
    fixture_videos: VideoFolder, name: str, wanted: list[int]
) -> None:
    path = fixture_videos[name]
    with open_video(path, index=index_of(path)) as video:
        assert [number_of(frame.to_rgb()) for frame in video.fetch(wanted)] == wanted


@pytest.mark.parametrize("name", INDEXED)
def test_a_file_changed_by_a_byte_gives_the_same_frames_or_an_error(
    fixture_videos: VideoFolder, name: str
) -> None:
    content = fixture_videos[name].read_bytes()
    with open_video(io.BytesIO(content)) as video:
        index = video.index()
        pictures = {frame.index: frame.to_rgb() for frame in video.fetch(range(40))}
    rng = random.Random(name)
    n_changed = 0
    for _ in range(12):
        changed = bytearray(content)
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        found, missing = fetched_or_named(bytes(changed), index)
        assert found.keys() | missing == set(range(40))
        assert not found.keys() & missing
        assert all(np.array_equal(found[i], pictures[i]) for i in found)
        n_changed += bool(missing)
    assert n_changed


def fetched_or_named(
    content: bytes, index: FrameIndex
) -> tuple[dict[int, NDArray[np.uint8]], set[int]]:
    """Returns the pictures that come out, and the indices that an error names."""
    found: dict[int, NDArray[np.uint8]] = {}
    try:
        with open_video(io.BytesIO(content), index=index) as video:
            for frame in video.fetch(range(len(index.rows)), ordered=False):
                found[frame.index] = frame.to_rgb()
    except FrameChangedError as error:
        return found, set(error.indices)
    except CorruptVideoError:
        return found, set(range(len(index.rows))) - found.keys()
    return found, set()
