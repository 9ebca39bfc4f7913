"""Which frames are trained on: a sample that no order and no thread shows in."""

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lightly_pipeline.config import LightlyConfig
from lightly_pipeline.training.options import TrainingOptions
from lightly_pipeline.training.sample import FrameSample

FRAMES = [(f"{video}.mp4", number) for video in range(5) for number in range(20)]
EDGE = 4


def picture(video: str, number: int) -> np.ndarray:
    return np.full((EDGE, EDGE, 3), hash((video, number)) % 251, np.uint8)


def sample_of(frames: list[tuple[str, int]], most: int = 30, seed: int = 1) -> np.ndarray:
    sample = FrameSample(seed, EDGE, most * EDGE * EDGE * 3)
    for video, number in frames:
        sample.offer(video, number, picture(video, number))
    assert sample.n_offered == len(frames)
    return sample.take()


@given(st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_in_which_frames_come_does_not_show(shuffled: random.Random) -> None:
    frames = list(FRAMES)
    shuffled.shuffle(frames)
    taken = sample_of(frames)
    assert len(taken) == 30
    assert (taken == sample_of(FRAMES)).all()


def test_the_seed_decides_which_frames_and_all_that_fit_are_taken_in_order() -> None:
    assert not (sample_of(FRAMES, seed=2) == sample_of(FRAMES)).all()
    everything = sample_of(FRAMES[::-1], most=1000)
    assert (everything == np.stack([picture(*frame) for frame in FRAMES])).all()


def test_the_frames_of_a_video_that_is_read_again_are_not_counted_twice() -> None:
    sample = FrameSample(1, EDGE, 1000 * EDGE * EDGE * 3)
    for video, number in FRAMES[:30]:
        sample.offer(video, number, np.zeros((EDGE, EDGE, 3), np.uint8))
    sample.forget("1.mp4")
    assert len(sample) == 20
    for video, number in FRAMES[20:30]:
        sample.offer(video, number, picture(video, number))
    taken = sample.take()
    assert not taken[:20].any()
    assert (taken[20:] == np.stack([picture(*frame) for frame in FRAMES[20:30]])).all()


def test_what_decides_over_the_weights_names_a_training_and_nothing_else_does() -> None:
    def identity(**blocks: dict[str, object]) -> str:
        return TrainingOptions.of(LightlyConfig.from_block(blocks, "lightly_config")).identity()

    plain = identity()
    for block in (
        {"loader": {"num_workers": 3}},
        {"trainer": {"gpus": 0}},
        {"model": {"name": "resnet18"}},
        {"checkpoint_callback": {"save_last": False}},
    ):
        assert identity(**block) == plain
    for block in (
        {"collate": {"cj_prob": 0.1}},
        {"criterion": {"temperature": 0.1}},
        {"loader": {"batch_size": 64}},
        {"model": {"name": "resnet-34"}},
        {"model": {"width": 2}},
        {"optimizer": {"lr": 0.1}},
        {"trainer": {"max_epochs": 7}},
    ):
        assert identity(**block) != plain
