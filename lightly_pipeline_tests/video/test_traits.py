"""Traits of real files that break a naive reader: the frames are right, and fetched exactly."""

import random
from pathlib import Path

import pytest

from lightly_pipeline.video import FrameInput, FrameRow, VideoInfo, open_video
from lightly_pipeline_tests.support.traits import TRAITS_BY_NAME, irregular_pts
from lightly_pipeline_tests.support.videos import number_of

pytestmark = pytest.mark.slow

SIZES = {"late-stream.mpg": (80, 60), "odd-size.mp4": (161, 121), "odd-size.webm": (161, 121)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traits")


def read(path: Path) -> tuple[list[FrameRow], VideoInfo]:
    with open_video(path) as video:
        return list(video.index().rows), video.info


@pytest.mark.parametrize("name", TRAITS_BY_NAME)
def test_the_frames_of_a_trait_are_right_and_fetched_exactly(folder: Path, name: str) -> None:
    trait = TRAITS_BY_NAME[name]
    with open_video(trait.make(folder)) as video:
        frames = list(video.frames(FrameInput(*SIZES.get(name, (160, 120)), "bicubic")))
        assert tuple(number_of(f.small) for f in frames) == trait.numbers
        pts = [f.pts for f in frames]
        if trait.pts == "all":
            assert None not in pts
            assert pts == sorted(set(pts))
        elif trait.pts == "none":
            assert set(pts) == {None}
        else:
            assert pts != sorted(set(pts))
        wanted = random.Random(name).sample(range(len(frames)), 12)
        fetched = list(video.fetch(wanted))
    assert [f.index for f in fetched] == wanted
    assert [number_of(f.to_rgb()) for f in fetched] == [trait.numbers[i] for i in wanted]
    if trait.rung is not None:
        assert {f.rung for f in fetched} == {trait.rung}


@pytest.mark.parametrize("name", [n for n in TRAITS_BY_NAME if n.startswith("variable-rate")])
def test_times_of_a_variable_rate_are_the_files_own(folder: Path, name: str) -> None:
    rows, _ = read(TRAITS_BY_NAME[name].make(folder))
    times = [row.time_s for row in rows]
    expected = [irregular_pts(number) / 1000 for number in range(len(rows))]
    shift = times[0] - expected[0]
    assert times == pytest.approx([time + shift for time in expected], abs=0.002)


@pytest.mark.parametrize(
    ("name", "first_s"),
    [
        ("late-pts.mp4", 10.0),
        ("late-pts.webm", 10.0),
        # The counter of 33 bits starts again: what came before is before zero.
        ("wrap.mpg", 95442 - 2**33 / 90000),
        ("edit-list.mp4", 0),
    ],
)
def test_times_begin_where_the_file_says(folder: Path, name: str, first_s: float) -> None:
    rows, _ = read(TRAITS_BY_NAME[name].make(folder))
    # B-frames delay the first picture.
    assert rows[0].time_s == pytest.approx(first_s, abs=0.1)
    assert rows[-1].time_s - rows[0].time_s == pytest.approx((len(rows) - 1) / 25, abs=0.01)


@pytest.mark.parametrize("name", [n for n in TRAITS_BY_NAME if n.startswith("size-change")])
def test_every_row_has_its_own_size(folder: Path, name: str) -> None:
    rows, _ = read(TRAITS_BY_NAME[name].make(folder))
    sizes = [(row.width, row.height) for row in rows]
    assert sizes == [(160, 120)] * 20 + [(80, 60)] * 20 + [(160, 120)] * 20


def test_still_pictures_are_passed_over_and_the_default_stream_is_read(folder: Path) -> None:
    for name, place in (("cover-art.mp4", 0), ("two-streams.mp4", 1)):
        rows, info = read(TRAITS_BY_NAME[name].make(folder))
        assert info.stream == f"{place} of 2 video streams"
        assert (info.width, info.height) == (160, 120)
        assert len(rows) == 60


def test_a_file_without_duration_says_so(folder: Path) -> None:
    _, info = read(TRAITS_BY_NAME["no-duration.webm"].make(folder))
    assert info.duration_s is None


def test_what_is_inside_decides_and_not_the_name(folder: Path) -> None:
    containers = {
        "mp4-in.avi": "mov",
        "avi-in.mp4": "avi",
        "transport-stream.mpg": "mpegts",
        "elementary.mpg": "mpegvideo",
    }
    for name, container in containers.items():
        _, info = read(TRAITS_BY_NAME[name].make(folder))
        assert info.container.startswith(container)
