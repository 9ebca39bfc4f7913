"""Selections from a part of the rows keep the bound they name."""

from collections.abc import Callable

import numpy as np
import pytest

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.selection.approximate import BoundedPicks, pick_by_shards, pick_from_every
from lightly_pipeline.selection.grid import GridEmbeddings, prepare_embeddings
from lightly_pipeline.selection.kcenter import farthest_first


def walk(n: int = 2000, dim: int = 8, *, normalize: bool = True) -> GridEmbeddings:
    rng = np.random.default_rng(1)
    rows = 3 + np.cumsum(rng.normal(size=(n, dim)) * 0.1, axis=0)
    return prepare_embeddings(rows.astype(np.float32), normalize=normalize)


def radius(embeddings: GridEmbeddings, picks: np.ndarray) -> float:
    rows = embeddings.vectors.astype(np.float64)
    squared = ((rows[:, None] - rows[picks][None]) ** 2).sum(axis=2).min(axis=1)
    return float(np.sqrt(squared.max())) * embeddings.scale


@pytest.mark.parametrize("normalize", [True, False], ids=["unit", "any length"])
@pytest.mark.parametrize(
    "pick",
    [
        lambda rows: pick_from_every(rows, 40, 10),
        lambda rows: pick_from_every(rows, 40, 7),
        lambda rows: pick_by_shards(rows, 40, 300),
        lambda rows: pick_by_shards(rows, 40, 300, picks_per_shard=10),
    ],
    ids=["every 10th", "every 7th", "shards", "shards of few picks"],
)
def test_no_row_is_farther_from_a_pick_than_the_bound(
    pick: Callable[[GridEmbeddings], BoundedPicks], normalize: bool
) -> None:
    rows = walk(normalize=normalize)
    picks = pick(rows)
    assert len(set(picks.indices.tolist())) == 40
    assert radius(rows, picks.indices) <= picks.coverage_bound * (1 + 1e-12)


def test_looking_at_every_row_is_exact() -> None:
    rows = walk()
    exact = farthest_first(rows, 50)
    picks = pick_from_every(rows, 50, 1)
    assert picks.indices.tolist() == exact.indices.tolist()
    assert picks.coverage_bound == np.sqrt(exact.next_squared_distance)


def test_one_shard_is_exact() -> None:
    rows = walk()
    picks = pick_by_shards(rows, 50, len(rows))
    assert picks.indices.tolist() == farthest_first(rows, 50).indices.tolist()


def test_amounts_below_one_are_refused() -> None:
    with pytest.raises(LightlyPipelineError, match="every must be at least 1"):
        pick_from_every(walk(20), 5, 0)
    with pytest.raises(LightlyPipelineError, match="shard_rows must be at least 1"):
        pick_by_shards(walk(20), 5, 0)
