"""Farthest-first on less than all rows, with a bound on what that costs.

For inputs that cannot be held or memory-mapped. Both ways give a *coverage bound*: no row is
farther than this from its nearest pick. The exact engine is in `kcenter.py`; thinning costs less
and covers better than shards on videos, whose neighbouring frames are nearly equal.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.selection.distances import squared_between
from lightly_pipeline.selection.figures import rows_of
from lightly_pipeline.selection.grid import GridEmbeddings
from lightly_pipeline.selection.kcenter import Picks, farthest_first

_BLOCK_ROWS = 65536


@dataclass(frozen=True, slots=True)
class BoundedPicks:
    """Rows chosen from a part of all rows.

    Attributes:
        indices: Shape (k,), int64.
        coverage_bound: No row is farther than this from its nearest pick, in units of the given
            embeddings; 0 if every row is chosen.
    """

    indices: NDArray[np.int64]
    coverage_bound: float


def pick_from_every(
    embeddings: GridEmbeddings, k: int, every: int, *, progress: Progress = silent
) -> BoundedPicks:
    """Picks among every n-th row; for rows in the order of time.

    The bound is the radius among the rows looked at, plus the largest distance of any other row
    to the one looked at before or after it, whichever is nearer.

    Args:
        embeddings: N rows.
        k: Rows wanted; at most N / every are given.
        every: 1 looks at all rows, 10 at every tenth.
        progress: Told about picks.
    """
    _check_positive(every=every, k=k)
    rows = np.arange(0, len(embeddings), every)
    picks = farthest_first(rows_of(embeddings, rows), k, progress=progress)
    squared = _to_neighbours(embeddings, every)
    return BoundedPicks(
        rows[picks.indices], (_radius(picks) + float(np.sqrt(squared))) * embeddings.scale
    )


def pick_by_shards(
    embeddings: GridEmbeddings,
    k: int,
    shard_rows: int,
    *,
    picks_per_shard: int | None = None,
    progress: Progress = silent,
) -> BoundedPicks:
    """Picks in every shard of consecutive rows, then among these picks.

    The bound is the largest radius of a shard plus the radius among all shards' picks: at most 4
    times the best possible radius for k picks if every shard gives at least k (composable
    core-sets: Malkomes et al. 2015).

    Args:
        embeddings: N rows; only one shard of them is read at a time.
        k: Rows wanted.
        shard_rows: Rows of a shard.
        picks_per_shard: By default k. Fewer lose what is rare: never less than k where similar
            rows are spread over many shards.
        progress: Told about the picks of each step.
    """
    _check_positive(shard_rows=shard_rows, k=k)
    wanted = k if picks_per_shard is None else picks_per_shard
    chosen, radius = [], 0.0
    for start in range(0, len(embeddings), shard_rows):
        rows = np.arange(start, min(start + shard_rows, len(embeddings)))
        picks = farthest_first(rows_of(embeddings, rows), wanted, progress=progress)
        chosen.append(rows[picks.indices])
        radius = max(radius, _radius(picks))
    union = np.sort(np.concatenate([*chosen, np.empty(0, np.int64)]))
    merged = farthest_first(rows_of(embeddings, union), k, progress=progress)
    return BoundedPicks(union[merged.indices], (radius + _radius(merged)) * embeddings.scale)


def _to_neighbours(embeddings: GridEmbeddings, every: int) -> float:
    """Returns the largest squared distance of a row to the nearer row looked at beside it."""
    largest = 0.0
    last = (len(embeddings) - 1) // every * every
    for start in range(0, len(embeddings), _BLOCK_ROWS):
        rows = np.arange(start, min(start + _BLOCK_ROWS, len(embeddings)))
        rows = rows[rows % every != 0]
        before = rows // every * every
        squared = np.minimum(
            squared_between(embeddings, rows, before),
            squared_between(embeddings, rows, np.minimum(before + every, last)),
        )
        largest = max(largest, float(squared.max(initial=0.0)))
    return largest


def _radius(picks: Picks) -> float:
    return float(np.sqrt(picks.next_squared_distance or 0.0))


def _check_positive(**amounts: int) -> None:
    for name, amount in amounts.items():
        if amount < 1:
            raise LightlyPipelineError(f"{name} must be at least 1, not {amount}")
