"""Frames pooled to sequences: blocks of consecutive frames that are chosen as one.

Pure functions on arrays. A block's vector is the mean of its frames' vectors, brought to unit
length again; its numbers are means, its class rows sums, its category the most frequent one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.rows import FrameRows

_GROUPS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows put together to B groups.

    Attributes:
        rows: Shape (M,), int64: rows of all groups, one group after the other.
        starts: Shape (B + 1,), int64: where each group begins in `rows`, and the end.
    """

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def members(self, group: int) -> NDArray[np.int64]:
        """Returns the rows of one group."""
        return self.rows[self.starts[group] : self.starts[group + 1]]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Rows per group, shape (B,)."""
        return np.diff(self.starts)


def groups_of(members: Sequence[NDArray[np.int64]]) -> Groups:
    """Returns groups of the given rows."""
    starts = np.cumsum([0, *(len(rows) for rows in members)], dtype=np.int64)
    rows = np.concatenate([*members, np.empty(0, np.int64)]).astype(np.int64)
    return Groups(rows, starts)


def joined_groups(first: Groups, second: Groups) -> Groups:
    """Returns the groups of both, one after the other."""
    return Groups(
        np.concatenate([first.rows, second.rows]),
        np.concatenate([first.starts, second.starts[1:] + first.starts[-1]]),
    )


def blocks(
    rows: FrameRows, places: NDArray[np.int64], length: int, excluded: NDArray[np.int64]
) -> Groups:
    """Returns the blocks of each video, from its first frame on; an incomplete one is left out.

    Args:
        rows: Frames of videos, in order.
        places: Shape (N,): the place of each row's frame among the frames of its video, those
            included that are no rows.
        length: Frames per block.
        excluded: Rows that may not be chosen: blocks with one of them are left out.
    """
    barred = np.zeros(len(rows), dtype=bool)
    barred[excluded] = True
    starts = [np.empty(0, np.int64)]
    for _, positions in rows.of_video():
        block = places[positions] // length
        first = np.flatnonzero(np.diff(block, prepend=-1))
        is_whole = np.diff(first, append=len(block)) == length
        starts.append(positions[first[is_whole]])
    members = np.concatenate(starts)[:, None] + np.arange(length)
    members = members[~barred[members].any(axis=1)]
    return Groups(members.reshape(-1), np.arange(len(members) + 1, dtype=np.int64) * length)


def pooled_embeddings(
    embeddings: NDArray[np.float32], groups: Groups, *, normalize: bool
) -> NDArray[np.float32]:
    """Returns the mean vector of each group, shape (B, d), summed in float64.

    Args:
        embeddings: Shape (N, d).
        groups: Of its rows.
        normalize: Bring every row to unit length before, and the mean afterwards.
    """
    pooled = np.empty((len(groups), embeddings.shape[1]), dtype=np.float32)
    for first in range(0, len(groups), _GROUPS_AT_ONCE):
        last = min(first + _GROUPS_AT_ONCE, len(groups))
        begin, end = groups.starts[first], groups.starts[last]
        vectors = embeddings[groups.rows[begin:end]].astype(np.float64)
        if normalize:
            vectors = _unit(vectors)
        means = np.add.reduceat(vectors, groups.starts[first:last] - begin)
        means /= groups.sizes[first:last, None]
        pooled[first:last] = _unit(means) if normalize else means
    return pooled


def pooled_sums(values: NDArray[np.float64], groups: Groups) -> NDArray[np.float64]:
    """Returns the sum of each group's values, shape (B, ...) of (N, ...)."""
    if not len(groups):
        return np.zeros((0, *values.shape[1:]))
    sums: NDArray[np.float64] = np.add.reduceat(values[groups.rows], groups.starts[:-1])
    return sums


def pooled_means(values: NDArray[np.float64], groups: Groups) -> NDArray[np.float64]:
    """Returns the mean of each group's values, shape (B,) of (N,)."""
    means: NDArray[np.float64] = pooled_sums(values, groups) / groups.sizes
    return means


def pooled_categories(values: NDArray[Any], groups: Groups) -> NDArray[Any]:
    """Returns the most frequent category of each group, on a tie the one that comes first."""
    pooled = np.empty(len(groups), dtype=object)
    for group in range(len(groups)):
        members = values[groups.members(group)].tolist()
        pooled[group] = max(members, key=members.count)
    return pooled


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Brings rows to unit length; zero rows become NaN, which the selection refuses."""
    with np.errstate(invalid="ignore"):
        unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
