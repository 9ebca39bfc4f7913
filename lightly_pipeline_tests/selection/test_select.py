"""`select` on plain arrays: what each strategy of a configuration does, and what is refused."""

import json
from typing import Any

import numpy as np
import pytest

from lightly_pipeline.config import SelectionConfig
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.selection import (
    Categories,
    SelectionResult,
    engines,
    exact_duplicates,
    select,
)
from lightly_pipeline.selection.vectors.grid import prepare_embeddings

N = 40
RNG = np.random.default_rng(5)
ROWS = RNG.normal(size=(N, 6)).astype(np.float32)
SHARPNESS = RNG.random(N)
WEATHER = np.array(["sun", "sun", "rain", "sun", "snow"] * (N // 5))
PREDICTIONS = Categories(
    names=("car", "dog"),
    distribution=RNG.random((N, 2)),
    counts=RNG.integers(0, 4, size=(N, 2)).astype(np.float64),
)

EMBEDDINGS = {"type": "EMBEDDINGS"}
DIVERSITY = {"input": EMBEDDINGS, "strategy": {"type": "DIVERSITY"}}


def entry(source: dict[str, Any] | str, kind: str, **options: Any) -> dict[str, Any]:
    if isinstance(source, str):
        source = {"type": "METADATA", "key": source}
    return {"input": source, "strategy": {"type": kind, **options}}


def chosen(*strategies: dict[str, Any], n: int = 10, **arrays: Any) -> SelectionResult:
    given = {
        "metadata": {"lightly.sharpness": SHARPNESS, "weather": WEATHER},
        "scores": {("yolo", "uncertainty"): SHARPNESS},
        "categories": {"yolo": PREDICTIONS},
        **arrays,
    }
    return select(ROWS, {"n_samples": n, "strategies": list(strategies)}, **given)


def picks(*strategies: dict[str, Any], **arguments: Any) -> list[int]:
    return chosen(*strategies, **arguments).indices.tolist()


SHARP = entry("lightly.sharpness", "WEIGHTS")


def test_weights_alone_are_the_highest_values_and_negative_strength_the_lowest() -> None:
    assert picks(SHARP) == np.argsort(-SHARPNESS)[:10].tolist()
    assert (
        picks(entry("lightly.sharpness", "WEIGHTS", strength=-2))
        == np.argsort(SHARPNESS)[:10].tolist()
    )


def test_weights_alone_may_be_negative() -> None:
    values = SHARPNESS - 0.5
    found = picks(SHARP, metadata={"lightly.sharpness": values})
    assert found == np.argsort(-values)[:10].tolist()


@pytest.mark.parametrize(
    ("operation", "compare"),
    [
        ("SMALLER", np.less),
        ("SMALLER_EQUAL", np.less_equal),
        ("BIGGER", np.greater),
        ("BIGGER_EQUAL", np.greater_equal),
    ],
)
def test_threshold_keeps_what_compares_and_filters_first(operation: str, compare: Any) -> None:
    keep = compare(SHARPNESS, SHARPNESS[7])
    threshold = entry(
        "lightly.sharpness", "THRESHOLD", threshold=float(SHARPNESS[7]), operation=operation
    )
    result = chosen(DIVERSITY, threshold, n=N)
    rest = select(ROWS[keep], {"n_samples": N, "strategies": [DIVERSITY]})
    assert result.indices.tolist() == np.flatnonzero(keep)[rest.indices].tolist()
    assert result.n_removed_by_threshold == N - keep.sum()
    assert picks(threshold, DIVERSITY, n=N) == result.indices.tolist()


def test_preselected_rows_count_as_chosen_and_are_not_returned() -> None:
    before = [3, 17, 8]
    found = chosen(DIVERSITY, preselected=before, n=5)
    assert len(found.indices) == 5
    assert not set(before) & set(found.indices.tolist())
    unit = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)
    farthest = np.linalg.norm(unit[:, None] - unit[before][None], axis=2).min(axis=1).argmax()
    assert found.indices[0] == farthest


def test_random_depends_on_the_seed_only() -> None:
    random = {"type": "RANDOM"}
    first = picks(entry(random, "WEIGHTS"), seed=3)
    assert first == picks(entry({**random, "random_seed": 3}, "WEIGHTS"), seed=8)
    assert first != picks(entry(random, "WEIGHTS"), seed=4)
    # Whatever machine this runs on.
    assert first == [21, 15, 33, 24, 2, 27, 37, 14, 8, 38]


def test_balance_meets_its_target() -> None:
    target = {"sun": 0.2, "rain": 0.5, "snow": 0.3}
    result = chosen(entry("weather", "BALANCE", target=target))
    assert dict(zip(*np.unique(WEATHER[result.indices], return_counts=True), strict=True)) == {
        "sun": 2,
        "rain": 5,
        "snow": 3,
    }
    (outcome,) = result.strategies
    assert outcome.target == target
    assert outcome.achieved == pytest.approx(target)


def test_what_targets_leave_goes_to_all_other_classes_together() -> None:
    result = chosen(entry("weather", "BALANCE", target={"rain": 0.4}))
    assert np.count_nonzero(WEATHER[result.indices] == "rain") == 4
    assert result.strategies[0].achieved == pytest.approx({"rain": 0.4, "(all others)": 0.6})


def test_classes_that_a_full_target_does_not_name_are_avoided() -> None:
    result = chosen(entry("weather", "BALANCE", target={"sun": 0.5, "rain": 0.5}))
    assert sorted(WEATHER[result.indices].tolist()) == ["rain"] * 5 + ["sun"] * 5
    alone = chosen(entry("weather", "BALANCE", target={"rain": 1.0}), n=5)
    assert set(WEATHER[alone.indices].tolist()) == {"rain"}


def test_uniform_and_input_distributions_come_from_the_data() -> None:
    uniform = chosen(entry("weather", "BALANCE", distribution="UNIFORM"), n=9)
    assert np.unique(WEATHER[uniform.indices], return_counts=True)[1].tolist() == [3, 3, 3]
    as_input = chosen(entry("weather", "BALANCE", distribution="INPUT"))
    assert as_input.strategies[0].target == pytest.approx({"rain": 0.2, "snow": 0.2, "sun": 0.6})
    assert as_input.strategies[0].achieved == pytest.approx({"rain": 0.2, "snow": 0.2, "sun": 0.6})


def test_category_counts_sum_the_listed_categories() -> None:
    source = {"type": "PREDICTIONS", "task": "yolo", "name": "CATEGORY_COUNT"}
    dogs = picks(entry({**source, "categories": ["dog"]}, "WEIGHTS"))
    assert dogs == np.argsort(-PREDICTIONS.counts[:, 1], kind="stable")[:10].tolist()
    everything = picks(entry(source, "WEIGHTS"))
    assert everything == np.argsort(-PREDICTIONS.counts.sum(1), kind="stable")[:10].tolist()


def test_duplicates_point_to_the_first_of_their_kind() -> None:
    rows = np.vstack([ROWS[:5], ROWS[2:4], -ROWS[:1], ROWS[:1]])
    assert exact_duplicates(prepare_embeddings(rows)).tolist() == [0, 1, 2, 3, 4, 2, 3, 7, 0]


@pytest.mark.parametrize(
    ("strategies", "arrays", "message"),
    [
        ([SHARP], {"metadata": {}}, "lightly.sharpness is not in the metadata"),
        ([entry("lightly.sharpnes", "WEIGHTS")], {}, "did you mean lightly.sharpness"),
        ([entry("weather", "WEIGHTS")], {}, "holds categories, not numbers.*BALANCE"),
        ([entry("lightly.sharpness", "BALANCE", distribution="INPUT")], {}, "numbers, not cat"),
        ([SHARP], {"metadata": {"lightly.sharpness": SHARPNESS[1:]}}, "one entry per row"),
        (
            [SHARP],
            {"metadata": {"lightly.sharpness": np.where(np.arange(N) % 20, 1.0, np.nan)}},
            r"NaN or infinite in 2 of 40 rows \(rows 0, 20\)",
        ),
        (
            [SHARP, DIVERSITY],
            {"metadata": {"lightly.sharpness": np.arange(N) - 2.0}},
            r"negative in 2 of 40 rows \(rows 0, 1\).*shift",
        ),
        ([entry({**EMBEDDINGS, "task": "yolo"}, "DIVERSITY")], {}, "yolo is not in the objects"),
        ([DIVERSITY], {"preselected": [N]}, "row 40"),
        ([DIVERSITY], {"preselected": [1, 1]}, "twice"),
        ([DIVERSITY], {"preselected": [0.5]}, "row indices"),
        (
            [
                entry(
                    {"type": "PREDICTIONS", "task": "yolo", "name": "CLASS_DISTRIBUTION"},
                    "BALANCE",
                    target={"cat": 1.0},
                )
            ],
            {},
            "the class cat, which the task does not have; it has car, dog",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_to_do(
    strategies: list[dict[str, Any]], arrays: dict[str, Any], message: str
) -> None:
    with pytest.raises(LightlyPipelineError, match=message):
        chosen(*strategies, **arrays)


def test_impossible_combinations_are_refused_before_anything_else() -> None:
    with pytest.raises(InvalidConfigurationError, match="this input goes with"):
        chosen(entry("weather", "DIVERSITY"), metadata={})


def test_many_picks_of_a_mixture_are_the_same_by_either_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = np.cumsum(RNG.normal(size=(3000, 16)), axis=0).astype(np.float32)
    values, kinds = RNG.random(3000), RNG.choice(["a", "b", "c"], 3000, p=[0.9, 0.08, 0.02])
    config = {
        "n_samples": 300,
        "strategies": [
            DIVERSITY,
            entry("value", "WEIGHTS", strength=0.5),
            entry("kind", "BALANCE", distribution="UNIFORM"),
        ],
    }
    arrays = {"metadata": {"value": values, "kind": kinds}, "preselected": [5, 2000]}
    direct = select(rows, config, **arrays)
    monkeypatch.setattr(engines, "_LAZY_FROM_PRODUCTS", 0)
    lazy = select(rows, config, **arrays)
    assert lazy.indices.tolist() == direct.indices.tolist()
    assert lazy.distances.tolist() == direct.distances.tolist()
    assert lazy.as_dict() == direct.as_dict()
    assert lazy.decided_by == direct.decided_by


def test_each_pick_names_the_strategy_that_decided_it() -> None:
    """Row 0 stands out by its weight, row 1 by its place; the others are alike in both."""
    rows = np.tile(np.array([1.0, 0.02, 0.0], np.float32), (30, 1))
    rows[:, 1] += np.linspace(0, 0.01, 30, dtype=np.float32)
    rows[1] = [-1, 0, 0]
    values = np.full(30, 0.01)
    values[0] = 5.0
    config = {"n_samples": 2, "strategies": [DIVERSITY, entry("value", "WEIGHTS")]}
    result = select(rows, config, metadata={"value": values})
    assert result.indices.tolist() == [0, 1]
    assert result.decided_by == ("WEIGHTS of METADATA value", "DIVERSITY of EMBEDDINGS")
    assert [(s.name, s.n_decided) for s in result.strategies] == [
        ("DIVERSITY of EMBEDDINGS", 1),
        ("WEIGHTS of METADATA value", 1),
    ]


def test_figures_are_those_of_all_pairs() -> None:
    result = chosen(DIVERSITY, SHARP, n=8)
    unit = prepare_embeddings(ROWS.copy()).vectors.astype(np.float64)
    pairs = np.sqrt(((unit[:, None] - unit[None]) ** 2).sum(axis=2))
    among = pairs[np.ix_(result.indices, result.indices)] + np.diag(np.full(8, np.inf))
    assert result.coverage_radius == pytest.approx(pairs[:, result.indices].min(axis=1).max())
    assert result.minimum_distance == pytest.approx(among.min())
    assert result.neighbors_after is not None
    assert result.neighbors_after.mean == pytest.approx(among.min(axis=1).mean())
    assert result.neighbors_before is not None
    everyone = pairs + np.diag(np.full(N, np.inf))
    assert result.neighbors_before.p50 == pytest.approx(np.median(everyone.min(axis=1)))
    assert result.distances[1:] == pytest.approx(
        [pairs[row, result.indices[:i]].min() for i, row in enumerate(result.indices) if i]
    )
    without = chosen(SHARP, n=8)
    assert without.distances[1:] == pytest.approx(
        [pairs[row, without.indices[:i]].min() for i, row in enumerate(without.indices) if i]
    )
    assert without.coverage_radius == pytest.approx(pairs[:, without.indices].min(axis=1).max())


@pytest.mark.parametrize(
    ("strategies", "reason"),
    [
        ([SHARP], "n_samples"),
        ([entry(EMBEDDINGS, "DIVERSITY", stopping_condition_minimum_distance=1.4)], "minimum_dist"),
        (
            [entry(EMBEDDINGS, "TYPICALITY", stopping_condition_minimum_typicality=0.45)],
            "minimum_typicality",
        ),
        ([entry("lightly.sharpness", "WEIGHTS", stopping_condition_max_sum=2.5)], "max_sum"),
        (
            [entry("lightly.sharpness", "WEIGHTS", target_range={"min_sum": 2, "max_sum": 2.2})],
            "target_range",
        ),
        (
            [SHARP, entry("lightly.sharpness", "THRESHOLD", threshold=0.9, operation="BIGGER")],
            "candidates_exhausted",
        ),
    ],
)
def test_what_ended_the_run_is_told(strategies: list[dict[str, Any]], reason: str) -> None:
    result = chosen(*strategies, n=N - 1)
    assert result.stopped_by.startswith(reason)
    assert result.as_dict()["stopped_by"] == result.stopped_by


def test_a_sum_ends_the_run_with_the_pick_that_reaches_it() -> None:
    limited = chosen(entry("lightly.sharpness", "WEIGHTS", stopping_condition_max_sum=2.5))
    sums = np.cumsum(SHARPNESS[limited.indices])
    assert sums[-2] < 2.5 <= sums[-1]
    assert limited.strategies[0].sum == pytest.approx(sums[-1])


def test_a_target_range_is_landed_in() -> None:
    span = {"min_sum": 2.0, "max_sum": 2.2}
    result = chosen(DIVERSITY, entry("lightly.sharpness", "WEIGHTS", target_range=span), n=N)
    assert 2.0 <= SHARPNESS[result.indices].sum() <= 2.2


def test_a_query_by_tag_and_by_another_datasets_tag_are_told_apart() -> None:
    own = entry({**EMBEDDINGS, "tag_name": "night"}, "SIMILARITY")
    other = entry({**EMBEDDINGS, "tag_name": "night", "dataset_id": "a" * 24}, "SIMILARITY")
    queries = {(None, "night"): ROWS[[4]], ("a" * 24, "night"): ROWS[[9]]}
    assert picks(own, queries=queries)[0] == 4
    assert picks(other, queries=queries)[0] == 9
    assert queries[None, "night"].tolist() == ROWS[[4]].tolist()
    with pytest.raises(InvalidConfigurationError, match="not in the queries given"):
        picks(own, queries={})


def test_class_probabilities_weigh_as_they_are() -> None:
    source = {"type": "PREDICTIONS", "task": "yolo", "name": "CLASS_DISTRIBUTION"}
    result = chosen(entry(source, "BALANCE", target={"car": 0.9, "dog": 0.1}))
    sums = PREDICTIONS.distribution[result.indices].sum(axis=0)
    assert result.strategies[0].achieved == pytest.approx(
        {"car": sums[0] / sums.sum(), "dog": sums[1] / sums.sum()}
    )
    assert sums[0] / sums.sum() > 0.75


def test_the_result_is_json() -> None:
    result = chosen(DIVERSITY, SHARP, entry("weather", "BALANCE", distribution="UNIFORM"))
    assert json.loads(json.dumps(result.as_dict())) == result.as_dict()


def test_thresholds_that_leave_nothing_end_the_run_with_the_range_of_the_values() -> None:
    nothing = entry("lightly.sharpness", "THRESHOLD", threshold=2, operation="BIGGER")
    low, high = f"{SHARPNESS.min():.6g}", f"{SHARPNESS.max():.6g}"
    message = (
        f"THRESHOLD of METADATA lightly.sharpness BIGGER 2 keeps 0 of 40, whose values go from "
        f"{low} to {high}"
    )
    for strategies in ([nothing, DIVERSITY, SHARP], [nothing, SHARP]):
        with pytest.raises(LightlyPipelineError, match=message):
            chosen(*strategies)
    with pytest.raises(LightlyPipelineError, match="keeps 0 of 39"):
        chosen(nothing, SHARP, preselected=[int(SHARPNESS.argmax())])


def test_thresholds_that_leave_nothing_together_are_all_named() -> None:
    middle = float(np.median(SHARPNESS))
    above, below = (
        entry("lightly.sharpness", "THRESHOLD", threshold=middle, operation=operation)
        for operation in ("BIGGER", "SMALLER")
    )
    with pytest.raises(LightlyPipelineError, match=r"BIGGER .* keeps 20 of 40.*SMALLER .* keeps"):
        chosen(above, below, DIVERSITY)


def test_a_threshold_has_nothing_to_say_where_everything_is_preselected() -> None:
    nothing = entry("lightly.sharpness", "THRESHOLD", threshold=2, operation="BIGGER")
    result = chosen(nothing, DIVERSITY, preselected=list(range(N)))
    assert result.indices.tolist() == []
    assert result.stopped_by == "candidates_exhausted"


@pytest.mark.parametrize("factor", [2.0**-30, 2.0**-900, 2.0**20])
def test_strengths_say_how_strategies_compare_not_how_much_they_are(factor: float) -> None:
    def picked(by: float) -> list[int]:
        return picks(
            entry(EMBEDDINGS, "DIVERSITY", strength=by),
            entry("lightly.sharpness", "WEIGHTS", strength=0.5 * by),
            entry("weather", "BALANCE", distribution="UNIFORM", strength=0.25 * by),
            n=30,
        )

    assert picked(factor) == picked(1.0)


@pytest.mark.parametrize("factor", [1e-8, 1e-12, 1e-300])
def test_a_tiny_strength_alone_is_as_good_as_any(factor: float) -> None:
    balanced = entry("weather", "BALANCE", distribution="UNIFORM", strength=factor)
    assert picks(balanced, n=9) == picks(entry("weather", "BALANCE", distribution="UNIFORM"), n=9)


QUERY = entry({**EMBEDDINGS, "tag_name": "night"}, "SIMILARITY")
COUNTS = entry({"type": "PREDICTIONS", "task": "yolo", "name": "CATEGORY_COUNT"}, "WEIGHTS")
SHARES = entry(
    {"type": "PREDICTIONS", "task": "yolo", "name": "CLASS_DISTRIBUTION"},
    "BALANCE",
    distribution="UNIFORM",
)
SCORE = entry({"type": "SCORES", "task": "yolo", "score": "uncertainty"}, "WEIGHTS")


@pytest.mark.parametrize(
    ("strategies", "arrays", "message"),
    [
        ([SHARP], {"metadata": {"lightly.sharpness": SHARPNESS[:, None]}}, r"\(40, 1\).*\(40,\)"),
        (
            [entry("weather", "BALANCE", distribution="UNIFORM")],
            {"metadata": {"weather": WEATHER[:, None]}},
            r"\(40, 1\).*\(40,\)",
        ),
        (
            [SCORE],
            {"scores": {("yolo", "uncertainty"): SHARPNESS[:, None]}},
            r"SCORES yolo uncertainty has shape \(40, 1\)",
        ),
        ([SCORE], {"scores": {("yolo", "uncertainty"): ["low"] * N}}, "not numbers"),
        ([SCORE], {"scores": {"yolo": SHARPNESS}}, "there is yolo|did you mean yolo"),
        ([SHARP], {"metadata": {"lightly.sharpness": [[1.0], [1.0, 2.0]] * 20}}, "no array"),
        ([SHARP], {"metadata": SHARPNESS}, "metadata must be a mapping"),
        ([QUERY], {"queries": {(None, "night"): [1.0, 2.0]}}, r"shape \(2,\)"),
        ([QUERY], {"queries": {(None, "night"): [["a", "b"]]}}, "no vectors"),
        ([QUERY], {"queries": {(None, "night"): [[np.nan] * 6]}}, "the query of SIMILARITY"),
        ([QUERY], {"queries": {(None, "night"): [[1.0] * 5]}}, "5 dimensions, embeddings 6"),
        ([COUNTS], {"categories": {"yolo": np.zeros((N, 2))}}, "Categories.names"),
        (
            [SHARES],
            {"categories": {"yolo": Categories((), np.empty((N, 0)), np.empty((N, 0)))}},
            "has no categories",
        ),
        (
            [SHARES],
            {"categories": {"yolo": Categories(("a", "b"), SHARPNESS, SHARPNESS)}},
            "2 columns, one per class",
        ),
        (
            [entry(EMBEDDINGS, "DIVERSITY", stopping_condition_minimum_distance=2.5)],
            {},
            "is 2.5, but normalised embeddings are at most 2 apart",
        ),
    ],
)
def test_arrays_of_the_wrong_kind_are_refused_by_name(
    strategies: list[dict[str, Any]], arrays: dict[str, Any], message: str
) -> None:
    with pytest.raises(LightlyPipelineError, match=message):
        chosen(*strategies, **arrays)


def test_lists_do_as_well_as_arrays() -> None:
    assert chosen(QUERY, queries={(None, "night"): ROWS[[4]].tolist()}).indices[0] == 4
    assert picks(SHARP, metadata={"lightly.sharpness": SHARPNESS.tolist()}) == picks(SHARP)
    config = {"n_samples": 10, "strategies": [DIVERSITY]}
    assert select(ROWS.tolist(), config).indices.tolist() == picks(DIVERSITY)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.empty((5, 0)), "no columns"),
        (np.ones(5), r"shape \(N, d\).*shape \(5,\)"),
        ([[1.0, 2.0], [1.0]], "no matrix of numbers"),
        ([["a", "b"]], "no matrix of numbers"),
    ],
)
def test_embeddings_that_are_no_matrix_are_refused(rows: Any, message: str) -> None:
    with pytest.raises(LightlyPipelineError, match=message):
        select(rows, {"n_samples": 1, "strategies": [DIVERSITY]})


def test_a_distance_above_2_is_fine_between_embeddings_of_any_length() -> None:
    far = entry(EMBEDDINGS, "DIVERSITY", stopping_condition_minimum_distance=2.5)
    rows = np.array([[0, 0], [3, 0], [1, 0]], dtype=np.float32)
    result = select(rows, {"n_samples": 3, "strategies": [far]}, normalize=False)
    assert result.indices.tolist() == [0, 1]


@pytest.mark.parametrize("kinds", [(), ("WEIGHTS",), ("DIVERSITY",), ("DIVERSITY", "WEIGHTS")])
def test_nothing_is_picked_where_nothing_is_wanted(kinds: tuple[str, ...]) -> None:
    inputs = {"DIVERSITY": {"type": "EMBEDDINGS"}, "WEIGHTS": {"type": "METADATA", "key": "k"}}
    entries = [{"input": inputs[kind], "strategy": {"type": kind}} for kind in kinds]
    if not kinds:
        entries = [{"input": inputs["WEIGHTS"], "strategy": {"type": "WEIGHTS", "strength": 0}}]
    config = SelectionConfig.from_block({"n_samples": 1, "strategies": entries})
    config = config.model_copy(update={"n_samples": 0})
    rows = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    found = select(rows, config, preselected=[2], metadata={"k": np.arange(6.0)})
    assert (len(found.indices), found.stopped_by) == (0, "n_samples")
