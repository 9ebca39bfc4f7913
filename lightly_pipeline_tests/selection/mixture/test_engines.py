"""The engines give the sequence of the definition, for every mixture of strategies."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightly_pipeline.progress import silent
from lightly_pipeline.selection.lazy import blocks
from lightly_pipeline.selection.mixture import rounds
from lightly_pipeline.selection.mixture.direct import is_by_value, pick_by_value, pick_directly
from lightly_pipeline.selection.mixture.objective import Balance, Diversity, Objective, Weights
from lightly_pipeline.selection.mixture.tally import Tally
from lightly_pipeline.selection.vectors.grid import GridEmbeddings, prepare_embeddings
from lightly_pipeline.selection.vectors.parts import NOTHING, Parts
from lightly_pipeline_tests.selection.reference import greedy

pytestmark = pytest.mark.slow

STRENGTHS = st.sampled_from([-2.0, -1.0, -0.5, 0.5, 1.0, 3.0])


@st.composite
def embeddings(draw: st.DrawFn, n_rows: int | None = None) -> GridEmbeddings:
    """Unit vectors of few dimensions with ties and copies, or nearly so, compact or not."""
    n = draw(st.integers(1, 24)) if n_rows is None else n_rows
    dim = draw(st.integers(1, 4))
    flat = draw(st.lists(st.integers(-3, 3), min_size=n * dim, max_size=n * dim))
    rows = np.array(flat, dtype=np.float32).reshape(n, dim)
    rows[~rows.any(axis=1)] = 1
    step = draw(st.sampled_from([0.0, 0.0, 2.0**-13, 2.0**-20]))
    rows += np.float32(step) * np.random.default_rng(n).integers(-2, 3, rows.shape)
    return prepare_embeddings(rows, compact=draw(st.booleans()))


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
def weights_of_objects(draw: st.DrawFn, n: int) -> dict[str, Any]:
    """Values of the best object, or of none, and sums over all."""
    counts = np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    values = np.where(counts > 0, draw(numbers(n)), -np.inf)
    gains = np.where(counts > 0, values * np.maximum(counts, 1), 0.0)
    strategy = {"kind": "W", "strength": draw(STRENGTHS), "values": values, "gains": gains}
    if draw(st.booleans()):
        strategy["minimum"] = draw(st.sampled_from([0.0, 0.5, 2.0]))
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
def diversity(draw: st.DrawFn, n: int, *, of_objects: bool) -> dict[str, Any]:
    minimum = draw(st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.0]))
    strategy = {"kind": "D", "strength": draw(STRENGTHS), "minimum_squared": minimum}
    if of_objects:
        counts = draw(st.lists(st.sampled_from([0, 1, 1, 2, 3, 7]), min_size=n, max_size=n))
        starts = np.append(0, np.cumsum(counts))
        grid = draw(embeddings(int(starts[-1])))
        strategy |= {"parts": Parts(grid, starts), "vectors": grid.vectors, "starts": starts}
    return strategy


@st.composite
def problems(draw: st.DrawFn) -> dict[str, Any]:
    grid = draw(embeddings())
    n = len(grid)
    strategies: list[dict[str, Any]] = []
    if draw(st.booleans()):
        strategies.append(draw(diversity(n, of_objects=False)))
    strategies += draw(st.lists(diversity(n, of_objects=True), max_size=2))
    strategies += draw(st.lists(weights(n), max_size=2))
    strategies += draw(st.lists(weights_of_objects(n), max_size=1))
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
        return Diversity(str(i), s["strength"], s["minimum_squared"], s.get("parts"))
    if s["kind"] == "W":
        others = {name: s.get(name) for name in ("minimum", "max_sum", "target_range", "gains")}
        return Weights(str(i), s["strength"], np.maximum(s["values"], NOTHING), **others)
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


@settings(max_examples=300)
@given(problems())
def test_the_direct_engine_equals_the_definition(problem: dict[str, Any]) -> None:
    picks, stopped_by = expected(problem)
    found, reason = run(directly, problem)
    assert found == picks
    if len(picks) + len(problem["preselected"]) < len(problem["grid"]):
        assert reason == stopped_by


def is_for_laziness(problem: dict[str, Any]) -> bool:
    strengths = [s["strength"] for s in problem["strategies"] if s["kind"] == "D"]
    return bool(strengths) and min(strengths) > 0


def change_places(patch: pytest.MonkeyPatch) -> None:
    """Sorts rows into blocks anew in every round, however near each other they are already."""
    patch.setattr(blocks, "_REGROUP_FROM_PICKS", 1)
    patch.setattr(blocks, "_MAX_LEFT_OUT", 1.0)


@settings(max_examples=150)
@given(problems().filter(is_for_laziness), st.integers(1, 8), st.integers(1, 8), st.booleans())
def test_the_lazy_engine_equals_the_definition(
    problem: dict[str, Any], n_active: int, block_rows: int, rows_change_places: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if rows_change_places:
            change_places(patch)
        patch.setattr(rounds, "_MIN_ACTIVE", n_active)
        patch.setattr(rounds, "_MIN_ACTIVE_PER_GROUP", 1)
        patch.setattr(rounds, "_MAX_ACTIVE", 2 * n_active)
        patch.setattr(blocks, "_BLOCK_ROWS", block_rows)
        found = run(rounds.pick_lazily, problem)
    assert found == run(directly, problem)
    assert found[0] == expected(problem)[0]


def _spiral() -> np.ndarray:
    angles = np.array([0.0, *(2.0**-i for i in range(1, 25))])
    return np.stack([np.cos(angles), np.sin(angles)], 1)


def _outlier_and_ball() -> np.ndarray:
    ball = np.array([1.0, 0, 0]) + np.random.default_rng(0).normal(size=(40, 3)) * 1e-3
    return np.vstack([ball[:20], [[-1.0, 0, 0]], ball[20:]])


ADVERSARIAL = {
    "all rows equal": np.ones((30, 3)),
    "two points, many copies": np.array([[1, 0], [0, 1], [0, 1]] * 12),
    "few points, many copies": np.tile(np.random.default_rng(1).normal(size=(8, 3)), (6, 1)),
    "axes and their opposites": np.vstack([np.eye(12), -np.eye(12)]),
    "collinear": np.outer([1, 2, -3, 4, -5, 6] * 5, [1.0, 2.0]),
    "simplex": np.eye(30),
    "one outlier and a ball": _outlier_and_ball(),
    "distances halving": _spiral(),
    "one row": np.ones((1, 2)),
    "one dimension": np.array([[1.0], [-2.0], [3.0], [-1.0]]),
}
MIXTURES = ("D W", "D W W-", "D B", "D W B", "D- W", "W B", "D- W- B-")


@pytest.mark.parametrize("compact", [False, True], ids=["", "compact"])
@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize("rows", ADVERSARIAL.values(), ids=ADVERSARIAL.keys())
def test_adversarial_rows_are_chosen_as_defined(
    rows: np.ndarray, mixture: str, compact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "_MIN_ACTIVE", 4)
    monkeypatch.setattr(rounds, "_MIN_ACTIVE_PER_GROUP", 2)
    monkeypatch.setattr(blocks, "_BLOCK_ROWS", 7)
    n = len(rows)
    # Equal weights and classes in long runs: as many ties as there can be.
    parts = {
        "D": {"kind": "D", "minimum_squared": 0.0},
        "W": {"kind": "W", "values": np.repeat([0.0, 1.0, 0.5], n)[::3][:n]},
        "B": {"kind": "B", "rows": np.eye(3)[np.arange(n) // 5 % 3], "target": np.ones(3)},
    }
    strategies = [
        {**parts[part[0]], "strength": -1.0 if part.endswith("-") else 1.0}
        for part in mixture.split()
    ]
    grid = prepare_embeddings(rows.astype(np.float32), compact=compact)
    problem = {"grid": grid, "strategies": strategies, "k": n + 5, "preselected": []}
    picks = expected(problem)[0]
    assert run(directly, problem)[0] == picks
    if is_for_laziness(problem):
        assert run(rounds.pick_lazily, problem)[0] == picks


def test_the_spread_of_the_chosen_is_as_of_now_not_as_of_when_they_were_picked() -> None:
    """Lightly's text can be read either way; its engine keeps A up to date."""
    rng = np.random.default_rng(3)
    grid = prepare_embeddings(rng.normal(size=(80, 5)).astype(np.float32))
    strategies = [
        {"kind": "D", "strength": 1.0, "minimum_squared": 0.0},
        {"kind": "W", "strength": 1.0, "values": rng.random(80)},
    ]
    problem = {"grid": grid, "strategies": strategies, "k": 40, "preselected": []}
    tally = Tally(objective_of(strategies), grid, 40, silent)
    pick_directly(grid, tally, np.empty(0, dtype=np.int64))
    assert tally.picks == expected(problem)[0]
    rows = grid.vectors[tally.picks].astype(np.float64)
    pairs = ((rows[:, None] - rows[None]) ** 2).sum(axis=2) + np.diag(np.full(40, np.inf))
    assert tally.spreads[0].total == pytest.approx(pairs.min(axis=1).sum(), abs=1e-12)


def walk(n: int, dim: int = 24) -> GridEmbeddings:
    """Rows as the frames of a video are."""
    rng = np.random.default_rng(4)
    steps = rng.normal(size=(n, dim)) * 0.05
    steps[:: n // 30] = rng.normal(size=steps[:: n // 30].shape)
    return prepare_embeddings(np.cumsum(steps, axis=0).astype(np.float32) + 1e-3)


def mixture_over(n: int) -> Objective:
    rng = np.random.default_rng(5)
    kinds = rng.choice(4, n, p=[0.7, 0.2, 0.08, 0.02])
    return Objective(
        (
            Diversity("d", 1.0),
            Weights("w", 0.7, rng.random(n)),
            Balance("b", 1.5, tuple("abcd"), np.full(4, 0.25), np.eye(4), kinds),
        )
    )


def lazily(grid: GridEmbeddings, objective: Objective, k: int) -> list[int]:
    tally = Tally(objective, grid, k, silent)
    rounds.pick_lazily(grid, tally, np.array([7, 100], dtype=np.int64))
    return tally.picks


def test_block_and_active_set_sizes_and_column_order_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grid, objective = walk(2000), mixture_over(2000)
    tally = Tally(objective, grid, 150, silent)
    pick_directly(grid, tally, np.array([7, 100], dtype=np.int64))
    assert lazily(grid, objective, 150) == tally.picks
    for block_rows, n_active in ((64, 16), (1000, 2000)):
        monkeypatch.setattr(blocks, "_BLOCK_ROWS", block_rows)
        monkeypatch.setattr(rounds, "_MIN_ACTIVE", n_active)
        assert lazily(grid, objective, 150) == tally.picks
    change_places(monkeypatch)
    monkeypatch.setattr(blocks, "_BLOCK_ROWS", 32)
    assert lazily(grid, objective, 150) == tally.picks
    order = np.random.default_rng(0).permutation(24)
    columns = np.ascontiguousarray(grid.vectors[:, order])
    permuted = GridEmbeddings(columns, grid.squared_norms, grid.scale)
    assert lazily(permuted, objective, 150) == tally.picks


def test_a_shorter_run_is_a_prefix_and_a_stop_cuts_one() -> None:
    grid, objective = walk(1500), mixture_over(1500)
    picks = lazily(grid, objective, 120)
    assert lazily(grid, objective, 60) == picks[:60]
    diversity, *others = objective.strategies
    stopping = Objective((Diversity("d", diversity.strength, 0.3), *others))
    stopped = lazily(grid, stopping, 120)
    assert 0 < len(stopped) < 120
    assert stopped == picks[: len(stopped)]


def test_scaling_all_weights_changes_nothing() -> None:
    grid, objective = walk(1500), mixture_over(1500)
    diversity, weights, balance = objective.strategies
    assert isinstance(weights, Weights)
    doubled = Weights("w", weights.strength, 2 * weights.values)
    assert lazily(grid, Objective((diversity, doubled, balance)), 100) == lazily(
        grid, objective, 100
    )


def test_permuting_rows_permutes_the_picks() -> None:
    grid, objective = walk(1200), mixture_over(1200)
    order = np.random.default_rng(1).permutation(1200)
    permuted = GridEmbeddings(grid.vectors[order], grid.squared_norms[order], grid.scale)
    tallies = [
        Tally(o, g, 80, silent) for o, g in [(objective, grid), (objective.take(order), permuted)]
    ]
    for tally, rows in zip(tallies, (grid, permuted), strict=True):
        rounds.pick_lazily(rows, tally, np.empty(0, dtype=np.int64))
    assert order[tallies[1].picks].tolist() == tallies[0].picks


@pytest.mark.parametrize("must_change_places", [False, True])
def test_the_largest_distance_left_is_that_of_all_rows(
    must_change_places: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks that nobody asked about since their last refresh count with what they missed."""
    if must_change_places:
        change_places(monkeypatch)
    monkeypatch.setattr(blocks, "_BLOCK_ROWS", 32)
    monkeypatch.setattr(rounds, "_MIN_ACTIVE", 16)
    grid, objective = walk(2000), mixture_over(2000)
    before = np.array([7, 100], dtype=np.int64)
    for k in (1, 40, 300, 1998):
        direct, lazy = (Tally(objective, grid, k, silent) for _ in range(2))
        expected = pick_directly(grid, direct, before)
        assert rounds.pick_lazily(grid, lazy, before) == expected
        assert lazy.picks == direct.picks
