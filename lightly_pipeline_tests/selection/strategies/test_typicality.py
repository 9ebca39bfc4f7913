"""TYPICALITY and SIMILARITY equal their formulas, whatever finds the neighbours."""

from typing import Any

import numpy as np
import pytest

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.selection import select
from lightly_pipeline.selection.strategies import typicality as module
from lightly_pipeline.selection.strategies.similarity import similarity
from lightly_pipeline.selection.vectors.grid import GridEmbeddings, prepare_embeddings

pytestmark = pytest.mark.slow


def typicality(grid: GridEmbeddings, k: int) -> np.ndarray:
    return module.typicality(grid, k)[0]


def rows(n: int, dim: int = 8, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (np.cumsum(rng.normal(size=(n, dim)) * 0.2, axis=0) + 1).astype(np.float32)


def distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    a, b = left.astype(np.float64), right.astype(np.float64)
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2))


def by_formula(grid: GridEmbeddings, k: int) -> np.ndarray:
    pairs = distances(grid.vectors, grid.vectors)
    np.fill_diagonal(pairs, np.inf)
    nearest = np.sort(pairs, axis=1)[:, : min(k, len(grid) - 1)]
    return np.exp(-nearest / nearest.mean(axis=1).mean()).mean(axis=1)


@pytest.mark.parametrize(("n", "k"), [(2, 2), (5, 20), (400, 20), (700, 3)])
def test_typicality_is_the_formula(n: int, k: int) -> None:
    grid = prepare_embeddings(rows(n))
    assert typicality(grid, k) == pytest.approx(by_formula(grid, k), rel=1e-9)


def test_typicality_does_not_count_a_row_as_its_own_neighbour_among_copies() -> None:
    """More copies than neighbours are looked at, so that float32 cannot rank them."""
    grid = prepare_embeddings(np.repeat(rows(6), 40, axis=0))
    expected = by_formula(prepare_embeddings(np.repeat(rows(6), 40, axis=0)), 50)
    assert typicality(grid, 50) == pytest.approx(expected, rel=1e-9)


def test_typicality_of_equal_rows_and_of_one_row_is_one() -> None:
    equal = prepare_embeddings(np.ones((50, 3), np.float32))
    assert typicality(equal, 5).tolist() == [1.0] * 50
    assert typicality(prepare_embeddings(np.ones((1, 3), np.float32)), 5).tolist() == [1.0]


def test_many_rows_find_their_neighbours_in_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = prepare_embeddings(rows(3000, 16))
    exact = typicality(grid, 20)
    monkeypatch.setattr(module, "EXACT_ROWS", 1000)
    approximate = typicality(grid, 20)
    assert np.abs(approximate / exact - 1).mean() < 1e-3
    assert approximate.tolist() == typicality(grid, 20).tolist()


def with_typicality(given: np.ndarray) -> dict[str, Any]:
    entry = {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "TYPICALITY"}}
    result = select(given, {"n_samples": 3, "strategies": [entry]})
    (outcome,) = result.as_dict()["strategies"]
    return dict(outcome)


def test_how_many_true_neighbours_were_found_is_in_the_summary(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alike = rows(3000, 16)
    apart = np.random.default_rng(0).normal(size=(3000, 64)).astype(np.float32)
    assert "neighbor_recall" not in with_typicality(alike)
    monkeypatch.setattr(module, "EXACT_ROWS", 1000)
    assert with_typicality(alike)["neighbor_recall"] > 0.95
    assert not caplog.records
    recall = with_typicality(apart)["neighbor_recall"]
    assert 0 < recall < 0.9
    assert f"only {100 * recall:.0f} % of the nearest neighbours" in caplog.text


@pytest.mark.parametrize("normalize", [True, False])
def test_similarity_is_the_formula(normalize: bool) -> None:
    given, query = rows(500), 3 * rows(30, seed=2)
    grid = prepare_embeddings(given.copy(), normalize=normalize)
    if normalize:
        given /= np.linalg.norm(given, axis=1, keepdims=True)
        query = query / np.linalg.norm(query, axis=1, keepdims=True)
    nearest = distances(given, query).min(axis=1)
    found = similarity(grid, query.astype(np.float32), normalize=normalize)
    assert found == pytest.approx(np.exp(-nearest / nearest.mean()), rel=1e-5)


def test_rows_that_are_all_queries_are_equally_similar() -> None:
    grid = prepare_embeddings(rows(20))
    assert similarity(grid, rows(20), normalize=True).tolist() == [1.0] * 20


def test_queries_of_another_encoder_are_refused() -> None:
    grid = prepare_embeddings(rows(20, 8))
    with pytest.raises(LightlyPipelineError, match="5 dimensions, embeddings 8"):
        similarity(grid, rows(4, 5), normalize=True)
