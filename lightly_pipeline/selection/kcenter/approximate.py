"""Farthest-first on less than all rows, with a bound on what that costs.

For inputs that are too many for the exact engine of `greedy.py`. Both ways give a *coverage
bound*: no row is farther than this from its nearest pick. Thinning costs less and covers better
than shards on videos, whose neighbouring frames are nearly equal. What a user may ask for is in
`config/pipeline.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.config import ApproximateDiversityConfig
from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.selection.kcenter.greedy import Picks, farthest_first
from lightly_pipeline.selection.vectors.distances import squared_between
from lightly_pipeline.selection.vectors.grid import GridEmbeddings

_BLOCK_ROWS = 65536
_NO_ROWS: NDArray[np.int64] = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class BoundedPicks:
    """Rows chosen from a part of all rows.

    Attributes:
        indices: Shape (k,), int64.
        squared_distances: Shape (k,), float64: to the nearest row chosen before; inf if there was
            none.
        stopped_by: "n_samples", "minimum_distance", or "candidates_exhausted" if all rows looked at
            were chosen though more are wanted and others may be as far.
        n_looked_at: Rows that could have been chosen: in the last step, with shards.
        coverage_bound: No row is farther than this from its nearest pick or preselected row, in
            units of the given embeddings.
    """

    indices: NDArray[np.int64]
    squared_distances: NDArray[np.float64]
    stopped_by: str
    n_looked_at: int
    coverage_bound: float


def pick_approximately(
    embeddings: GridEmbeddings,
    k: int,
    how: ApproximateDiversityConfig,
    *,
    preselected: NDArray[np.int64] = _NO_ROWS,
    stop_squared_distance: float = 0.0,
    progress: Progress = silent,
) -> BoundedPicks:
    """Picks as a configuration asks: from every n-th row, or by shards.

    Args:
        embeddings: N rows in the order of time. Candidates are those that are not preselected.
        k: Rows wanted; at most those looked at are given.
        how: Without `shard_size` and `every_nth` all candidates are looked at.
        preselected: Distinct rows that count as chosen already; all of them are looked at, in every
            shard.
        stop_squared_distance: Stop, in a shard and among the picks of all, when the best row is
            strictly nearer than this.
        progress: Called with the number of picks; with shards, of each step.
    """
    candidates = np.delete(np.arange(len(embeddings)), preselected)
    pick = partial(
        _pick_among,
        embeddings,
        preselected=preselected,
        stop_squared_distance=stop_squared_distance,
        progress=progress,
    )
    if how.shard_size is None:
        every = how.every_nth or 1
        looked_at = candidates[::every]
        farthest = _to_neighbours(embeddings, candidates, every)
    else:
        per_shard = how.picks_per_shard or k
        looked_at, farthest = _chosen_in_shards(candidates, how.shard_size, per_shard, pick)
    picks = pick(looked_at, k)
    stopped_by = _stopped_by(picks, k, len(looked_at))
    shards_stopped = how.shard_size is not None and farthest < stop_squared_distance
    if stopped_by == "candidates_exhausted" and shards_stopped and len(looked_at) < len(candidates):
        # Every shard stopped at the distance, and so does the whole.
        stopped_by = "minimum_distance"
    radius = float(np.sqrt(picks.next_squared_distance or 0.0))
    return BoundedPicks(
        picks.indices,
        picks.squared_distances,
        stopped_by,
        len(looked_at),
        (radius + float(np.sqrt(farthest))) * embeddings.scale,
    )


def _pick_among(
    embeddings: GridEmbeddings,
    candidates: NDArray[np.int64],
    k: int,
    *,
    preselected: NDArray[np.int64],
    stop_squared_distance: float,
    progress: Progress,
) -> Picks:
    """Returns the farthest-first sequence of some candidates, in the numbers of all rows."""
    rows = np.union1d(candidates, preselected)
    picks = farthest_first(
        embeddings.in_memory(rows),
        k,
        preselected=np.searchsorted(rows, preselected),
        stop_squared_distance=stop_squared_distance,
        progress=progress,
    )
    return Picks(rows[picks.indices], picks.squared_distances, picks.next_squared_distance)


def _chosen_in_shards(
    candidates: NDArray[np.int64],
    shard_rows: int,
    picks_per_shard: int,
    pick: Callable[[NDArray[np.int64], int], Picks],
) -> tuple[NDArray[np.int64], float]:
    """Returns what is chosen in shards of consecutive candidates, and their largest squared radius.

    That radius plus the one among these rows bounds the coverage: at most 4 times the best possible
    radius for k picks if every shard gives at least k (composable core-sets: Malkomes et al. 2015).
    Fewer lose what is rare: never less than k where similar rows are spread over many shards. Only
    one shard's rows are read at a time.
    """
    chosen, farthest = [_NO_ROWS], 0.0
    for start in range(0, len(candidates), shard_rows):
        picks = pick(candidates[start : start + shard_rows], picks_per_shard)
        chosen.append(picks.indices)
        farthest = max(farthest, picks.next_squared_distance or 0.0)
    return np.sort(np.concatenate(chosen)), farthest


def _stopped_by(picks: Picks, k: int, n_looked_at: int) -> str:
    if len(picks.indices) == k:
        return "n_samples"
    return "candidates_exhausted" if len(picks.indices) == n_looked_at else "minimum_distance"


def _to_neighbours(embeddings: GridEmbeddings, candidates: NDArray[np.int64], every: int) -> float:
    """Returns the largest squared distance of a candidate to the nearer one looked at beside it.

    That distance plus the radius among the candidates looked at bounds the coverage (triangle
    inequality).
    """
    largest = 0.0
    last = (len(candidates) - 1) // every * every
    for start in range(0, len(candidates), _BLOCK_ROWS):
        places = np.arange(start, min(start + _BLOCK_ROWS, len(candidates)))
        places = places[places % every != 0]
        before = places // every * every
        after = np.minimum(before + every, last)
        squared = np.minimum(
            squared_between(embeddings, candidates[places], candidates[before]),
            squared_between(embeddings, candidates[places], candidates[after]),
        )
        largest = max(largest, float(squared.max(initial=0.0)))
    return largest
