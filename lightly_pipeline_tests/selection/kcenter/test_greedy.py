"""Farthest-first gives the sequence of its definition, however it gets there."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.selection.kcenter import full_scan, greedy
from lightly_pipeline.selection.kcenter.greedy import farthest_first
from lightly_pipeline.selection.lazy import active_set, blocks, pick_list
from lightly_pipeline.selection.vectors.grid import GridEmbeddings, prepare_embeddings


def naive(vectors: np.ndarray, k: int, stop: float = 0.0, known: Sequence[int] = ()) -> list[int]:
    """Farthest-first by the letter, in float64."""
    rows = vectors.astype(np.float64)
    picks: list[int] = []
    distances = np.full(len(rows), np.inf)
    for row in known:
        distances = np.minimum(distances, ((rows - rows[row]) ** 2).sum(1))
    distances[list(known)] = -1
    while len(picks) < min(k, len(rows) - len(set(known))):
        best = int(np.argmax(distances))
        if distances[best] < stop:
            break
        picks.append(best)
        distances = np.minimum(distances, ((rows - rows[best]) ** 2).sum(1))
        distances[[*picks, *known]] = -1
    return picks


def embeddings(n: int, dim: int, seed: int = 0, spread: float = 0.05) -> GridEmbeddings:
    """A walk on the sphere, as the frames of a video are."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(n, dim)) * spread
    steps[:: max(n // 20, 1)] = rng.normal(size=steps[:: max(n // 20, 1)].shape)
    return prepare_embeddings(np.cumsum(steps, axis=0).astype(np.float32) + 1e-3)


def use_rounds(
    monkeypatch: pytest.MonkeyPatch, block: int = 7, active: int = 4, panel: int = 3
) -> None:
    """Serves picks in rounds whatever the size of the input, with sizes that fit small inputs."""
    monkeypatch.setattr(greedy, "_LAZY_FROM_PICKS", 0)
    monkeypatch.setattr(blocks, "_BLOCK_ROWS", block)
    monkeypatch.setattr(greedy, "_MIN_ACTIVE", active)
    monkeypatch.setattr(greedy, "_MAX_ACTIVE", 4 * active)
    monkeypatch.setattr(greedy, "_INNER_ACTIVE", max(active // 2, 1))
    monkeypatch.setattr(active_set, "_SAMPLE", 40)
    monkeypatch.setattr(blocks, "_PANEL", panel)
    monkeypatch.setattr(blocks, "_SPAN", 2 * panel)


def change_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sorts rows into blocks anew in every round, however near each other they are already."""
    monkeypatch.setattr(blocks, "_REGROUP_FROM_PICKS", 1)
    monkeypatch.setattr(blocks, "_MAX_LEFT_OUT", 1.0)
    monkeypatch.setattr(pick_list, "_SAMPLE", 5)


def use_passes(monkeypatch: pytest.MonkeyPatch, block_bytes: int = 100, active: int = 4) -> None:
    """Looks at all rows each time whatever the number of picks, with sizes for small inputs."""
    monkeypatch.setattr(greedy, "_LAZY_FROM_PICKS", 10**9)
    monkeypatch.setattr(full_scan, "_BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(full_scan, "_PANEL", 3)
    monkeypatch.setattr(active_set, "_SAMPLE", 40)
    monkeypatch.setattr(full_scan, "_MIN_ACTIVE", active)


@pytest.fixture(
    params=[
        "passes",
        "rounds",
        "rounds with rows that change places",
        "passes over compact rows",
        "rounds over compact rows",
        "rounds over compact rows that change places",
    ],
    autouse=True,
)
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "rounds" in request.param:
        use_rounds(monkeypatch)
    else:
        use_passes(monkeypatch)
    if "change places" in request.param:
        change_places(monkeypatch)
    if "compact" in request.param:
        compact = partial(prepare_embeddings, compact=True)
        monkeypatch.setattr(f"{__name__}.prepare_embeddings", compact)


@st.composite
def small_inputs(draw: st.DrawFn) -> np.ndarray:
    """Few rows with ties and copies, or apart by less than float32 can tell."""
    rows = draw(
        arrays(
            np.float32,
            st.tuples(st.integers(1, 60), st.integers(1, 4)),
            elements=st.integers(-3, 3).map(float),
        )
    )
    rows[~rows.any(axis=1)] = 1
    step = draw(st.sampled_from([0.0, 0.0, 2.0**-9, 2.0**-13, 2.0**-17, 2.0**-21]))
    moves = np.random.default_rng(len(rows)).integers(-2, 3, rows.shape)
    return rows + np.float32(step) * moves.astype(np.float32)


SMALL = small_inputs()


@settings(max_examples=150)
@given(rows=SMALL, k=st.integers(0, 65), normalize=st.booleans())
def test_equals_the_definition_with_ties_to_the_lowest_index(
    rows: np.ndarray, k: int, normalize: bool
) -> None:
    grid = prepare_embeddings(rows.copy(), normalize=normalize)
    assert farthest_first(grid, k).indices.tolist() == naive(grid.vectors, min(k, len(rows)))


@pytest.mark.slow
@settings(max_examples=80)
@given(rows=SMALL, data=st.data())
def test_stops_only_strictly_below_the_distance(rows: np.ndarray, data: st.DataObject) -> None:
    grid = prepare_embeddings(rows.copy())
    everything = farthest_first(grid, len(rows))
    stop = data.draw(st.sampled_from([0.0, *everything.squared_distances[1:].tolist(), 5.0]))
    picks = farthest_first(grid, len(rows), stop_squared_distance=stop)
    assert picks.indices.tolist() == naive(grid.vectors, len(rows), stop)
    assert picks.indices.tolist() == everything.indices[: len(picks.indices)].tolist()


@pytest.mark.slow
@settings(max_examples=100)
@given(rows=SMALL, k=st.integers(0, 65), data=st.data())
def test_preselected_rows_count_as_chosen(rows: np.ndarray, k: int, data: st.DataObject) -> None:
    grid = prepare_embeddings(rows.copy())
    known = data.draw(st.lists(st.integers(0, len(rows) - 1)))
    stop = data.draw(st.sampled_from([0.0, 0.1, 2.0]))
    picks = farthest_first(
        grid, k, preselected=np.array(known, dtype=np.int64), stop_squared_distance=stop
    )
    assert picks.indices.tolist() == naive(grid.vectors, k, stop, known)


def test_nothing_is_left_when_everything_is_preselected() -> None:
    picks = farthest_first(embeddings(9, 3), 4, preselected=np.arange(9))
    assert len(picks.indices) == 0
    assert picks.next_squared_distance is None


def test_copies_of_preselected_rows_come_last() -> None:
    rows = np.array([[1, 0], [1, 0], [0, 1], [1, 1], [1, 0]], dtype=np.float32)
    picks = farthest_first(prepare_embeddings(rows), 5, preselected=np.array([4]))
    assert picks.indices.tolist() == [2, 3, 0, 1]
    assert picks.squared_distances[-2:].tolist() == [0, 0]


@pytest.mark.parametrize("normalize", [True, False])
def test_equals_the_definition_on_video_like_rows(normalize: bool) -> None:
    rows = np.random.default_rng(1).normal(size=(700, 24)).cumsum(0).astype(np.float32)
    grid = prepare_embeddings(rows, normalize=normalize)
    assert farthest_first(grid, 300).indices.tolist() == naive(grid.vectors, 300)


def test_the_next_distance_is_the_coverage_radius() -> None:
    grid = embeddings(500, 8)
    picks = farthest_first(grid, 40)
    rows = grid.vectors.astype(np.float64)
    squared = ((rows[:, None] - rows[picks.indices][None]) ** 2).sum(2).min(1)
    assert picks.next_squared_distance == pytest.approx(squared.max(), abs=1e-12)
    assert farthest_first(grid, 41).squared_distances[-1] == picks.next_squared_distance


def test_distances_never_rise_and_shorter_runs_are_prefixes() -> None:
    grid = embeddings(400, 8)
    picks = farthest_first(grid, 200)
    assert np.all(np.diff(picks.squared_distances[1:]) <= 0)
    assert farthest_first(grid, 77).indices.tolist() == picks.indices[:77].tolist()


def test_permuting_columns_changes_nothing() -> None:
    grid = embeddings(300, 32)
    order = np.random.default_rng(0).permutation(32)
    permuted = GridEmbeddings(
        np.ascontiguousarray(grid.vectors[:, order]), grid.squared_norms, grid.scale
    )
    a, b = farthest_first(grid, 200), farthest_first(permuted, 200)
    assert a.indices.tolist() == b.indices.tolist()
    assert a.squared_distances.tolist() == b.squared_distances.tolist()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (np.ones((9, 3)), list(range(9))),
        (np.array([[1, 0], [0, 1]] * 4), [0, 1, 2, 3, 4, 5, 6, 7]),
        (np.vstack([np.eye(4), -np.eye(4)]), [0, 4, 1, 2, 3, 5, 6, 7]),
        (np.eye(6), list(range(6))),
    ],
    ids=["all equal", "two points", "axes and their opposites", "simplex"],
)
def test_ties_go_to_the_lowest_index(rows: np.ndarray, expected: list[int]) -> None:
    grid = prepare_embeddings(rows.astype(np.float32))
    assert farthest_first(grid, len(rows)).indices.tolist() == expected


def test_copies_come_last_in_index_order() -> None:
    base = np.random.default_rng(3).normal(size=(20, 5)).astype(np.float32)
    grid = prepare_embeddings(np.vstack([base] * 5))
    picks = farthest_first(grid, 100).indices.tolist()
    assert sorted(picks[:20]) == list(range(20))
    assert picks[20:] == list(range(20, 100))


def test_distances_below_float32_resolution_are_still_ordered() -> None:
    angles = np.array([0.0, *(2.0**-i for i in range(1, 13))])
    rows = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    grid = prepare_embeddings(rows)
    assert farthest_first(grid, 13).indices.tolist() == naive(grid.vectors, 13)


def test_two_points_give_the_first_of_each_then_the_lowest_rows() -> None:
    rows = np.tile(np.array([[3, 4]], dtype=np.float32), (3000, 1))
    rows[1000:] = [4, 3]
    picks = farthest_first(prepare_embeddings(rows), 1500)
    assert picks.indices.tolist() == [0, 1000, *range(1, 1000), *range(1001, 1500)]
    assert picks.next_squared_distance == 0


def test_many_equal_rows_are_served_in_order_without_a_matrix_of_all_pairs() -> None:
    grid = prepare_embeddings(np.ones((20_000, 4), dtype=np.float32))
    assert farthest_first(grid, 19_000).indices.tolist() == list(range(19_000))


def test_rows_that_are_all_within_the_error_of_float32_are_ordered_exactly() -> None:
    rows = 1 + np.random.default_rng(0).integers(-40, 40, (400, 6)).astype(np.float32) * 2e-6
    grid = prepare_embeddings(rows)
    assert farthest_first(grid, 150).indices.tolist() == naive(grid.vectors, 150)


@pytest.mark.parametrize("normalize", [True, False])
def test_an_outlier_comes_second_after_a_dense_ball(normalize: bool) -> None:
    rng = np.random.default_rng(5)
    rows = (np.array([10, 0, 0]) + rng.normal(size=(500, 3)) * 0.01).astype(np.float32)
    rows[321] = [0, 50, 0]
    grid = prepare_embeddings(rows, normalize=normalize)
    picks = farthest_first(grid, 60).indices.tolist()
    assert picks[1] == 321
    assert picks == naive(grid.vectors, 60)


def test_rows_on_one_line_and_rows_of_one_number() -> None:
    line = np.outer(np.arange(1, 30), [1.0, 2.0]).astype(np.float32)
    assert farthest_first(prepare_embeddings(line), 29).indices.tolist() == list(range(29))
    numbers = np.array([[1], [-2], [3], [-4]], dtype=np.float32)
    assert farthest_first(prepare_embeddings(numbers), 4).indices.tolist() == [0, 1, 2, 3]
    lengths = prepare_embeddings(np.array([[1], [-2], [3], [-4]], np.float32), normalize=False)
    assert farthest_first(lengths, 4).indices.tolist() == [0, 3, 1, 2]


def test_permuting_rows_permutes_the_picks() -> None:
    grid = embeddings(400, 16)
    order = np.concatenate([[0], 1 + np.random.default_rng(2).permutation(399)])
    shuffled = GridEmbeddings(
        np.ascontiguousarray(grid.vectors[order]), grid.squared_norms[order], grid.scale
    )
    picks = farthest_first(shuffled, 200).indices
    assert order[picks].tolist() == farthest_first(grid, 200).indices.tolist()


def test_appended_copies_change_no_pick_before_everything_is_chosen() -> None:
    grid = embeddings(200, 8)
    doubled = GridEmbeddings(
        np.vstack([grid.vectors, grid.vectors[::-1]]), np.tile(grid.squared_norms, 2), grid.scale
    )
    doubled.squared_norms[200:] = grid.squared_norms[::-1]
    alone = farthest_first(grid, 200).indices.tolist()
    assert farthest_first(doubled, 250).indices.tolist()[:200] == alone


@pytest.mark.slow
def test_block_and_active_set_sizes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = embeddings(1500, 12)
    expected = naive(grid.vectors, 400)
    for block, active, panel in [(1, 1, 1), (64, 16, 32), (256, 256, 512), (1000, 1500, 100)]:
        use_rounds(monkeypatch, block, active, panel)
        assert farthest_first(grid, 400).indices.tolist() == expected
    for block_bytes, active in [(1, 1), (10_000, 30), (10**6, 10**6)]:
        use_passes(monkeypatch, block_bytes, active)
        assert farthest_first(grid, 400).indices.tolist() == expected


def test_a_read_only_memory_map_gives_the_same_picks(tmp_path: Path) -> None:
    grid = embeddings(600, 16)
    np.save(tmp_path / "rows.npy", grid.vectors)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    picks = farthest_first(GridEmbeddings(mapped, grid.squared_norms, grid.scale), 150)
    assert picks.indices.tolist() == farthest_first(grid, 150).indices.tolist()


def test_an_interrupt_ends_the_selection() -> None:
    def interrupt(step: str, done: int, total: int | None, unit: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        farthest_first(embeddings(500, 8), 200, progress=interrupt)


@pytest.mark.parametrize("k", [0, 1, 5, 6])
def test_k_is_clamped(k: int) -> None:
    assert len(farthest_first(embeddings(5, 3), k).indices) == min(k, 5)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_rows_that_cannot_be_compared_are_named_before_any_work(value: float) -> None:
    rows = np.ones((50, 3), dtype=np.float32)
    rows[[0, 7]] = value
    with pytest.raises(LightlyPipelineError, match=r"2 of 50 embeddings .*rows 0, 7"):
        prepare_embeddings(rows)


def test_grid_changes_vectors_by_less_than_2e7() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 128)).astype(np.float32)
    exact = rows.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    grid = prepare_embeddings(rows)
    assert np.linalg.norm(grid.vectors - exact, axis=1).max() < 2e-7
    assert np.all(np.rint(grid.vectors.astype(np.float64) * 2**25) % 1 == 0)
