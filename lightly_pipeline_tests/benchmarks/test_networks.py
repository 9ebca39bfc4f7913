"""The benchmark of networks runs; what it finds is no test's business."""

import re
from pathlib import Path

import pytest
import torch

from benchmarks import networks
from lightly_pipeline_tests.support.videos import RECIPES, make_video

pytestmark = pytest.mark.slow


def printed(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *options: str,
) -> str:
    recipe = next(recipe for recipe in RECIPES if recipe.name == "h264.mp4")
    video = make_video(folder, recipe, "a.mp4")
    command = ["networks", "--repeats", "1", "--threads", "2", "--video", str(video), *options]
    monkeypatch.setattr("sys.argv", command)
    networks.main()
    return capsys.readouterr().out


def test_every_way_on_the_cpu_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("timm")
    options = ("--device", "cpu", "--networks", "timm/test_resnet")
    text = printed(tmp_path, capsys, monkeypatch, *options)
    assert "timm/test_resnet, ONNX Runtime, " in text
    for way in ("torch, bare, 4 at once", "ours from memory", "decoding", "chain"):
        assert re.search(rf"^  {way} .* frames/s by the clock$", text, re.MULTILINE), way
    assert "of ONNX Runtime, bare: memory" in text


def test_what_is_measured_on_a_gpu_can_be_tried_without_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("timm")
    options = ("--device", "cpu", "--batch", "2", "4", "--frames", "16")
    text = printed(tmp_path, capsys, monkeypatch, *options, "--networks", "timm/test_resnet")
    assert re.findall(r"^ +(\d+) +\d+ +\d+ +\d", text, re.MULTILINE) == ["2", "4"]
    assert "decoding alone" in text


def test_a_machine_without_a_gpu_is_told_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    monkeypatch.setattr("sys.argv", ["networks", "--device", "cuda"])
    networks.main()
    assert capsys.readouterr().out == "no GPU is seen: nothing is measured on one\n"
