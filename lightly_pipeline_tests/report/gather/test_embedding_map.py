"""The map of a report: the same every time, with every candidate and every choice on it."""

import sys

import numpy as np
import pytest

from lightly_pipeline.errors import MissingExtraError
from lightly_pipeline.report.gather.embedding_map import embedding_map
from lightly_pipeline.report.numbers import EmbeddingMap
from lightly_pipeline.selection import prepare_embeddings

N, GROUPS = 300, 3


def made(method: str, n: int = N) -> EmbeddingMap:
    """Returns the map of groups of vectors that lie far apart."""
    rng = np.random.default_rng(0)
    centres = 10 * np.eye(GROUPS, 8)
    vectors = centres[np.arange(n) % GROUPS] + rng.normal(size=(n, 8))
    rows = np.arange(n)
    found = embedding_map(
        prepare_embeddings(vectors.astype(np.float32), normalize=True),
        rows,
        np.array([5, 0, 7]),
        (rows % 2).astype(np.int32),
        rows // 2,
        rows / 25,
        method=method,
    )
    assert found is not None
    return found


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_groups_lie_apart_on_the_map(method: str) -> None:
    if method == "umap":
        pytest.importorskip("umap")
    found = made(method)
    assert found.method == method.upper()
    assert found.density.sum() == N
    assert np.array_equal(found.chosen, found.points[[5, 0, 7]])
    centres = np.array([found.points[group::GROUPS].mean(0) for group in range(GROUPS)])
    nearest = np.linalg.norm(found.points[:, None] - centres, axis=2).argmin(1)
    assert np.array_equal(nearest, np.arange(N) % GROUPS)


def test_umap_gives_the_same_map_again() -> None:
    pytest.importorskip("umap")
    assert np.array_equal(made("umap").points, made("umap").points)


def test_too_few_frames_for_umap_are_shown_by_components() -> None:
    assert made("umap", 20).method == "PCA"


def test_umap_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingExtraError, match=r"lightly-pipeline\[umap\]"):
        made("umap")
