"""Coverage curves, nearest earlier choices and twins against what the definitions say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightly_pipeline.report.gather import coverage
from lightly_pipeline.report.gather.nearest import nearest_earlier
from lightly_pipeline.report.gather.twins import find_pairs
from lightly_pipeline.selection import GridEmbeddings, prepare_embeddings

KINDS = ("closest", "median", "farthest")


def embeddings(n: int, seed: int = 0, dim: int = 8) -> GridEmbeddings:
    """Rows of which some are equal, as frames of a still scene are."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, dim)).astype(np.float32)
    rows[n // 2 :] = rows[: n - n // 2]
    return prepare_embeddings(rows)


def distances(rows: GridEmbeddings) -> np.ndarray:
    vectors = rows.vectors.astype(np.float64)
    return np.sqrt(((vectors[:, None] - vectors[None]) ** 2).sum(axis=2))


def measured(
    rows: GridEmbeddings,
    candidates: np.ndarray,
    before: np.ndarray,
    chosen: np.ndarray,
    clock: np.ndarray | None = None,
) -> tuple[coverage.Measured, coverage.Choices]:
    clock = np.arange(len(candidates), dtype=float) if clock is None else clock
    compared = coverage.choices(chosen, candidates, clock)
    return coverage.measure(rows, candidates, before, compared), compared


@given(
    n=st.integers(2, 60),
    k=st.integers(1, 60),
    n_before=st.integers(0, 5),
    n_removed=st.integers(0, 5),
    seed=st.integers(0, 1000),
)
def test_curves_are_medians_and_maxima_of_distances_to_the_nearest(
    n: int, k: int, n_before: int, n_removed: int, seed: int
) -> None:
    rows = embeddings(n + n_before + n_removed, seed)
    order = np.random.default_rng(seed).permutation(len(rows))
    before, candidates = order[:n_before], np.sort(order[n_before : n_before + n])
    chosen = np.random.default_rng(seed + 1).permutation(candidates)[:k]
    found, compared = measured(rows, candidates, before, chosen)
    assert len(compared.random) == len(set(compared.random.tolist())) == len(chosen)
    assert len(compared.even) == len(set(compared.even.tolist())) == len(chosen)
    assert set(compared.random) | set(compared.even) <= set(candidates)
    pairs = distances(rows)
    curves = coverage.curves(found, compared, rows.scale, len(candidates))
    assert [curve.name for curve in curves] == ["this choice", "random", "evenly in time"]
    for curve, members in zip(curves, (chosen, compared.random, compared.even), strict=True):
        assert curve.n.tolist() == sorted(set(curve.n.tolist()))
        assert (curve.n[0], curve.n[-1]) == (1, len(chosen))
        assert curve.n_measured is None
        for place, count in enumerate(curve.n):
            taken = np.concatenate([before, members[:count]])
            nearest = pairs[np.ix_(candidates, taken)].min(axis=1)
            assert curve.median[place] == pytest.approx(np.median(nearest), abs=1e-7)
            assert curve.largest[place] == pytest.approx(nearest.max(), abs=1e-7)


def test_above_the_bound_a_sample_is_measured_and_the_curve_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, candidates = embeddings(400), np.arange(400)
    monkeypatch.setattr(coverage, "_MAX_MEASURED", 50)
    monkeypatch.setattr(coverage, "_MIN_MEASURED", 10)
    found, compared = measured(rows, candidates, np.empty(0, np.int64), np.arange(0, 400, 40))
    assert found.rows.tolist() == np.linspace(0, 399, 50).astype(int).tolist()
    curves = coverage.curves(found, compared, rows.scale, 400)
    assert {curve.n_measured for curve in curves} == {50}
    nearest = distances(rows)[np.ix_(found.rows, compared.this)].min(axis=1)
    assert curves[0].largest[-1] == pytest.approx(nearest.max())


def test_evenly_in_time_is_even_in_time_and_not_in_frames() -> None:
    """The first half of the frames takes a tenth of the time."""
    clock = np.concatenate([np.arange(100) * 0.01, 1 + np.arange(100) * 0.09])
    candidates = np.arange(1000, 1200)
    compared = coverage.choices(candidates[:10], candidates, clock)
    times = np.sort(clock[compared.even - 1000])
    assert len(times) == 10
    assert np.diff(times) == pytest.approx(np.full(9, clock[-1] / 10), abs=0.1)
    first = np.sort(clock[compared.even[:3] - 1000])
    assert first == pytest.approx(clock[-1] * np.array([0.25, 0.55, 0.75]), abs=0.6)


def test_there_are_as_many_frames_evenly_in_time_where_times_are_the_same() -> None:
    rows, candidates = embeddings(20), np.arange(20)
    found, compared = measured(
        rows, candidates, np.empty(0, np.int64), np.arange(6), np.repeat([0.0, 1.0], 10)
    )
    assert len(set(compared.even.tolist())) == 6
    assert np.isfinite(found.even).all()


@given(st.integers(1, 40), st.integers(0, 5), st.integers(1, 4), st.integers(0, 100))
def test_nearest_earlier_choices(k: int, n_before: int, length: int, seed: int) -> None:
    rows = embeddings(60, seed)
    order = np.random.default_rng(seed).permutation(60)
    chosen, before = order[: k * length][: 60 // length * length], order[55 : 55 + n_before]
    before = np.setdiff1d(before, chosen)
    pairs = distances(rows)
    for rank, found in enumerate(nearest_earlier(rows, chosen, before, length)):
        earlier = chosen[: rank - rank % length]
        of_before = pairs[chosen[rank], before].min(initial=np.inf)
        if not len(earlier) or pairs[chosen[rank], earlier].min() > of_before + 1e-9:
            assert found is None
        elif pairs[chosen[rank], earlier].min() < of_before - 1e-9:
            assert found is not None
            assert found < len(earlier)
            assert pairs[chosen[rank], chosen[found]] == pytest.approx(
                pairs[chosen[rank], earlier].min(), abs=1e-7
            )


@given(st.integers(3, 60), st.integers(1, 20), st.integers(0, 100))
def test_twins_are_the_closest_the_farthest_and_those_around_the_median(
    n: int, k: int, seed: int
) -> None:
    rows, candidates = embeddings(n, seed), np.arange(n)
    chosen = np.random.default_rng(seed).permutation(n)[:k]
    found, _ = measured(rows, candidates, np.empty(0, np.int64), chosen)
    pairs = find_pairs(found, chosen)
    left_out = np.setdiff1d(candidates, chosen)
    all_pairs = distances(rows)
    nearest = all_pairs[np.ix_(left_out, chosen)].min(axis=1) if len(left_out) else np.empty(0)
    assert len({pair.row for pair in pairs}) == len(pairs) == min(12, len(left_out))
    assert not {pair.row for pair in pairs} & set(chosen.tolist())
    assert [pair.kind for pair in pairs] == sorted((pair.kind for pair in pairs), key=KINDS.index)
    for pair in pairs:
        distance = np.sqrt(pair.squared)
        assert distance == pytest.approx(all_pairs[pair.row, chosen[pair.rank]], abs=1e-7)
        assert distance == pytest.approx(all_pairs[pair.row, chosen].min(), abs=1e-7)
    if len(left_out) >= 12:
        by_kind = {k: [np.sqrt(p.squared) for p in pairs if p.kind == k] for k in KINDS}
        assert by_kind["closest"][0] == pytest.approx(nearest.min(), abs=1e-7)
        assert by_kind["farthest"][0] == pytest.approx(nearest.max(), abs=1e-7)
        assert all(len(of_kind) == 4 for of_kind in by_kind.values())
        low, high = np.quantile(nearest, [0.2, 0.8])
        assert low - 1e-7 <= by_kind["median"][0] <= high + 1e-7


def test_what_an_earlier_run_stands_for_is_no_twin() -> None:
    rows = prepare_embeddings(np.eye(4, dtype=np.float32)[[0, 0, 1, 1, 2]])
    candidates, chosen, before = np.array([1, 2, 3]), np.array([2]), np.array([0])
    found, _ = measured(rows, candidates, before, chosen)
    assert [(pair.row, pair.rank) for pair in find_pairs(found, chosen)] == [(3, 0)]
