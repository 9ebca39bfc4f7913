"""The embeddings in two dimensions: where the candidates are dense, and where the choice lies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.report.numbers import EmbeddingMap

MAX_POINTS = 10_000
"""Points of the sample in a picture: what a browser draws as shapes in half a second."""


@dataclass(frozen=True, slots=True)
class MapPicture:
    """A map, ready to be drawn.

    Attributes:
        description: What it shows, in words.
        x_label: Of the horizontal axis.
        y_label: Of the vertical axis.
        shade: Shape (h, w), uint8: density of candidates, 255 the densest, row 0 the lowest y.
        extent: (left, right, bottom, top) of `shade`.
        sample: Places in the map's `points` of those that are drawn.
        chosen: Shape (k, 2), float32, by rank.
    """

    description: str
    x_label: str
    y_label: str
    shade: NDArray[np.uint8]
    extent: tuple[float, float, float, float]
    sample: NDArray[np.intp]
    chosen: NDArray[np.float32]


def map_picture(embedding_map: EmbeddingMap) -> MapPicture:
    """Returns a map with a density that shows few as well as many, and points that can be drawn."""
    n_candidates, n_points = int(embedding_map.density.sum()), len(embedding_map.points)
    n_shown = min(n_points, MAX_POINTS)
    sample = np.linspace(0, max(n_points - 1, 0), n_shown).astype(np.intp)
    x_label, y_label = _axes(embedding_map)
    return MapPicture(
        description=f"{embedding_map.method} map of {n_candidates:,} candidates as density, "
        f"{n_shown:,} of them as points, and {len(embedding_map.chosen):,} chosen frames.",
        x_label=x_label,
        y_label=y_label,
        shade=_shade(embedding_map.density),
        extent=embedding_map.extent,
        sample=sample,
        chosen=embedding_map.chosen,
    )


def _axes(embedding_map: EmbeddingMap) -> tuple[str, str]:
    name = {"PCA": "component"}.get(embedding_map.method, embedding_map.method)
    labels = [f"{name} 1", f"{name} 2"]
    for axis, share in enumerate(embedding_map.explained[:2]):
        labels[axis] += f" ({share:.0%} of the variance)"
    return labels[0], labels[1]


def _shade(density: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Scales counts by their logarithm: one candidate can be seen beside ten thousand."""
    top = np.log1p(density.max(initial=0))
    if top == 0:
        return np.zeros(density.shape, np.uint8)
    # The densest cell can come out as a hair above 255.
    shade: NDArray[np.uint8] = (
        np.ceil(np.log1p(density) * (255 / top)).clip(0, 255).astype(np.uint8)
    )
    return shade
