"""Rows change places so that those with something in common share blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightly_pipeline.selection.lazy.nearest import CHOSEN
from lightly_pipeline.selection.lazy.row_order import RowOrder, order_by_nearness

pytestmark = pytest.mark.slow

FAR = -0.25


@given(st.integers(1, 300), st.integers(1, 5000), st.integers(0, 10**6))
def test_far_rows_come_first_and_near_ones_by_their_nearest_picks(
    n: int, n_picks: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    scores = -rng.choice([0.0, 1e-7, 0.125, 0.25, 0.5, 2.0], n).astype(np.float32)
    scores[rng.random(n) < 0.1] = CHOSEN
    nearest = rng.integers(0, n_picks, n).astype(np.int32)
    order = order_by_nearness(scores, nearest, FAR, n_picks)
    assert sorted(order.tolist()) == list(range(n))
    expected = sorted(
        range(n),
        key=lambda i: (nearest[i] + 1 if scores[i] >= FAR else 0, abs(min(scores[i], 0)), i),
    )
    assert order.tolist() == expected


@given(st.integers(1, 200), st.integers(1, 9), st.data())
def test_every_row_is_found_where_it_went(n: int, block_rows: int, data: st.DataObject) -> None:
    rows = RowOrder(n)
    for _ in range(data.draw(st.integers(0, 3))):
        whole = n // block_rows
        blocks = np.flatnonzero(data.draw(st.lists(st.booleans(), min_size=whole, max_size=whole)))
        size = len(blocks) * block_rows
        rows.permute(blocks, block_rows, np.array(data.draw(st.permutations(range(size))), int))
    everything = np.arange(n)
    places = rows.places(everything)
    assert sorted(places.tolist()) == everything.tolist()
    assert np.arange(n)[rows.at(slice(0, n))][places].tolist() == everything.tolist()
    some = np.arange(0, n, 3)
    assert rows.rows(np.asarray(places[some], np.int64)).tolist() == some.tolist()
