"""Runs that train: the loss is told, the model embeds, and is used again where it counts."""

import io
import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision

from lightly_pipeline import Dataset, run
from lightly_pipeline.embedding import encoder_spec
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.extras import is_installed
from lightly_pipeline.layout import run_path
from lightly_pipeline.steps.listener import SilentListener
from lightly_pipeline.steps.processing import ProcessResult
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.training import models
from lightly_pipeline.training.models import model_of_run
from lightly_pipeline_tests.support.selections import chosen
from lightly_pipeline_tests.support.training import (
    SMALL,
    TRAIN,
    N,
    dataset_of,
    weights,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(
    videos: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[tuple[str, int]]]:
    """A folder in which a run has trained, and the frames that it chose."""
    out = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIGHTLY_PIPELINE_ENCODERS", str(tmp_path_factory.mktemp("encoders")))
        result = run(dataset_of(videos, out), TRAIN, SMALL, N, run_id="first")
    assert result.seconds.keys() >= {"catalog", "train", "decode_and_embed"}
    assert set(result.corrupt_videos) == {"broken.mp4"}
    return out, chosen(result)


@pytest.fixture
def dataset(trained: tuple[Path, list[tuple[str, int]]], videos: Path, tmp_path: Path) -> Dataset:
    """A copy of it."""
    shutil.copytree(trained[0], tmp_path / "out")
    return dataset_of(videos, tmp_path / "out")


@pytest.fixture
def fewer(dataset: Dataset, tmp_path: Path) -> Dataset:
    """The same LIGHTLY with two of the three videos."""
    shutil.copytree(dataset.input.location(""), tmp_path / "fewer")
    (tmp_path / "fewer" / "2.mp4").unlink()
    return dataset_of(tmp_path / "fewer", Path(dataset.lightly.location("")))


def loaded(dataset: Dataset, checkpoint: str) -> dict[str, Any]:
    content = io.BytesIO(dataset.lightly.read(checkpoint))
    return dict(torch.load(content, weights_only=True))


def summary(dataset: Dataset, run_id: str) -> dict[str, Any]:
    manifest = json.loads(dataset.lightly.read(run_path(run_id, "manifest.json")))
    return dict(manifest["summary"])


def test_the_loss_is_told(dataset: Dataset) -> None:
    model = model_of_run(dataset.lightly, "first")
    assert model is not None
    assert (model.name, model.n_frames, model.n_videos, model.run_id) == (
        "resnet-9",
        120,
        4,
        "first",
    )
    assert len(model.losses) == 3
    log = dataset.lightly.read(run_path("first", "log.txt")).decode()
    for number, loss in enumerate(model.losses, 1):
        assert f"epoch {number} of 3: loss {loss:.4f}" in log
    assert "broken.mp4: not trained on: " in log
    assert summary(dataset, "first")["trained_model"]["final_loss"] == round(model.losses[2], 4)


def test_the_same_frames_and_weights_come_out_of_another_folder_on_other_threads(
    dataset: Dataset,
    trained: tuple[Path, list[tuple[str, int]]],
    videos: Path,
    tmp_path: Path,
) -> None:
    other = dataset_of(videos, tmp_path / "other")
    worker = TRAIN | {"num_threads": 1}
    # Views that are made in other processes are the same ones.
    config = SMALL | {"loader": SMALL["loader"] | {"num_workers": 2}}
    result = run(other, worker, config, N, run_id="second")
    assert weights(other, "second") == weights(dataset, "first")
    assert chosen(result) == trained[1]


def test_the_same_videos_and_options_are_not_trained_on_again(
    dataset: Dataset, trained: tuple[Path, list[tuple[str, int]]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    result = run(dataset, TRAIN, SMALL, N, run_id="again")
    assert "run first has trained the model on the same videos: it is used" in caplog.text
    assert "epoch 1" not in caplog.text
    assert result.n_decoded_videos == 0
    assert chosen(result) == trained[1]
    assert model_of_run(dataset.lightly, "again") == model_of_run(dataset.lightly, "first")


def test_a_run_s_model_embeds_for_others_and_says_what_it_is(
    dataset: Dataset, trained: tuple[Path, list[tuple[str, int]]], tmp_path: Path
) -> None:
    result = run(dataset, {"checkpoint_run_id": "first"}, {"trainer": {"gpus": 0}}, N)
    assert result.n_decoded_videos == 0
    assert chosen(result) == trained[1]
    assert summary(dataset, result.run_id)["trained_model"]["trained_by_run"] == "first"
    page = dataset.lightly.read(run_path(result.run_id, "report.html")).decode()
    assert "resnet-9, trained by run first on 120 frames in 3 epochs" in page
    file = tmp_path / "model.ckpt"
    file.write_bytes(dataset.lightly.read(run_path("first", "checkpoint.ckpt")))
    by_onnx = encoder_spec(None, checkpoint=str(file), gpus=0).by_onnx
    assert by_onnx is is_installed("onnx", "onnxruntime")
    elsewhere = dataset_of(Path(dataset.input.location("")), tmp_path / "elsewhere")
    result = run(elsewhere, {"checkpoint": str(file)}, {"trainer": {"gpus": 0}}, N)
    assert chosen(result) == trained[1]
    with pytest.raises(InvalidConfigurationError, match=r"a resnet-9: leave out .* or set it to"):
        run(elsewhere, {"checkpoint": str(file)}, {"model": {"name": "resnet-18"}}, N)
    with pytest.raises(InvalidConfigurationError, match="nobody is no run of dataset cams that"):
        run(dataset, {"checkpoint_run_id": "nobody"}, selection_config=N)


def test_a_checkpoint_is_of_use_without_this_package(dataset: Dataset) -> None:
    document = loaded(dataset, run_path("first", "checkpoint.ckpt"))
    said = document["hyper_parameters"]
    assert (said["name"], said["num_ftrs"], said["input_size"]) == ("resnet-9", 16, 32)
    assert (said["epochs"], said["n_frames"]) == (3, 120)
    resnet = torchvision.models.resnet
    network = resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1], num_classes=said["num_ftrs"])
    state = {
        key.removeprefix("backbone."): tensor
        for key, tensor in document["state_dict"].items()
        if key.startswith("backbone.")
    }
    network.load_state_dict(state)
    assert network.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 16)


def test_other_videos_are_trained_on_and_training_starts_where_it_is_told(
    fewer: Dataset, dataset: Dataset, tmp_path: Path
) -> None:
    # Steps so small that where they began can be seen.
    one = SMALL | {"trainer": {"max_epochs": 1, "gpus": 0}, "optimizer": {"lr": 1e-12}}
    run(fewer, TRAIN | {"checkpoint_run_id": "first"}, one, N, run_id="more")
    first, more = (model_of_run(fewer.lightly, run_id) for run_id in ("first", "more"))
    assert first is not None
    assert more is not None
    assert (more.run_id, more.n_frames) == ("more", 80)
    ended, begun = (loaded(fewer, m.checkpoint)["state_dict"] for m in (first, more))
    assert torch.allclose(ended["backbone.fc.weight"], begun["backbone.fc.weight"], atol=1e-6)
    wider = one | {"model": SMALL["model"] | {"width": 2}}
    with pytest.raises(InvalidConfigurationError, match="no resnet-9 of width 2 can start from it"):
        run(fewer, TRAIN | {"checkpoint_run_id": "first"}, wider, N)
    run(fewer, TRAIN, wider, N, run_id="wide")
    # A damaged copy on this machine is not used, nor is the damaged original.
    model = model_of_run(fewer.lightly, "wide")
    assert model is not None
    fewer.lightly.write(model.checkpoint, b"damaged")
    shutil.rmtree(tmp_path / "encoders" / "trained")
    with pytest.raises(LightlyPipelineError, match="is damaged: its hash is not the one"):
        run(fewer, {"checkpoint_run_id": "wide"}, selection_config=N)


def test_a_run_says_which_model_it_embedded_with_whatever_others_train_meanwhile(
    fewer: Dataset, dataset: Dataset
) -> None:
    class Meanwhile(SilentListener):
        """Another run trains with the same options, on other videos, before this one chooses."""

        def processed(self, _: Run, __: ProcessResult) -> None:
            run(fewer, TRAIN, SMALL, N, run_id="meanwhile")

    run(dataset, TRAIN, SMALL, N, run_id="slow", listener=Meanwhile())
    assert summary(fewer, "meanwhile")["trained_model"]["trained_by_run"] == "meanwhile"
    assert summary(dataset, "slow")["trained_model"]["trained_by_run"] == "first"


def test_a_datapool_keeps_its_model(dataset: Dataset, tmp_path: Path) -> None:
    videos = tmp_path / "growing"
    shutil.copytree(dataset.input.location(""), videos)
    growing = dataset_of(videos, Path(dataset.lightly.location("")))
    pool = TRAIN | {"use_datapool": True}
    run(growing, pool, SMALL, N, run_id="pool")
    shutil.copy(videos / "0.mp4", videos / "new.mp4")
    result = run(growing, pool, SMALL, N, run_id="later")
    assert result.n_decoded_videos == 1
    later = model_of_run(growing.lightly, "later")
    assert later is not None
    assert later.run_id == "first"


def test_a_model_that_is_gone_is_trained_again(dataset: Dataset) -> None:
    Path(dataset.lightly.location(run_path("first", "checkpoint.ckpt"))).unlink()
    run(dataset, TRAIN, SMALL, N, run_id="anew")
    model = model_of_run(dataset.lightly, "anew")
    assert model is not None
    assert model.run_id == "anew"
    # Same seed, same weights.
    first = model_of_run(dataset.lightly, "first")
    assert first is not None
    assert model.sha256 == first.sha256


def test_too_few_frames_and_a_loss_without_bounds_are_told(videos: Path, tmp_path: Path) -> None:
    sampling = {"frame_sampling": {"every_nth": 100}}
    one = tmp_path / "one"
    one.mkdir()
    shutil.copy(videos / "0.mp4", one)
    with pytest.raises(LightlyPipelineError, match=r"1 frame\(s\) are too few to train on"):
        run(dataset_of(one, tmp_path / "a"), TRAIN, SMALL, N, sampling)
    wild = SMALL | {"optimizer": {"lr": 1e30}}
    with pytest.raises(LightlyPipelineError, match=r"lower lightly_config.optimizer.lr"):
        run(dataset_of(videos, tmp_path / "b"), TRAIN, wild, N)


def test_images_are_trained_on(tmp_path: Path) -> None:
    from PIL import Image

    from lightly_pipeline import DatasetType

    random = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(12):
        picture = random.integers(0, 255, (40, 50, 3), np.uint8)
        Image.fromarray(picture).save(tmp_path / "in" / f"{number}.png")
    (tmp_path / "in" / "broken.png").write_bytes(b"no image")
    dataset = dataset_of(tmp_path / "in", tmp_path / "out", dataset_type=DatasetType.IMAGES)
    result = run(dataset, TRAIN, SMALL, {"n_samples": 3}, run_id="images")
    assert result.n_selected == 3
    model = models.model_of_run(dataset.lightly, "images")
    assert model is not None
    assert model.n_frames == 12
