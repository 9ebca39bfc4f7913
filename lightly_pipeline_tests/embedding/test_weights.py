"""Weights on this machine and in LIGHTLY: found, refused, copied, never downloaded unasked."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lightly_pipeline import LocalDatasource, run
from lightly_pipeline.cli import main
from lightly_pipeline.embedding import encoder_spec, load_encoder, provide_weights
from lightly_pipeline.embedding.families.torchvision import network
from lightly_pipeline.embedding.spec import NetworkInput
from lightly_pipeline.embedding.weights import (
    Fetched,
    keep_fetched,
    known_weights,
    publish,
    weights_file,
)
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.video import FrameInput
from lightly_pipeline_tests.embedding.test_encoders import frames
from lightly_pipeline_tests.embedding.test_families import dataset

pytestmark = pytest.mark.slow
NAME = "mobilenet_v3_small"


@pytest.fixture(autouse=True)
def folder(encoders_folder: Path) -> Path:
    return encoders_folder


def keep() -> None:
    """Keeps random weights as if they had been fetched."""
    torch.manual_seed(0)
    built, dim, is_head = network(NAME)
    state = {key: value for key, value in built.state_dict().items() if not is_head(key)}
    wanted = NetworkInput(dim, FrameInput(224, 224, "bilinear"))
    keep_fetched(NAME, Fetched(state, wanted, "none", "random numbers"))


def test_nothing_is_downloaded_by_a_run(tmp_path: Path) -> None:
    data = dataset(tmp_path)
    with pytest.raises(LightlyPipelineError, match=rf"encoder fetch {NAME}.*default encoder"):
        run(data, lightly_config={"model": {"name": NAME}})
    assert not list((tmp_path / "out").rglob("outcome.json"))


def test_a_fetch_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert main(["encoder", "fetch", NAME]) == 1
    assert known_weights(NAME) is None
    assert main(["encoder", "fetch", "default"]) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm/resnet_18x", "timm has no network 'resnet_18x'"),
        ("open_clip/ViT-B-33/openai", "did you mean ViT-B-32"),
        ("resnet-19", "did you mean resnet-1"),
    ],
)
def test_a_misspelt_name_is_not_taken_for_a_failed_download(
    name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encoder", "fetch", name]) == 2
    assert message in capsys.readouterr().err


def test_fetched_weights_are_found_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    keep()
    spec = encoder_spec(NAME)
    assert spec.dim == 1024
    assert load_encoder(spec).encode(frames(2, 224)).shape == (2, 1024)
    assert main(["encoder", "list"]) == 0
    shown = capsys.readouterr().out
    assert all(text in shown for text in (NAME, "random numbers", "default "))


def test_weights_in_lightly_are_found_by_every_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = dataset(tmp_path)
    keep()
    known = known_weights(NAME)
    assert known is not None
    publish(data.lightly, known)
    here = run(data, lightly_config={"model": {"name": NAME}}, selection_config={"n_samples": 3})
    monkeypatch.setenv("LIGHTLY_PIPELINE_ENCODERS", str(tmp_path / "other machine"))
    there = run(data, lightly_config={"model": {"name": NAME}}, selection_config={"n_samples": 3})
    assert there.n_decoded_videos == 0
    assert there.selected == here.selected


def test_damaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep()
    spec = encoder_spec(NAME)
    content = weights_file(NAME).read_bytes()
    weights_file(NAME).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(LightlyPipelineError, match="damaged"):
        load_encoder(spec)
    (tmp_path / "out").mkdir()
    store = LocalDatasource(tmp_path / "out")
    known = known_weights(NAME)
    assert known is not None
    publish(store, known)
    monkeypatch.setenv("LIGHTLY_PIPELINE_ENCODERS", str(tmp_path / "other machine"))
    with pytest.raises(LightlyPipelineError, match="hash is not the one"):
        provide_weights(store, NAME)
    assert known_weights(NAME) is None


def test_weights_are_those_that_were_kept() -> None:
    keep()
    first = load_encoder(encoder_spec(NAME)).encode(frames(2, 224))
    keep()
    again = load_encoder(encoder_spec(NAME)).encode(frames(2, 224))
    assert np.array_equal(first, again)
