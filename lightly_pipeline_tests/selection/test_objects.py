"""`select` by the objects of a task: what each strategy makes of them, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.selection import (
    Objects,
    SelectionResult,
    engines,
    prepare_embeddings,
    select,
)

N, DIM = 40, 6
RNG = np.random.default_rng(5)
ROWS = RNG.normal(size=(N, 4)).astype(np.float32)
VALUES = RNG.random(N)
COUNTS = np.array([0, 3, 1, 2, 5] * (N // 5))
STARTS = np.append(0, np.cumsum(COUNTS))
VECTORS = RNG.normal(size=(STARTS[-1], DIM)).astype(np.float32)
CARS = Objects(VECTORS, STARTS)
UNIT = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)

OF_CARS = {"type": "EMBEDDINGS", "task": "cars"}


def entry(source: dict[str, Any] | str, kind: str, **options: Any) -> dict[str, Any]:
    if isinstance(source, str):
        source = {"type": "METADATA", "key": source}
    return {"input": source, "strategy": {"type": kind, **options}}


DIVERSITY = entry(OF_CARS, "DIVERSITY")
OF_ROWS = entry({"type": "EMBEDDINGS"}, "DIVERSITY")
WEIGHTS = entry("value", "WEIGHTS")


def chosen(*strategies: dict[str, Any], n: int = 10, **arrays: Any) -> SelectionResult:
    given = {"metadata": {"value": VALUES}, "objects": {"cars": CARS}, **arrays}
    return select(ROWS, {"n_samples": n, "strategies": list(strategies)}, **given)


def picks(*strategies: dict[str, Any], **arguments: Any) -> list[int]:
    return chosen(*strategies, **arguments).indices.tolist()


def members(row: int) -> slice:
    return slice(int(STARTS[row]), int(STARTS[row + 1]))


def mean_squared(row: int, before: list[int]) -> float:
    """D of a row by its definition; 0 without objects."""
    among = np.concatenate([UNIT[members(other)] for other in before])
    pairs = ((UNIT[members(row)][:, None] - among[None]) ** 2).sum(axis=2)
    return float(pairs.min(axis=1).mean()) if len(pairs) else 0.0


def test_each_pick_has_the_objects_that_are_farthest_on_average() -> None:
    found = picks(DIVERSITY, n=20)
    # Row 0 has no object.
    assert found[0] == 1
    for i in range(1, 20):
        left = [row for row in range(N) if row not in found[:i]]
        by_row = [mean_squared(row, found[:i]) for row in left]
        assert found[i] == left[int(np.argmax(by_row))]


def test_rows_without_objects_come_last_in_their_order() -> None:
    found = picks(DIVERSITY, n=N)
    without = np.flatnonzero(COUNTS == 0).tolist()
    assert found[-len(without) :] == without
    assert picks(entry(OF_CARS, "DIVERSITY", strength=-1), n=len(without)) == without


@pytest.mark.parametrize("must_be_lazy", [False, True])
@pytest.mark.parametrize("others", [(), (WEIGHTS,), (entry("kind", "BALANCE", target={"a": 0.5}),)])
def test_rows_that_are_their_own_only_object_are_chosen_as_rows_are(
    others: tuple[dict[str, Any], ...], must_be_lazy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if must_be_lazy:
        monkeypatch.setattr(engines, "_LAZY_FROM_PICKS", 0)
        monkeypatch.setattr(engines, "_LAZY_FROM_PRODUCTS", 0)
    arrays: dict[str, Any] = {
        "metadata": {"value": VALUES, "kind": np.array(["a", "b"] * (N // 2))},
        "objects": {"cars": Objects(ROWS, np.arange(N + 1))},
        "preselected": [5, 17],
    }
    by_rows = chosen(OF_ROWS, *others, **arrays)
    by_objects = chosen(DIVERSITY, *others, **arrays)
    assert by_objects.indices.tolist() == by_rows.indices.tolist()
    (distances,) = by_objects.object_distances.values()
    assert distances.tolist() == by_rows.distances.tolist() == by_objects.distances.tolist()
    assert by_objects.strategies[0].coverage_radius == by_rows.coverage_radius
    assert by_objects.coverage_radius == pytest.approx(by_rows.coverage_radius, abs=1e-12)


def test_a_threshold_takes_the_objects_of_what_it_removes_away() -> None:
    keep = VALUES > 0.4
    threshold = entry("value", "THRESHOLD", threshold=0.4, operation="BIGGER")
    typical, diverse = entry(OF_CARS, "TYPICALITY"), entry(OF_CARS, "DIVERSITY")
    found = chosen(threshold, diverse, typical, n=8)
    rows = np.flatnonzero(keep)
    rest = select(
        ROWS[keep],
        {"n_samples": 8, "strategies": [diverse, typical]},
        objects={"cars": CARS.take(rows)},
    )
    assert found.indices.tolist() == rows[rest.indices].tolist()
    assert found.strategies == rest.strategies


def test_objects_of_preselected_rows_count_as_chosen() -> None:
    before = [4, 9]
    found = picks(DIVERSITY, preselected=before, n=1)
    left = [row for row in range(N) if row not in before]
    assert found == [left[int(np.argmax([mean_squared(row, before) for row in left]))]]


def test_preselected_rows_without_objects_leave_the_first_pick_open() -> None:
    assert picks(DIVERSITY, preselected=[0, 5], n=1) == [1]


def test_the_distance_to_stop_at_is_the_root_of_the_mean_square() -> None:
    everything = chosen(DIVERSITY, n=N)
    (distances,) = everything.object_distances.values()
    stop = float(distances[11])
    stopped = chosen(
        entry(OF_CARS, "DIVERSITY", stopping_condition_minimum_distance=stop * (1 + 1e-9)), n=N
    )
    assert stopped.stopped_by == "minimum_distance"
    assert stopped.indices.tolist() == everything.indices[:11].tolist()


def test_all_strategies_go_together_and_each_is_told_by_its_name() -> None:
    signs = Objects(VECTORS[::-1].copy(), STARTS)
    result = chosen(
        OF_ROWS,
        DIVERSITY,
        entry({"type": "EMBEDDINGS", "task": "signs"}, "DIVERSITY", strength=0.5),
        entry(OF_CARS, "TYPICALITY"),
        entry({**OF_CARS, "tag_name": "night"}, "SIMILARITY"),
        WEIGHTS,
        objects={"cars": CARS, "signs": signs},
        queries={(None, "night", "cars"): VECTORS[:2]},
        preselected=[3],
        n=25,
    )
    names = [outcome.name for outcome in result.strategies]
    assert names == [
        "DIVERSITY of EMBEDDINGS",
        "DIVERSITY of EMBEDDINGS cars",
        "DIVERSITY of EMBEDDINGS signs",
        "TYPICALITY of EMBEDDINGS cars",
        "SIMILARITY of EMBEDDINGS cars night",
        "WEIGHTS of METADATA value",
    ]
    assert set(result.decided_by) <= set(names)
    assert list(result.object_distances) == names[1:3]
    assert result.strategies[1].n_objects == COUNTS[result.indices].sum()
    chosen_rows = [3, *result.indices.tolist()]
    among = np.concatenate([UNIT[members(row)] for row in chosen_rows])
    pairs = np.linalg.norm(UNIT[:, None] - among[None], axis=2)
    assert result.strategies[1].coverage_radius == pytest.approx(pairs.min(axis=1).max(), abs=1e-6)
    assert {"n_objects", "coverage_radius"} <= set(result.as_dict()["strategies"][1])


def test_many_picks_are_the_same_by_either_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 1500
    counts = RNG.integers(0, 4, n)
    walk = np.cumsum(RNG.normal(size=(counts.sum(), 12)), axis=0).astype(np.float32)
    rows = np.cumsum(RNG.normal(size=(n, 8)), axis=0).astype(np.float32)
    cars = Objects(walk, np.append(0, np.cumsum(counts)))
    arrays = {"objects": {"cars": cars}, "metadata": {"value": RNG.random(n)}, "preselected": [7]}
    for strategies in ([DIVERSITY], [DIVERSITY, OF_ROWS], [DIVERSITY, WEIGHTS]):
        config = {"n_samples": 260, "strategies": strategies}
        monkeypatch.setattr(engines, "_LAZY_FROM_PRODUCTS", 1e30)
        direct = select(rows, config, **arrays)
        monkeypatch.setattr(engines, "_LAZY_FROM_PRODUCTS", 0)
        lazy = select(rows, config, **arrays)
        assert lazy.indices.tolist() == direct.indices.tolist()
        assert lazy.as_dict() == direct.as_dict()
        assert lazy.decided_by == direct.decided_by


def test_several_strategies_of_one_task_are_one_with_the_sum_of_the_strengths() -> None:
    twice = chosen(DIVERSITY, WEIGHTS, DIVERSITY)
    assert twice.strategies[0].name == "DIVERSITY of EMBEDDINGS cars"
    assert twice.strategies[0].strength == 2.0
    once = picks(entry(OF_CARS, "DIVERSITY", strength=2.0), WEIGHTS)
    assert twice.indices.tolist() == once
    assert picks(DIVERSITY, WEIGHTS, entry(OF_CARS, "DIVERSITY", strength=-1)) == picks(WEIGHTS)


def test_typicality_is_the_mean_over_objects_among_all_of_them() -> None:
    found = chosen(entry(OF_CARS, "TYPICALITY", num_nearest_neighbors=3), n=N)
    pairs = np.linalg.norm(UNIT[:, None].astype(np.float64) - UNIT[None], axis=2)
    np.fill_diagonal(pairs, np.inf)
    nearest = np.sort(pairs, axis=1)[:, :3]
    by_object = np.exp(-nearest / nearest.mean(axis=1).mean()).mean(axis=1)
    by_row = [by_object[members(row)].mean() if COUNTS[row] else 0 for row in range(N)]
    assert found.indices.tolist() == np.argsort(np.negative(by_row), kind="stable").tolist()
    assert found.strategies[0].sum == pytest.approx(by_object.sum(), rel=1e-6)


def test_similarity_is_that_of_the_best_object() -> None:
    similar = entry({**OF_CARS, "tag_name": "night"}, "SIMILARITY")
    queries = {(None, "night", "cars"): VECTORS[[4, 20]], (None, "night"): ROWS[[3]]}
    found = chosen(similar, n=N, queries=queries)
    pairs = np.linalg.norm(UNIT[:, None].astype(np.float64) - UNIT[None, [4, 20]], axis=2)
    nearest = pairs.min(axis=1)
    by_object = np.exp(-nearest / nearest.mean())
    by_row = [by_object[members(row)].max(initial=0) for row in range(N)]
    assert found.indices.tolist() == np.argsort(np.negative(by_row), kind="stable").tolist()
    assert found.strategies[0].sum == pytest.approx(by_object.sum(), rel=1e-6)
    with pytest.raises(InvalidConfigurationError, match="not in the queries given"):
        chosen(similar, queries={(None, "night"): ROWS[[3]]})


def test_given_vectors_stay_as_they_are_in_memory_or_in_a_file(tmp_path: Path) -> None:
    expected = chosen(DIVERSITY, WEIGHTS)
    assert np.array_equal(CARS.vectors, VECTORS)
    file = tmp_path / "vectors.npy"
    np.save(file, VECTORS)
    mapped = Objects(np.load(file, mmap_mode="r"), STARTS)
    prepared = Objects(prepare_embeddings(VECTORS.copy(), compact=True), STARTS)
    threshold = entry("value", "THRESHOLD", threshold=0.2, operation="BIGGER")
    filtered = picks(DIVERSITY, WEIGHTS, threshold)
    for cars in (mapped, prepared):
        found = chosen(DIVERSITY, WEIGHTS, objects={"cars": cars})
        assert found.indices.tolist() == expected.indices.tolist()
        assert found.as_dict() == expected.as_dict()
        assert picks(DIVERSITY, WEIGHTS, threshold, objects={"cars": cars}) == filtered


def test_the_order_of_objects_within_a_row_changes_nothing() -> None:
    order = np.concatenate([RNG.permutation(np.arange(STARTS[-1])[members(i)]) for i in range(N)])
    shuffled = Objects(VECTORS[order], STARTS)
    result = chosen(DIVERSITY, OF_ROWS, objects={"cars": shuffled})
    assert result.as_dict() == chosen(DIVERSITY, OF_ROWS).as_dict()


def test_lengths_count_where_they_are_not_normalised() -> None:
    rows = np.ones((3, 2), np.float32)
    vectors = np.array([[0, 0], [3, 0], [1, 0], [0, 2]], np.float32)
    cars = Objects(vectors, np.array([0, 1, 2, 4]))
    config = {"n_samples": 3, "strategies": [DIVERSITY]}
    result = select(rows, config, objects={"cars": cars}, normalize=False)
    assert result.indices.tolist() == [0, 1, 2]
    # Of the objects of row 2, both are nearest to that of row 0: squared 1 and 4.
    (distances,) = result.object_distances.values()
    assert distances[1:] == pytest.approx([3.0, np.sqrt(2.5)])


def test_where_nobody_has_an_object_the_strategy_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    nothing = {"cars": Objects(np.empty((0, DIM), np.float32), np.zeros(N + 1, np.int64))}
    assert picks(DIVERSITY, n=3, objects=nothing) == [0, 1, 2]
    assert "no frame has an object of task cars" in caplog.text
    similar = entry({**OF_CARS, "tag_name": "night"}, "SIMILARITY")
    queries = {(None, "night", "cars"): VECTORS[:1]}
    mixed = (DIVERSITY, similar, entry(OF_CARS, "TYPICALITY"), WEIGHTS)
    assert picks(*mixed, objects=nothing, queries=queries) == picks(WEIGHTS)


@pytest.mark.parametrize(
    ("cars", "message"),
    [
        (VECTORS, r"given as Objects\(vectors, starts\), not as ndarray"),
        (Objects(VECTORS.astype(np.float64), STARTS), "float32 array of shape"),  # type: ignore[arg-type]
        (Objects(VECTORS[:, 0], STARTS), "float32 array of shape"),
        (Objects(VECTORS, STARTS[1:]), r"starts of objects have shape \(40,\).*shape \(41,\)"),
        (Objects(VECTORS, STARTS * 1.5), "whole numbers"),
        (Objects(VECTORS[1:], STARTS), "must rise from 0 to the 87 objects"),
        (Objects(VECTORS, np.append(STARTS[1:], STARTS[-1])[::-1]), "must rise from 0"),
        (Objects(np.where(VECTORS[3, 0] == VECTORS, np.nan, VECTORS), STARTS), "task cars.*NaN"),
        (Objects(VECTORS * (np.arange(len(VECTORS)) != 4)[:, None], STARTS), "zero.*rows 4"),
    ],
)
def test_objects_that_fit_nothing_are_refused(cars: Any, message: str) -> None:
    with pytest.raises(LightlyPipelineError, match=message):
        chosen(DIVERSITY, objects={"cars": cars})


@pytest.mark.parametrize(
    ("strategies", "message"),
    [
        ([entry({**OF_CARS, "task": "car"}, "DIVERSITY")], "did you mean cars"),
        ([entry(OF_CARS, "SIMILARITY")], "with task: this input goes with DIVERSITY, TYPICALITY"),
        ([entry({**OF_CARS, "tag_name": "night"}, "DIVERSITY")], "this input goes with SIMILARITY"),
        ([entry(OF_CARS, "WEIGHTS")], "does not work with EMBEDDINGS with task"),
    ],
)
def test_what_objects_are_not_for_is_refused(
    strategies: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(InvalidConfigurationError, match=message):
        chosen(*strategies)


def test_approximate_diversity_is_for_rows() -> None:
    with pytest.raises(InvalidConfigurationError, match="nothing about DIVERSITY of EMBEDDINGS w"):
        chosen(DIVERSITY, approximate_diversity={"every_nth": 2})
