"""Selections from a part of the rows keep the bound they name."""

import json
import logging
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.selection import SelectionResult, select
from lightly_pipeline.selection.vectors.threads import blas_threads

pytestmark = pytest.mark.slow

DIVERSITY = {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}
WAYS: dict[str, dict[str, int]] = {
    "every 10th": {"every_nth": 10},
    "every 7th": {"every_nth": 7},
    "shards": {"shard_size": 300},
    "shards of few picks": {"shard_size": 300, "picks_per_shard": 10},
}
each_way = pytest.mark.parametrize("how", WAYS.values(), ids=WAYS.keys())


def walk(n: int = 2000, dim: int = 8, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (3 + np.cumsum(rng.normal(size=(n, dim)) * 0.1, axis=0)).astype(np.float32)


def apart(distance: float) -> dict[str, Any]:
    """DIVERSITY that stops at a distance."""
    options = {"type": "DIVERSITY", "stopping_condition_minimum_distance": distance}
    return {"input": {"type": "EMBEDDINGS"}, "strategy": options}


def chosen(
    rows: np.ndarray, n: int, how: dict[str, int], *strategies: dict[str, Any], **options: Any
) -> SelectionResult:
    config = {"n_samples": n, "strategies": list(strategies or [DIVERSITY])}
    return select(rows, config, approximate_diversity=how, **options)


def distances(rows: np.ndarray, to: np.ndarray, *, normalize: bool = True) -> np.ndarray:
    """The distance of each row to the nearest of some rows, by the definition."""
    exact = rows.astype(np.float64)
    if normalize:
        exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    return np.sqrt(((exact[:, None] - exact[to][None]) ** 2).sum(axis=2)).min(axis=1)


@pytest.mark.parametrize("normalize", [True, False], ids=["unit", "any length"])
@each_way
def test_no_row_is_farther_from_a_pick_than_the_bound(how: dict[str, int], normalize: bool) -> None:
    rows = walk()
    result = chosen(rows, 40, how, normalize=normalize)
    assert len(set(result.indices.tolist())) == 40
    assert result.coverage_bound is not None
    radius = distances(rows, result.indices, normalize=normalize).max()
    assert radius <= result.coverage_bound + 1e-6
    assert result.coverage_radius == pytest.approx(radius, abs=1e-6)
    assert result.coverage_rows == len(rows)


@settings(max_examples=60)
@given(data=st.data(), n=st.integers(1, 60), k=st.integers(1, 70), seed=st.integers(0, 99))
def test_the_bound_holds_whatever_was_chosen_before_and_wherever_it_stops(
    data: st.DataObject, n: int, k: int, seed: int
) -> None:
    rows = walk(n, 3, seed)
    # Copies, and far jumps as between videos.
    rows[:: data.draw(st.integers(2, 9))] *= -1
    before = data.draw(st.lists(st.integers(0, n - 1), unique=True))
    stop = data.draw(st.sampled_from([0.0, 0.05, 0.5]))
    size = data.draw(st.integers(1, 70))
    how = data.draw(
        st.sampled_from(
            [
                {"every_nth": size},
                {"shard_size": size},
                {"shard_size": size, "picks_per_shard": 2},
            ]
        )
    )
    result = chosen(rows, k, how, apart(stop), preselected=before)
    assert not set(result.indices.tolist()) & set(before)
    everything = np.concatenate([before, result.indices]).astype(np.int64)
    if len(everything):
        assert result.coverage_bound is not None
        assert distances(rows, everything).max() <= result.coverage_bound + 1e-6
    assert np.all(result.distances >= stop)
    if result.stopped_by == "n_samples":
        assert len(result.indices) == min(k, n - len(before))
    if result.stopped_by == "minimum_distance" and "shard_size" in how:
        assert distances(rows, everything).max() < 2 * stop + 1e-6


@pytest.mark.parametrize(
    "how", [{"every_nth": 1}, {"shard_size": 2000}], ids=["every row", "one shard"]
)
def test_looking_at_every_row_is_exact(how: dict[str, int]) -> None:
    rows = walk()
    exact = select(rows, {"n_samples": 150, "strategies": [DIVERSITY]})
    result = chosen(rows, 150, how)
    assert result.indices.tolist() == exact.indices.tolist()
    assert result.distances.tolist() == exact.distances.tolist()
    assert result.coverage_bound == exact.coverage_radius == result.coverage_radius
    assert exact.coverage_bound is None


def test_only_every_nth_candidate_is_chosen_counted_after_thresholds_and_chosen_frames() -> None:
    rows, values = walk(400), np.arange(400) % 2
    odd = {
        "input": {"type": "METADATA", "key": "odd"},
        "strategy": {"type": "THRESHOLD", "threshold": 0.5, "operation": "BIGGER"},
    }
    before = [1, 5, 2]
    result = chosen(
        rows, 10, {"every_nth": 4}, odd, DIVERSITY, metadata={"odd": values}, preselected=before
    )
    candidates = [row for row in range(400) if row % 2 and row not in before]
    assert set(result.indices.tolist()) <= set(candidates[::4])
    assert len(result.indices) == 10


@each_way
def test_a_distance_to_stop_at_keeps_picks_apart_and_is_told(how: dict[str, int]) -> None:
    result = chosen(walk(), 2000, how, apart(0.4))
    assert result.stopped_by == "minimum_distance"
    assert result.minimum_distance is not None
    assert result.minimum_distance >= 0.4


def test_shards_that_all_stopped_at_the_distance_are_no_shortage() -> None:
    rows = np.repeat(np.eye(5, dtype=np.float32), 300, axis=0)
    result = chosen(rows, 1000, {"shard_size": 300}, apart(0.1))
    assert result.indices.tolist() == [0, 300, 600, 900, 1200]
    assert result.stopped_by == "minimum_distance"
    assert result.coverage_bound == 0


def test_wanting_more_than_is_looked_at_gives_all_of_it_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        result = chosen(walk(200), 50, {"every_nth": 10})
    assert result.indices.tolist() != list(range(0, 200, 10))
    assert sorted(result.indices.tolist()) == list(range(0, 200, 10))
    assert result.stopped_by == "candidates_exhausted"
    assert "leaves 20 of 200 candidates" in caplog.text


@each_way
def test_matrix_products_stay_in_one_thread_and_every_run_gives_the_same(
    how: dict[str, int],
) -> None:
    seen: set[int | None] = set()
    first = chosen(walk(), 150, how, progress=lambda *_: seen.add(blas_threads()))
    assert seen <= {1, None}
    assert chosen(walk(), 150, how).indices.tolist() == first.indices.tolist()


def test_the_bound_is_in_the_figures_as_json() -> None:
    result = chosen(walk(), 40, {"every_nth": 10})
    figures = json.loads(json.dumps(result.as_dict()))
    assert figures["coverage_bound"] == result.coverage_bound
    assert figures["coverage_radius"] <= figures["coverage_bound"]


@pytest.mark.parametrize(
    ("how", "strategies", "message"),
    [
        ({"every_nth": 0}, [DIVERSITY], "every_nth: .*greater than or equal to 1"),
        ({"every_nht": 2}, [DIVERSITY], "did you mean every_nth"),
        ({"every_nth": 2, "shard_size": 2}, [DIVERSITY], "one of every_nth and shard_size"),
        ({"picks_per_shard": 2}, [DIVERSITY], "picks_per_shard needs shard_size"),
        (
            {"every_nth": 2},
            [DIVERSITY, {"input": {"type": "RANDOM"}, "strategy": {"type": "WEIGHTS"}}],
            "goes with DIVERSITY alone.*nothing about WEIGHTS",
        ),
        (
            {"shard_size": 2},
            [{"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "TYPICALITY"}}],
            "goes with DIVERSITY alone.*nothing about TYPICALITY",
        ),
        (
            {"every_nth": 2},
            [{"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY", "strength": -1}}],
            "needs a DIVERSITY strategy of positive strength",
        ),
    ],
)
def test_what_cannot_be_approximated_is_refused_before_any_work(
    how: dict[str, int], strategies: list[dict[str, Any]], message: str
) -> None:
    def work(*_: Any) -> None:
        raise AssertionError("work was begun")

    with pytest.raises(InvalidConfigurationError, match=message):
        chosen(walk(500), 200, how, *strategies, progress=work)
