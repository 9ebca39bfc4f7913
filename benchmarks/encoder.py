"""How well encoders tell scenes apart, and how fast they are.

    python -m benchmarks.encoder

Splits the labelled scenes by source into halves, fits on one and judges on the other, ten times
and swapped. Coverage at K: farthest-first picks as many frames as there are scenes; the share of
scenes that got one, mean over random first picks. Beside the default encoder: frames evenly spaced
in time, 16x16 colour whitened, a plain HSV histogram, the network of `default-2` and that encoder,
the networks whose weights are in packages (as they are, and whitened), one with random weights, and
the default encoder joined with a network.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision.models
from numpy.typing import NDArray
from PIL import Image

from benchmarks import fit_joined, fitting
from benchmarks.judging import Vectors, coverage, halves, nearest_neighbour, uniform_in_time
from benchmarks.scenes import Scenes, alter, changes, load_scenes, samples_folder
from lightly_pipeline.embedding import (
    CheckedEncoder,
    encoder_spec,
    load_encoder,
    without_threads,
)
from lightly_pipeline.embedding.families import default_2
from lightly_pipeline.embedding.families.efficientnet_lite import PACKAGES
from lightly_pipeline.embedding.features import BLOCKS, COLOUR_DIM, DIM, SIZE, statistics
from lightly_pipeline.embedding.integers import IntegerNetwork

_AREA = Image.Resampling.BOX
ALTERATIONS = ("clean", "flicker", "grey", "gamma", "jpeg")


@dataclass(frozen=True)
class Method:
    """A way to compare frames.

    Attributes:
        features: Of frames, fitted on nothing.
        vectors: Of the judged half, after a fit on the other.
        fitted: Whether the fit sees altered frames, too.
        large: Whether frames are scaled from 224 pixels, not from 64, which most methods ask for.
    """

    features: Callable[..., NDArray[np.float32]]
    vectors: Callable[..., Vectors]
    fitted: bool = False
    large: bool = False


def main() -> None:
    """Prints the table and the floors it is held against."""
    folder = samples_folder()
    scenes = load_scenes(folder)
    print(f"{len(scenes.scene)} frames of {len(set(scenes.scene))} scenes in {folder.name}/")
    altered = {k: alter(scenes.large, k, 100 + i) for i, k in enumerate(ALTERATIONS[1:])}
    splits = halves(scenes)
    methods: dict[str, Method] = {
        "default encoder": Method(statistics, _default, fitted=True),
        "HSV histogram": Method(statistics, _histogram),
        "16x16 colour, whitened": Method(_layout_cells, _whitened(-0.5)),
        "network of default-2, whitened": Method(_shipped_network, _whitened(-0.25)),
        "default-2": Method(_both(_shipped_network), _joined, fitted=True),
    }
    for name, encoder in _networks().items():
        features = _kept(_network_features(encoder))
        methods[name] = Method(features, _centred, large=True)
        methods[f"{name}, whitened"] = Method(features, _whitened(-0.25), large=True)
        methods[f"default + {name}"] = Method(_both(features), _joined, fitted=True, large=True)
    scores = {name: _judge(method, scenes, altered, splits) for name, method in methods.items()}
    uniform = np.array([uniform_in_time(scenes, judge, 1) for _, judge in splits])
    uniform2 = np.array([uniform_in_time(scenes, judge, 2) for _, judge in splits])
    print(f"\n{'':40}" + "".join(f"{c:>9}" for c in ("K", "2K", "1-NN", *ALTERATIONS[1:])))
    for name, values in scores.items():
        print(f"{name:40}" + "".join(f"{v:9.3f}" for v in values.mean(0)))
    print(f"{'evenly spaced in time':40}{uniform.mean():9.3f}{uniform2.mean():9.3f}")
    ours = scores["default encoder"]
    print("\npaired differences at K (mean +- standard deviation over splits, wins)")
    others = {name: values[:, 0] for name, values in scores.items() if name != "default encoder"}
    for name, values in {**others, "evenly spaced in time": uniform}.items():
        difference = ours[:, 0] - values
        print(
            f"  over {name:40}{difference.mean():+.3f} +- {difference.std():.3f}"
            f"  {np.sum(difference > 0)}/{len(difference)}"
        )
    rates = {size: _frames_per_second("default", size) for size in (64, 224)}
    print(f"\nframes/s on one core: {rates[224]:.0f} from 224x224, {rates[64]:.0f} from 64x64")
    rate = _frames_per_second("default-2", 64)
    print(f"{rate:8.0f} frames/s on one core: default-2, from 64x64")
    for name, encoder in _networks().items():
        print(f"{_rate(encoder):8.0f} frames/s on one core: {name}")
    _floors(ours.mean(0), float(uniform.mean()), rates[224])
    _better(scores["default-2"] - ours, rate)


def _better(differences: Vectors, rate: float) -> None:
    """Prints whether `default-2` is what a better default has to be."""
    print(f"default-2 over default, by half, at K: {np.sum(differences[:, 0] > 0)} better")
    columns = ("K", "2K", "1-NN", *ALTERATIONS[1:])
    for name, difference in zip(columns, differences.mean(0), strict=True):
        floor = 0.02 if name == "K" else 0
        met = "met " if difference >= floor else "MISSED"
        print(f"{met}  {name}: {difference:+.3f}, at least {floor:+.2f}")
    print(f"{'met ' if rate >= 300 else 'MISSED'}  frames/s >= 300")


def _floors(ours: Vectors, uniform: float, rate: float) -> None:
    flicker = ours[2 + ALTERATIONS.index("flicker")]
    floors = [
        ("coverage at K >= 0.82", ours[0] >= 0.82),
        ("at K over evenly spaced >= 0.12", ours[0] - uniform >= 0.12),
        ("under flicker >= 0.80", flicker >= 0.80),
        ("frames/s from 224x224 >= 600", rate >= 600),
    ]
    for text, met in floors:
        print(f"{'met ' if met else 'MISSED'}  {text}")


def _judge(
    method: Method,
    scenes: Scenes,
    altered: dict[str, NDArray[np.uint8]],
    splits: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]],
) -> Vectors:
    """Returns rows of (K, 2K, 1-NN, K under each alteration), one per half."""
    frames = {"clean": scenes.large if method.large else scenes.small, **altered}
    prepare = {kind: method.features(of_kind) for kind, of_kind in frames.items()}
    extra = changes(scenes, tuple(fitting.ALTERATION_WEIGHTS), 7) if method.fitted else {}
    rows = []
    for fit, judge in splits:
        labels = scenes.scene[judge]
        vectors = {
            kind: method.vectors(x, prepare["clean"], scenes.scene, fit, judge, extra)
            for kind, x in prepare.items()
        }
        clean = vectors["clean"]
        rows.append(
            [
                coverage(clean, labels, 1),
                coverage(clean, labels, 2),
                nearest_neighbour(clean, labels, scenes.position[judge]),
                *(coverage(vectors[kind], labels, 1) for kind in ALTERATIONS[1:]),
            ]
        )
    return np.array(rows)


def _layout_cells(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    side = frames.shape[1] // 16
    cells = frames.reshape(len(frames), 16, side, 16, side, 3).mean(axis=(2, 4), dtype=np.float32)
    return cells.reshape(len(frames), -1) / np.float32(255)


@cache
def _networks() -> dict[str, CheckedEncoder]:
    """Returns the networks that can be had without a download."""
    torch.manual_seed(0)
    found = {name: load_encoder(encoder_spec(name)) for name in PACKAGES}
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder, "random.pt")
        torch.save(torchvision.models.resnet18(weights=None).state_dict(), weights)
        spec = encoder_spec("resnet-18", checkpoint=str(weights))
        return {**found, "resnet-18, RANDOM weights": load_encoder(spec)}


@cache
def _integer_network() -> IntegerNetwork:
    return IntegerNetwork(default_2.tensors())


def _shipped_network(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    sized = [np.asarray(Image.fromarray(f).resize((SIZE, SIZE), _AREA)) for f in frames]
    return _integer_network().sums(np.stack(sized)).astype(np.float32)


def _size(encoder: CheckedEncoder) -> tuple[int, int]:
    return encoder.spec.frame_input.height, encoder.spec.frame_input.width


def _network_features(encoder: CheckedEncoder) -> Callable[..., NDArray[np.float32]]:
    def features(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        height, width = _size(encoder)
        sized = [
            np.asarray(Image.fromarray(f).resize((width, height), Image.Resampling.BICUBIC))
            for f in frames
        ]
        return encoder.encode(np.stack(sized))

    return features


def _kept(features: Callable[..., NDArray[np.float32]]) -> Callable[..., NDArray[np.float32]]:
    """Returns the function with a memory: the same frames are asked for by several methods."""
    known: dict[int, NDArray[np.float32]] = {}

    def lookup(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        if id(frames) not in known:
            known[id(frames)] = features(frames)
        return known[id(frames)]

    return lookup


def _both(features: Callable[..., NDArray[np.float32]]) -> Callable[..., NDArray[np.float32]]:
    return lambda frames: np.hstack([statistics(frames), features(frames)])


def _joined(x: NDArray[np.float32], clean: NDArray[np.float32], *rest: Any) -> Vectors:
    _, fit, judge, _ = rest
    mean, matrix = fit_joined.fit(clean[fit][:, DIM:])
    narrowed = _unit((x[judge][:, DIM:] - mean) @ matrix)
    return _unit(np.hstack([_default(x[:, :DIM], clean[:, :DIM], *rest), narrowed]))


def _centred(x: NDArray[np.float32], clean: NDArray[np.float32], *rest: Any) -> Vectors:
    del clean
    return _unit(x[rest[2]].astype(np.float64))


def _whitened(exponent: float) -> Callable[..., Vectors]:
    """Returns principal axes with this power of the spectrum, fitted on the one half."""

    def vectors(x: NDArray[np.float32], clean: NDArray[np.float32], *rest: Any) -> Vectors:
        _, fit, judge, _ = rest
        mean, matrix = fit_joined.fit(clean[fit], exponent)
        return _unit((x[judge] - mean) @ matrix)

    return vectors


def _default(
    x: NDArray[np.float32],
    clean: NDArray[np.float32],
    scene: NDArray[np.int64],
    fit: NDArray[np.bool_],
    judge: NDArray[np.bool_],
    extra: dict[str, NDArray[np.float32]],
) -> Vectors:
    seen = {kind: change[fit] for kind, change in extra.items()}
    return _unit(fitting.fit(clean[fit], scene[fit], seen, BLOCKS).apply(x[judge]))


def _histogram(x: NDArray[np.float32], clean: NDArray[np.float32], *rest: Any) -> Vectors:
    _, fit, judge, _ = rest
    colour = x[:, :COLOUR_DIM].astype(np.float64)
    return _unit(colour[judge] - clean[fit][:, :COLOUR_DIM].mean(0))


def _unit(x: Vectors) -> Vectors:
    normalised: Vectors = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    return normalised


def _rate(encoder: CheckedEncoder) -> float:
    frames = np.zeros((32, *_size(encoder), 3), np.uint8)
    with without_threads(encoder.spec):
        encoder.encode(frames)
        started = time.process_time()
        encoder.encode(frames)
        return len(frames) / (time.process_time() - started)


def _frames_per_second(name: str, size: int) -> float:
    encoder = load_encoder(encoder_spec(name))
    frames = np.random.default_rng(0).integers(0, 255, (32, size, size, 3), dtype=np.uint8)
    rates = []
    with without_threads(encoder.spec):
        encoder.encode(frames)
        for _ in range(5):
            started = time.process_time()
            for _ in range(8):
                encoder.encode(frames)
            rates.append(8 * len(frames) / (time.process_time() - started))
    return float(np.median(rates))


if __name__ == "__main__":
    main()
