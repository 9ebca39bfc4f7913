"""What the grid holds, and what it does not."""

import numpy as np
import pytest

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.selection import prepare_embeddings, select

DIVERSITY = {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}


def test_from_a_half_on_the_grid_is_that_of_float32() -> None:
    rows = np.array([[0.75 + 2.0**-25, 0.25 + 2.0**-25]], dtype=np.float64)
    grid = prepare_embeddings(rows.astype(np.float32), normalize=False)
    steps = grid.vectors.astype(np.float64) * 2.0**25
    assert np.all(np.rint(steps) == steps)
    assert steps[0, 0] % 2 == 0
    assert steps[0, 1] % 2 == 1


def test_rows_far_below_the_longest_are_refused_where_lengths_count() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32) * 3
    rows[17] = 0
    rows[17, 0] = 1e8
    with pytest.raises(LightlyPipelineError, match=r"the longest is 1e\+08 \(row 17\).*normalize"):
        select(rows, {"n_samples": 5, "strategies": [DIVERSITY]}, normalize=False)
    assert len(select(rows, {"n_samples": 5, "strategies": [DIVERSITY]}).indices) == 5


def test_zero_rows_and_a_few_tiny_ones_are_held() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    rows[:30] = 0
    rows[30:33] *= 1e-9
    result = select(rows, {"n_samples": 18, "strategies": [DIVERSITY]}, normalize=False)
    assert result.indices[0] == 0
    assert set(result.indices[1:].tolist()) == set(range(33, 50))
