"""The engines give the sequence of the definition, for every mixture of strategies."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightly_pipeline.progress import silent
from lightly_pipeline.selection import lazy
from lightly_pipeline.selection.direct import is_by_value, pick_by_value, pick_directly
from lightly_pipeline.selection.grid import GridEmbeddings, prepare_embeddings
from lightly_pipeline.selection.objective import Balance, Diversity, Objective, Weights
from lightly_pipeline.selection.tally import Tally
from lightly_pipeline_tests.selection.reference import greedy

STRENGTHS = st.sampled_from([-2.0, -1.0, -0.5, 0.5, 1.0, 3.0])


@st.composite
def embeddings(draw: st.DrawFn) -> GridEmbeddings:
    """Unit vectors of few dimensions with many exact ties and repeated rows."""
    n, dim = draw(st.integers(1, 24)), draw(st.integers(1, 4))
    flat = draw(st.lists(st.integers(-3, 3), min_size=n * dim, max_size=n * dim))
    rows = np.array(flat, dtype=np.float32).reshape(n, dim)
    rows[~rows.any(axis=1)] = 1
    return prepare_embeddings(rows)


def numbers(n: int) -> st.SearchStrategy[np.ndarray]:
    few = st.sampled_from([0.0, 0.0, 0.125, 0.5, 1.0, 1.0, 2.5, 7.0])
    return st.lists(few, min_size=n, max_size=n).map(np.array)


@st.composite
def weights(draw: st.DrawFn, n: int) -> dict[str, Any]:
    values = draw(numbers(n))
    strategy = {"kind": "W", "strength": draw(STRENGTHS), "values": values}
    limit = draw(st.sampled_from(["", "", "minimum", "max_sum", "target_range"]))
    value = draw(st.sampled_from([0.0, *values.tolist(), values.sum() / 2]))
    if limit:
        strategy[limit] = (value, value + 1.5) if limit == "target_range" else value
    return strategy


@st.composite
def balance(draw: st.DrawFn, n: int) -> dict[str, Any]:
    n_classes = draw(st.integers(1, 4))
    if draw(st.booleans()):
        rows = np.eye(n_classes)[
            draw(st.lists(st.integers(0, n_classes - 1), min_size=n, max_size=n))
        ]
    else:
        rows = np.stack([draw(numbers(n)) for _ in range(n_classes)], axis=1)
    target = draw(
        st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=n_classes, max_size=n_classes)
    )
    target[0] += 1.0
    return {"kind": "B", "strength": draw(STRENGTHS), "rows": rows, "target": np.array(target)}


@st.composite
def problems(draw: st.DrawFn) -> dict[str, Any]:
    grid = draw(embeddings())
    n = len(grid)
    strategies: list[dict[str, Any]] = []
    if draw(st.booleans()):
        minimum = draw(st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.0]))
        strategies.append({"kind": "D", "strength": draw(STRENGTHS), "minimum_squared": minimum})
    strategies += draw(st.lists(weights(n), max_size=2))
    strategies += draw(st.lists(balance(n), max_size=2))
    return {
        "grid": grid,
        "strategies": draw(st.permutations(strategies)),
        "k": draw(st.integers(1, n + 2)),
        "preselected": draw(st.lists(st.integers(0, n - 1), max_size=6, unique=True)),
    }


def objective_of(strategies: list[dict[str, Any]]) -> Objective:
    return Objective(tuple(_strategy(i, s) for i, s in enumerate(strategies)))


def _strategy(i: int, s: dict[str, Any]) -> Diversity | Weights | Balance:
    if s["kind"] == "D":
        return Diversity(str(i), s["strength"], s["minimum_squared"])
    if s["kind"] == "W":
        limits = {name: s.get(name) for name in ("minimum", "max_sum", "target_range")}
        return Weights(str(i), s["strength"], s["values"], **limits)
    table, groups = np.unique(s["rows"], axis=0, return_inverse=True)
    names = tuple(map(str, range(len(s["target"]))))
    target = s["target"] / s["target"].sum()
    return Balance(str(i), s["strength"], names, target, table, groups.reshape(-1))


def run(engine: Any, problem: dict[str, Any]) -> tuple[list[int], str]:
    grid, k = problem["grid"], problem["k"]
    preselected = np.array(problem["preselected"], dtype=np.int64)
    tally = Tally(objective_of(problem["strategies"]), grid, k, silent)
    engine(grid, tally, preselected)
    return tally.picks, str(tally.stopped_by)


def expected(problem: dict[str, Any]) -> tuple[list[int], str]:
    return greedy(
        problem["grid"].vectors, problem["strategies"], problem["k"], problem["preselected"]
    )


def directly(grid: GridEmbeddings, tally: Tally, preselected: np.ndarray) -> None:
    if is_by_value(tally.objective):
        pick_by_value(tally, preselected, len(grid))
    else:
        pick_directly(grid, tally, preselected)


@settings(max_examples=300, deadline=None)
@given(problems())
def test_the_direct_engine_equals_the_definition(problem: dict[str, Any]) -> None:
    picks, stopped_by = expected(problem)
    found, reason = run(directly, problem)
    assert found == picks
    if len(picks) + len(problem["preselected"]) < len(problem["grid"]):
        assert reason == stopped_by


def combines_diversity(problem: dict[str, Any]) -> bool:
    diverse = [s for s in problem["strategies"] if s["kind"] == "D" and s["strength"] > 0]
    return bool(diverse) and len(problem["strategies"]) > 1


@settings(max_examples=300, deadline=None)
@given(problems().filter(combines_diversity), st.integers(1, 8), st.integers(1, 8))
def test_the_lazy_engine_equals_the_definition(
    problem: dict[str, Any], n_hot: int, block_rows: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lazy, "_MIN_HOT", n_hot)
        patch.setattr(lazy, "_MIN_HOT_PER_GROUP", 1)
        patch.setattr(lazy, "_MAX_HOT", 2 * n_hot)
        patch.setattr(lazy, "BLOCK_ROWS", block_rows)
        assert run(lazy.pick_lazily, problem) == run(directly, problem)
    assert run(lazy.pick_lazily, problem)[0] == expected(problem)[0]
