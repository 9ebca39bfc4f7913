"""Traits of real files that break a naive reader: the frames are right, and fetched exactly."""

import random
from pathlib import Path

import pytest

from lightly_pipeline.video import FrameInput, open_video
from lightly_pipeline_tests.support.traits import TRAITS_BY_NAME
from lightly_pipeline_tests.support.videos import number_of

SIZES = {"late-stream.mpg": (80, 60), "odd-size.mp4": (161, 121), "odd-size-420.webm": (161, 121)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traits")


@pytest.mark.parametrize("name", TRAITS_BY_NAME)
def test_the_frames_of_a_trait_are_right_and_fetched_exactly(folder: Path, name: str) -> None:
    trait = TRAITS_BY_NAME[name]
    with open_video(trait.make(folder)) as video:
        frames = list(video.frames(FrameInput(*SIZES.get(name, (160, 120)), "bicubic")))
        print(video.info, video.report)
        assert tuple(number_of(f.small) for f in frames) == trait.numbers
        pts = [f.pts for f in frames]
        print(pts)
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
    print({f.rung for f in fetched})
    if trait.rung is not None:
        assert {f.rung for f in fetched} == {trait.rung}
