"""How well vectors tell labelled scenes apart: coverage of farthest-first, nearest neighbours.

Which vectors are judged is the business of `encoder.py`.
"""

import numpy as np
from numpy.typing import NDArray

from benchmarks.scenes import Scenes

N_SPLITS, N_FIRST_PICKS = 10, 32
Vectors = NDArray[np.float64]


def halves(scenes: Scenes) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Returns (fit, judge) masks: random halves of the scenes that no source crosses."""
    sources = sorted(set(scenes.source))
    n_scenes = {s: len(set(scenes.scene[scenes.source == s])) for s in sources}
    found = []
    for seed in range(N_SPLITS):
        order = np.random.default_rng(seed).permutation(sources)
        first: list[str] = []
        for source in order:
            if sum(n_scenes[s] for s in first) + n_scenes[source] <= sum(n_scenes.values()) / 2:
                first.append(source)
        mask = np.isin(scenes.source, first)
        found += [(mask, ~mask), (~mask, mask)]
    return found


def coverage(vectors: Vectors, labels: NDArray[np.int64], times: int) -> float:
    """Returns the share of scenes hit by farthest-first, mean over random first picks."""
    n_scenes = len(set(labels))
    firsts = np.random.default_rng(0).integers(0, len(vectors), N_FIRST_PICKS)
    hit = labels[_picks(vectors, times * n_scenes, firsts)]
    return float(np.mean([len(set(of_one)) for of_one in hit]) / n_scenes)


def _picks(vectors: Vectors, k: int, firsts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the picks from each of several first ones, shape (len(firsts), k)."""
    picks = [firsts]
    nearest = np.full((len(vectors), len(firsts)), np.inf)
    while len(picks) < min(k, len(vectors)):
        np.minimum(nearest, 2 - 2 * vectors @ vectors[picks[-1]].T, out=nearest)
        picks.append(nearest.argmax(axis=0))
    return np.stack(picks, axis=1)


def nearest_neighbour(
    vectors: Vectors, labels: NDArray[np.int64], positions: NDArray[np.float64]
) -> float:
    """Returns how often the nearest frame is of the same scene, mean over scenes.

    Frames of the own scene nearer in time than half its length do not count.
    """
    similar = vectors @ vectors.T
    for scene in set(labels):
        own = np.flatnonzero(labels == scene)
        apart = np.abs(positions[own][:, None] - positions[own][None])
        similar[np.ix_(own, own)] = np.where(
            apart < np.ptp(positions[own]) / 2, -np.inf, similar[np.ix_(own, own)]
        )
    right = labels[similar.argmax(1)] == labels
    return float(np.mean([right[labels == scene].mean() for scene in set(labels)]))


def uniform_in_time(scenes: Scenes, judge: NDArray[np.bool_], times: int) -> float:
    """Returns the coverage of frames evenly spaced over the judged material laid end to end."""
    labels = scenes.scene[judge]
    n_scenes = len(set(labels))
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(N_FIRST_PICKS):
        step = len(labels) / (times * n_scenes)
        rows = (np.arange(times * n_scenes) * step + rng.uniform(0, step)).astype(int)
        shares.append(len(set(labels[rows])) / n_scenes)
    return float(np.mean(shares))
