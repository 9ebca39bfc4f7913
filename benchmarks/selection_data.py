"""Embeddings that benchmarks of the selection run on, made once into the ignored `bench_data/`.

- video: scenes hold videos, videos hold shots, a random walk inside each shot; the spectrum falls
  by a power law, as that of trained encoders does; rows in the order of time.
- clustered: random walks around N / 1000 centres, in the order of time.
- uniform: uniform on the sphere: nothing can be left out.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection import GridEmbeddings, prepare_embeddings

_FOLDER = Path(__file__).resolve().parents[1] / "bench_data"
_SHOT, _SHOTS_PER_VIDEO, _VIDEOS_PER_SCENE = 120, 10, 20

Fill = Callable[[NDArray[np.float32], np.random.Generator], None]


def embeddings_file(kind: str, n_rows: int, dim: int) -> Path:
    """Returns a .npy file of unit vectors on the grid, shape (n_rows, dim) float32."""
    file = _FOLDER / f"{kind}-{n_rows}x{dim}.npy"
    if file.exists():
        return file
    file.parent.mkdir(exist_ok=True)
    partial = file.with_suffix(".partial")
    rows = np.lib.format.open_memmap(partial, "w+", np.float32, (n_rows, dim))
    _KINDS[kind](rows, np.random.default_rng(0))
    prepare_embeddings(rows)
    rows.flush()
    partial.rename(file)
    return file


def load(file: Path, *, mapped: bool = False) -> GridEmbeddings:
    """Returns the rows of a file as they are after `prepare_embeddings`."""
    rows: NDArray[np.float32] = np.load(file, mmap_mode="r" if mapped else None)
    norms = np.empty(len(rows))
    for start in range(0, len(rows), 4096):
        exact = rows[start : start + 4096].astype(np.float64)
        norms[start : start + len(exact)] = np.einsum("ij,ij->i", exact, exact)
    return GridEmbeddings(rows, norms, 1.0)


def _fill_video(rows: NDArray[np.float32], rng: np.random.Generator) -> None:
    dim = rows.shape[1]
    spectrum = (np.arange(1, dim + 1) ** -0.5).astype(np.float32)
    for start in range(0, len(rows), _SHOT):
        shot = start // _SHOT
        if shot % (_SHOTS_PER_VIDEO * _VIDEOS_PER_SCENE) == 0:
            scene = _normal(rng, dim)
        if shot % _SHOTS_PER_VIDEO == 0:
            video = scene + 0.7 * _normal(rng, dim)
        centre = video + 0.6 * _normal(rng, dim)
        steps = 0.06 * _normal(rng, min(_SHOT, len(rows) - start), dim)
        rows[start : start + _SHOT] = (centre + np.cumsum(steps, axis=0)) * spectrum


def _fill_clustered(rows: NDArray[np.float32], rng: np.random.Generator) -> None:
    n, dim = rows.shape
    centres = _normal(rng, max(n // 1000, 2), dim)
    for start in range(0, n, 100):
        steps = 0.05 * _normal(rng, min(100, n - start), dim)
        centre = centres[rng.integers(len(centres))] + 0.2 * _normal(rng, dim)
        rows[start : start + 100] = centre + np.cumsum(steps, axis=0)


def _fill_uniform(rows: NDArray[np.float32], rng: np.random.Generator) -> None:
    for start in range(0, len(rows), 4096):
        part = rows[start : start + 4096]
        part[:] = _normal(rng, *part.shape)


def fill_tracks(vectors: NDArray[np.float32], rng: np.random.Generator, per_row: int) -> None:
    """Fills in objects of rows in the order of time, `per_row` each: tracks through shots.

    An object looks like its kind, of which there are 20, and like itself from frame to frame.
    """
    dim = vectors.shape[1]
    spectrum = (np.arange(1, dim + 1) ** -0.5).astype(np.float32)
    kinds = _normal(rng, 20, dim)
    shot = _SHOT * per_row
    for start in range(0, len(vectors), shot):
        part = vectors[start : start + shot]
        own = kinds[rng.integers(len(kinds), size=per_row)] + 0.6 * _normal(rng, per_row, dim)
        steps = 0.06 * _normal(rng, len(part) // per_row, per_row, dim)
        part[:] = ((own + np.cumsum(steps, axis=0)) * spectrum).reshape(part.shape)


def _normal(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return rng.standard_normal(shape, dtype=np.float32)


_KINDS: dict[str, Fill] = {
    "video": _fill_video,
    "clustered": _fill_clustered,
    "uniform": _fill_uniform,
}
