"""Rows in half the memory are chosen as those in full are."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightly_pipeline.selection import GridEmbeddings, prepare_embeddings, select
from lightly_pipeline.selection.vectors.distances import BLOCK_ROWS, FilterRows, filter_slack
from lightly_pipeline.selection.vectors.matrix import empty_matrix

N, DIM = 3000, 16
DIVERSITY = {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}
NUMBER = {"type": "METADATA", "key": "number"}


@settings(max_examples=150)
@given(
    n=st.integers(1, 20),
    dim=st.integers(1, 700),
    size=st.sampled_from([1e-3, 1.0, 7.0, 3e4]),
    peaked=st.booleans(),
    normalize=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_no_product_is_off_by_more_than_the_slack(
    n: int, dim: int, size: float, peaked: bool, normalize: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, dim)).astype(np.float32) * np.float32(size)
    if peaked:
        # One number near 1 or -1, where 16 bits end.
        rows[np.arange(n), rng.integers(dim, size=n)] *= 1e4
    grid = prepare_embeddings(rows, normalize=normalize, compact=True)
    filter_rows = FilterRows(grid, n)
    seen = filter_rows.read(slice(0, n)).copy()
    exact = grid.vectors.astype(np.float64)
    # The worst direction there is for each row, and any other ones.
    left = exact - seen
    others = np.vstack([left, -left, rng.normal(size=(5, dim)), seen, exact])
    lengths = np.linalg.norm(others, axis=1, keepdims=True)
    others /= np.where(lengths > 0, lengths, 1)
    products = seen @ others.astype(np.float32).T
    assert np.abs(products - exact @ others.T).max() <= filter_rows.slack
    assert grid.compact is not None
    assert np.linalg.norm(left, axis=1).max() <= grid.compact.error
    assert grid.compact.numbers.nbytes * 2 == grid.vectors.nbytes
    assert grid.compact.error <= 2.0**-15 * np.sqrt(dim) * (1 + 1e-15)
    assert filter_rows.slack >= filter_slack(dim)


def test_without_compact_rows_the_rows_themselves_are_read() -> None:
    grid = prepare_embeddings(walk(600))
    filter_rows = FilterRows(grid, BLOCK_ROWS)
    assert filter_rows.slack == filter_slack(DIM)
    assert filter_rows.read(slice(300, 400)).base is not None
    assert np.array_equal(filter_rows.read(slice(300, 400)), grid.vectors[300:400])


def walk(n: int = N, seed: int = 3) -> np.ndarray:
    """The frames of some videos, every 40th of them a copy of the one before."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(n, DIM)) * 0.05
    steps[:: n // 30] = rng.normal(size=steps[:: n // 30].shape)
    steps[40::40] = 0
    return np.cumsum(steps, axis=0).astype(np.float32) + np.float32(1e-3)


def on_disk(rows: np.ndarray, *, normalize: bool) -> GridEmbeddings:
    matrix = empty_matrix(*rows.shape, on_disk=True)
    matrix[:] = rows
    assert isinstance(matrix, np.memmap)
    return prepare_embeddings(matrix, normalize=normalize, compact=True)


def number(kind: str, **options: Any) -> dict[str, Any]:
    return {"input": NUMBER, "strategy": {"type": kind, **options}}


STOPPING = {
    "input": {"type": "EMBEDDINGS"},
    "strategy": {"type": "DIVERSITY", "stopping_condition_minimum_distance": 0.4},
}
NEGATIVE = {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY", "strength": -1}}
ABOVE = number("THRESHOLD", threshold=0.3, operation="BIGGER")
TYPICALITY = {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "TYPICALITY"}}
SIMILARITY = {
    "input": {"type": "EMBEDDINGS", "tag_name": "query"},
    "strategy": {"type": "SIMILARITY"},
}
BALANCE = {
    "input": {"type": "METADATA", "key": "kind"},
    "strategy": {"type": "BALANCE", "target": {"a": 0.5, "b": 0.5}},
}
CASES: dict[str, tuple[int, list[dict[str, Any]], dict[str, Any]]] = {
    "few": (50, [DIVERSITY], {}),
    "many": (900, [DIVERSITY], {}),
    "all": (N, [DIVERSITY], {}),
    "a distance to stop at": (N, [STOPPING], {}),
    "frames chosen before": (300, [DIVERSITY], {"preselected": list(range(5, 2000, 5))}),
    "after a threshold": (300, [ABOVE, DIVERSITY], {"preselected": [1, 8, 2999]}),
    "few with weights": (60, [DIVERSITY, number("WEIGHTS")], {}),
    "many with weights and balance": (400, [DIVERSITY, number("WEIGHTS"), BALANCE], {}),
    "with frames chosen before": (
        300,
        [STOPPING, number("WEIGHTS"), BALANCE],
        {"preselected": list(range(0, 1000, 3))},
    ),
    "the nearest": (60, [NEGATIVE, number("WEIGHTS")], {"preselected": list(range(0, 900, 3))}),
    "typical ones": (100, [DIVERSITY, TYPICALITY], {}),
    "similar ones": (100, [DIVERSITY, SIMILARITY], {}),
    "no diversity": (100, [number("WEIGHTS"), BALANCE], {}),
    "every 3rd": (300, [DIVERSITY], {"approximate_diversity": {"every_nth": 3}}),
    "shards": (300, [DIVERSITY], {"approximate_diversity": {"shard_size": 700}}),
}


@pytest.mark.parametrize("normalize", [True, False], ids=["unit", "any length"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_result_is_the_same(
    case: tuple[int, list[dict[str, Any]], dict[str, Any]],
    normalize: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # So that the lazy engine serves inputs of this size.
    monkeypatch.setattr("lightly_pipeline.selection.engines._LAZY_FROM_PRODUCTS", 0)
    n_samples, strategies, options = case
    rng = np.random.default_rng(1)
    inputs: dict[str, Any] = {
        "metadata": {"number": rng.random(N), "kind": rng.choice(["a", "b", "c"], N)},
        "queries": {(None, "query"): walk(700, seed=4)},
        "normalize": normalize,
        **options,
    }
    config = {"n_samples": n_samples, "strategies": strategies}
    full, half = (
        select(embeddings, config, **inputs)
        for embeddings in (walk(), on_disk(walk(), normalize=normalize))
    )
    assert half.indices.tolist() == full.indices.tolist()
    assert half.distances.tolist() == full.distances.tolist()
    assert half.as_dict() == full.as_dict()


def test_a_part_of_the_rows_is_on_disk_as_well() -> None:
    grid = on_disk(walk(), normalize=True)
    rows = np.array([2, 900, 2999, 7])
    part = grid.take(rows)
    assert isinstance(part.vectors, np.memmap)
    assert np.array_equal(part.vectors, grid.vectors[rows])
    assert np.array_equal(part.squared_norms, grid.squared_norms[rows])
    assert part.compact is not None
    assert grid.compact is not None
    assert np.array_equal(part.compact.numbers, grid.compact.numbers[rows])


def test_no_rows_are_no_problem() -> None:
    grid = prepare_embeddings(np.empty((0, 4), np.float32), compact=True)
    assert len(grid.take(np.empty(0, np.int64))) == 0
    assert len(select(grid, {"n_samples": 3, "strategies": [DIVERSITY]}).indices) == 0
