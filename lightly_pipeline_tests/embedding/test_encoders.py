"""Embeddings depend on the frame, the encoder and nothing else."""

import colorsys
import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.fitting import fit
from lightly_pipeline.embedding import encoder_spec, features, load_encoder
from lightly_pipeline.embedding.families.shipped import WEIGHTS_FILE
from lightly_pipeline.embedding.features import BLOCKS, statistics
from lightly_pipeline.embedding.packaged import sidecar
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline_tests.support.videos import painted

pytestmark = pytest.mark.slow
SHIPPED = [("default", 128), ("default-2", 256)]


def frames(n: int = 64, size: int = 64) -> np.ndarray:
    rng = np.random.default_rng(0)
    plain = np.stack([painted(i, size, size, seed=i % 7) for i in range(n)])
    return np.clip(plain + rng.normal(0, 6, plain.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def encoder():
    return load_encoder(encoder_spec())


@pytest.mark.parametrize(("name", "dim"), SHIPPED)
def test_bits_do_not_depend_on_the_batch_or_on_threads(name: str, dim: int) -> None:
    encoder, batch = load_encoder(encoder_spec(name)), frames(61)
    together = encoder.encode(batch)
    alone = np.concatenate([encoder.encode(batch[i : i + 1]) for i in range(len(batch))])
    turned = encoder.encode(batch[::-1].copy())[::-1]
    with ThreadPoolExecutor(4) as pool:
        parts = [batch[i : i + 5] for i in range(0, len(batch), 5)]
        threaded = np.concatenate(list(pool.map(encoder.encode, parts)))
    for other in (alone, turned, threaded):
        assert np.array_equal(together, other)
    assert encoder.encode(batch[:0]).shape == (0, dim)


@pytest.mark.parametrize(("name", "dim"), SHIPPED)
def test_bits_do_not_depend_on_the_machine(name: str, dim: int, tmp_path: Path) -> None:
    """Sums are taken in another order with every matrix kernel and width of registers."""
    code = (
        "import hashlib\n"
        "from lightly_pipeline.embedding import encoder_spec, load_encoder\n"
        "import numpy as np\n"
        f"content = load_encoder(encoder_spec({name!r})).encode(np.load('frames.npy')).tobytes()\n"
        "print(hashlib.sha256(content).hexdigest())"
    )
    np.save(tmp_path / "frames.npy", frames(19))
    machines = [
        {},
        {"OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL"},
        {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "3"},
    ]
    hashes = set()
    for machine in machines:
        environment = {**os.environ, **machine}
        command = [sys.executable, "-W", "ignore", "-c", code]
        hashes.add(subprocess.check_output(command, env=environment, cwd=tmp_path))
    assert len(hashes) == 1


def test_the_histogram_is_the_sum_of_every_pixel_s_eight_shares() -> None:
    pictures = frames(3)
    for picture, row in zip(pictures, statistics(pictures), strict=True):
        assert np.allclose(row[:256] ** 2, soft_histogram(picture), atol=2e-5)


def soft_histogram(picture: np.ndarray) -> np.ndarray:
    """The definition, pixel by pixel."""
    pixels = picture.reshape(-1, 3) / 255
    luma = max((pixels @ [0.299, 0.587, 0.114]).mean(), 0.04)
    histogram = np.zeros((8, 4, 8))
    for pixel in np.minimum(pixels * np.sqrt(0.4 / luma), 1):
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        places = (hue * 8, saturation * 3, value * 7)
        low = [int(place) for place in places]
        for corner in np.ndindex(2, 2, 2):
            at = [lowest + step for lowest, step in zip(low, corner, strict=True)]
            share = np.prod([1 - abs(place - i) for place, i in zip(places, at, strict=True)])
            if share:
                histogram[at[0] % 8, at[1], at[2]] += share
    return histogram.ravel() / 4096


@pytest.mark.parametrize("size", [(1, 50), (100, 75), (224, 224)])
def test_other_sizes_are_averaged_over_areas(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    expected = torch.nn.functional.adaptive_avg_pool2d(
        torch.from_numpy(picture).permute(0, 3, 1, 2).double(), 64
    )
    averaged = features._averaged(picture)
    assert np.allclose(averaged, expected.permute(0, 2, 3, 1).numpy(), rtol=1e-6)


def test_embeddings_are_raw_float32_of_the_promised_length(encoder) -> None:
    embeddings = encoder.encode(frames(5))
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (5, encoder.spec.dim)
    assert not np.allclose(np.linalg.norm(embeddings, axis=1), 1)


@pytest.mark.parametrize("shape", [(64, 64), (224, 224), (1, 50), (10, 3), (1080, 1920)])
def test_any_size_and_any_flat_picture_gives_finite_vectors(
    encoder, shape: tuple[int, int]
) -> None:
    for value in (0, 128, 255):
        embedding = encoder.encode(np.full((1, *shape, 3), value, np.uint8))
        assert np.isfinite(embedding).all()
        assert np.linalg.norm(embedding) > 0


def test_brightness_matters_less_than_content(encoder) -> None:
    plain = frames(40)
    brighter = np.clip(plain * 1.2, 0, 255).astype(np.uint8)
    a, b = unit(encoder.encode(plain)), unit(encoder.encode(brighter))
    own = ((a - b) ** 2).sum(1)
    others = ((a[:, None] - a[None]) ** 2).sum(2)
    assert np.median(own) < np.median(others[~np.eye(40, dtype=bool)]) / 4


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_statistics_are_square_rooted_histograms() -> None:
    rows = statistics(frames(3)).astype(np.float64) ** 2
    assert rows.shape == (3, sum(BLOCKS))
    assert np.allclose(rows[:, :256].sum(1), 1, atol=1e-5)
    assert np.allclose(rows[:, 256:492].sum(1), 4, atol=1e-5)
    assert np.allclose(rows[:, 492:].sum(1), 1, atol=1e-5)


def test_one_colour_falls_where_the_definition_says() -> None:
    # Pure red: exposure 0.299 is raised by sqrt(0.4 / 0.299), clipped to 1: hue 0, s = v = 1.
    red = np.zeros((1, 64, 64, 3), np.uint8)
    red[..., 0] = 255
    histogram = statistics(red)[0, :256] ** 2
    assert int(histogram.argmax()) == (0 * 4 + 3) * 8 + 7
    assert float(histogram.max()) == pytest.approx(1, abs=1e-5)


def test_embeddings_of_a_known_picture_are_as_they_were(encoder) -> None:
    picture = np.stack([painted(i, 64, 64, seed=i) for i in (3, 8)])
    embedding = encoder.encode(picture)
    known = np.load(Path(__file__).with_name("known_embeddings.npy"))
    assert np.allclose(embedding, known, atol=1e-4 * np.abs(known).max())


def test_the_weights_are_those_the_sidecar_names() -> None:
    content = files("lightly_pipeline.embedding").joinpath(WEIGHTS_FILE).read_bytes()
    assert len(content) < 1_000_000
    assert hashlib.sha256(content).hexdigest() == sidecar(WEIGHTS_FILE)["weights_sha256"]


def test_fitting_is_reproducible_and_blind_to_row_order() -> None:
    rng = np.random.default_rng(1)
    rows = np.abs(rng.normal(size=(700, sum(BLOCKS)))).astype(np.float32)
    scenes = np.repeat(np.arange(35), 20)
    changes = {k: rng.normal(0, 0.1, rows.shape).astype(np.float32) for k in ("flicker", "noise")}
    a = fit(rows, scenes, changes, BLOCKS, dim=8)
    order = rng.permutation(700)
    b = fit(rows[order], scenes[order], {k: v[order] for k, v in changes.items()}, BLOCKS, dim=8)
    assert np.array_equal(a.matrix, fit(rows, scenes, changes, BLOCKS, dim=8).matrix)
    assert np.allclose(a.matrix, b.matrix, atol=1e-3 * np.abs(a.matrix).max())


def test_the_fit_list_names_files_that_exist(samples: Path) -> None:
    sidecar_files = {file for _, _, file in sidecar(WEIGHTS_FILE)["fitted_on"]}
    assert all((samples / file).is_file() for file in sidecar_files)


def test_a_network_needs_weights_and_says_what_else_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTLY_PIPELINE_ENCODERS", str(tmp_path))
    with pytest.raises(LightlyPipelineError, match=r"internet.*checkpoint.*default encoder"):
        encoder_spec("resnet-18")


def test_a_network_with_a_local_checkpoint(tmp_path: Path) -> None:
    import torchvision.models

    torch.manual_seed(0)
    network = torchvision.models.resnet18(weights=None)
    state = {f"backbone.{k}": v for k, v in network.state_dict().items() if not k.startswith("fc.")}
    torch.save({"state_dict": state}, tmp_path / "weights.pt")
    spec = encoder_spec("resnet-18", checkpoint=str(tmp_path / "weights.pt"), batch_size=3)
    encoder = load_encoder(spec)
    pictures = frames(4, 224)
    embeddings = encoder.encode(pictures)
    assert embeddings.shape == (4, 512)
    assert np.array_equal(embeddings[3:], encoder.encode(pictures[3:]))
    with pytest.raises(LightlyPipelineError, match="does not fit resnet-50"):
        load_encoder(encoder_spec("resnet-50", checkpoint=str(tmp_path / "weights.pt")))


def test_a_checkpoint_that_runs_code_is_refused(tmp_path: Path) -> None:
    import os
    import pickle

    class Evil:
        def __reduce__(self) -> object:
            return os.system, (f"touch {tmp_path}/ran",)

    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(LightlyPipelineError, match="cannot be read as weights"):
        load_encoder(encoder_spec("resnet-18", checkpoint=str(tmp_path / "evil.pt")))
    assert not (tmp_path / "ran").exists()


def test_what_decides_over_numbers_is_in_the_identity(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("2")
    a, b = (str(tmp_path / name) for name in "ab")
    network = encoder_spec("resnet-18", checkpoint=a)
    specs = [
        encoder_spec(),
        network,
        encoder_spec("resnet-50", checkpoint=a),
        encoder_spec("resnet-18", checkpoint=a, batch_size=2),
        replace(network, device="cuda"),
        replace(network, device="cuda", precision=16),
        encoder_spec("resnet-18", checkpoint=b),
    ]
    assert len({spec.identity() for spec in specs}) == len(specs)
    assert encoder_spec(batch_size=5).identity() == encoder_spec().identity()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_name": "resnet-19"}, "not known .did you mean resnet-18.*use default"),
        ({"checkpoint": "x.pt"}, "default encoder takes none"),
        ({"model_name": "resnet-18", "checkpoint": "absent.pt"}, "not a file"),
        ({"model_name": "resnet-18", "precision": 16, "gpus": 0}, "needs a GPU"),
    ],
)
def test_senseless_requests_are_refused_before_work(options: dict, message: str) -> None:
    with pytest.raises(InvalidConfigurationError, match=message):
        encoder_spec(**options)
