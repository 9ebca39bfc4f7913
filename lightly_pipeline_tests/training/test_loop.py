"""The loop on frames in memory: batches, generators, and going on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from lightly_pipeline.config import LightlyConfig
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.training.loop import Training
from lightly_pipeline.training.options import TrainingOptions
from lightly_pipeline_tests.support.training import SMALL

pytestmark = pytest.mark.slow
N_FRAMES = 11
IMAGES = np.random.default_rng(3).integers(0, 255, (N_FRAMES, 40, 40, 3), np.uint8)


def options(**blocks: dict[str, object]) -> TrainingOptions:
    merged = SMALL | {key: {**SMALL.get(key, {}), **block} for key, block in blocks.items()}
    return TrainingOptions.of(LightlyConfig.from_block(merged, "lightly_config"))


def trained(wanted: TrainingOptions) -> tuple[Training, list[int]]:
    training, batches = Training(IMAGES, wanted), list[int]()
    while training.n_left:
        training.run_epoch(batches.append)
    return training, batches


@pytest.mark.parametrize(
    ("loader", "batches"),
    [
        # Fewer frames than a batch: they are one.
        ({"batch_size": 30, "drop_last": True}, [11]),
        ({"batch_size": 4, "drop_last": True}, [4, 4]),
        ({"batch_size": 4, "drop_last": False}, [4, 4, 3]),
        # A frame alone has no other to be told apart from.
        ({"batch_size": 5, "drop_last": False}, [5, 5]),
    ],
)
def test_batches_are_those_of_the_options(loader: dict[str, object], batches: list[int]) -> None:
    one = {"max_epochs": 1}
    assert trained(options(loader=loader, trainer=one))[1] == batches


def test_the_loss_falls() -> None:
    random = np.random.default_rng(1)
    colours = [Image.fromarray(random.integers(0, 256, (3, 3, 3), np.uint8)) for _ in range(16)]
    images = np.stack([np.asarray(c.resize((40, 40), Image.Resampling.BICUBIC)) for c in colours])
    views = {"cj_prob": 0.0, "random_gray_scale": 0.0, "gaussian_blur": 0.0, "min_scale": 0.6}
    wanted = options(collate=views, loader={"batch_size": 16}, trainer={"max_epochs": 8})
    training = Training(images, wanted)
    while training.n_left:
        training.run_epoch(lambda _: None)
    # By more than 1 from every seed that was tried.
    assert training.losses[-1] < training.losses[0] - 0.5


def test_what_others_draw_does_not_show_and_nobody_s_generator_is_moved() -> None:
    first, _ = trained(options())
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002  the library draws from here
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    threads = torch.get_num_threads()
    second, _ = trained(options())
    assert second.checkpoint() == first.checkpoint()
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()  # noqa: NPY002
    assert torch.get_num_threads() == threads
    other, _ = trained(replace(options(), seed=3))
    assert other.checkpoint() != first.checkpoint()


def test_a_training_goes_on_from_its_state_as_if_it_had_not_been_interrupted() -> None:
    whole, _ = trained(options())
    begun = Training(IMAGES, options())
    begun.run_epoch(lambda _: None)
    resumed = Training(IMAGES, options())
    resumed.go_on(begun.state())
    assert resumed.n_left == 2
    while resumed.n_left:
        resumed.run_epoch(lambda _: None)
    assert resumed.losses == whole.losses
    assert resumed.checkpoint() == whole.checkpoint()
    with pytest.raises(LightlyPipelineError, match="a kept training cannot be read"):
        resumed.go_on(b"no state")


@pytest.mark.parametrize("name", ["resnet-9", "resnet-18", "resnet-50"])
@pytest.mark.parametrize("width", [1, 2])
def test_every_network_trains_at_every_width(name: str, width: int) -> None:
    model = {"name": name, "width": width, "num_ftrs": 8}
    training = Training(IMAGES[:4], options(model=model))
    assert np.isfinite(training.run_epoch(lambda _: None).loss)
