"""Fits the map that joins a network to the default encoder, and writes it into the package.

    python -m benchmarks.fit_joined efficientnet-lite0

The network's features of the labelled scenes, their 128 widest principal axes, each divided by the
root of its deviation (exponent -0.25 of the spectrum). Only sums over all frames end up in it.
"""

import sys

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from benchmarks.packaged import write_weights
from benchmarks.scenes import load_scenes, samples_folder
from lightly_pipeline.embedding import encoder_spec, load_encoder
from lightly_pipeline.embedding.families.joined import map_file

DIM, EXPONENT = 128, -0.25


def fit(
    features: NDArray[np.float32], exponent: float = EXPONENT
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns mean (dim,) and matrix (dim, 128) of the map of some features (N, dim)."""
    known = features.astype(np.float64)
    mean = known.mean(0)
    _, spread, axes = np.linalg.svd(known - mean, full_matrices=False)
    spread, axes = spread[:DIM], axes[:DIM]
    kept = spread > 1e-6 * spread[0]
    # Signs are free: the largest number of an axis is positive, so that a refit gives the same.
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]
    scale = np.where(kept, (spread / spread[0]).clip(1e-6) ** (2 * exponent), 0)
    return mean, axes.T * scale


def main() -> None:
    """Fits and writes."""
    (name,) = sys.argv[1:]
    encoder = load_encoder(encoder_spec(name))
    wanted = encoder.spec.frame_input
    scenes = load_scenes(samples_folder(), wanted)
    mean, matrix = fit(encoder.encode(scenes.large))
    # Half precision is far finer than what a map of a few hundred frames is worth.
    content = safetensors.numpy.save(
        {"mean": mean.astype(np.float16), "matrix": matrix.astype(np.float16)}
    )
    write_weights(map_file(name), content)
    print(f"fitted on {len(scenes.scene)} frames; {len(content)} bytes")


if __name__ == "__main__":
    main()
