"""Pairs of a candidate that was left out and the choice that stands for it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.report.gather.coverage import Measured

_PAIRS_PER_KIND = 4


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair.

    Attributes:
        kind: "closest", "median" or "farthest".
        row: Of the left-out frame.
        rank: Of the choice.
        squared: Their squared distance on the grid.
    """

    kind: str
    row: int
    rank: int
    squared: float


def find_pairs(measured: Measured, chosen: NDArray[np.int64]) -> list[Pair]:
    """Returns up to four of the closest pairs, of the farthest, and of those around the median.

    Of a kind, no choice is in two pairs where there are others. Left-out frames that a frame of an
    earlier run stands for are in none.

    Args:
        measured: Distances of candidates to this choice, at all its frames in the last column.
        chosen: Shape (k,): rows in the order of picks.
    """
    own = measured.this[:, -1]
    left_out = np.flatnonzero(~np.isin(measured.rows, chosen) & (own <= measured.before))
    order = left_out[np.argsort(own[left_out], kind="stable")]
    from_the_middle = np.argsort(
        np.abs(np.arange(len(order)) - (len(order) - 1) / 2), kind="stable"
    )
    used: set[int] = set()
    found = {
        kind: _first_distinct(places, measured.nearest, used)
        for kind, places in (
            ("closest", order),
            ("farthest", order[::-1]),
            ("median", order[from_the_middle]),
        )
    }
    return [
        Pair(kind, int(measured.rows[place]), int(measured.nearest[place]), float(own[place]))
        for kind in ("closest", "median", "farthest")
        for place in found[kind]
    ]


def _first_distinct(
    places: Iterable[np.int64], ranks: NDArray[np.int64], used: set[int]
) -> list[int]:
    """Returns the first four places with ranks of their own, then others; none that is used."""
    taken: list[int] = []
    again: list[int] = []
    seen: set[int] = set()
    for place in map(int, places):
        if len(taken) == _PAIRS_PER_KIND:
            break
        if place in used:
            continue
        if int(ranks[place]) in seen:
            again.append(place)
            continue
        seen.add(int(ranks[place]))
        taken.append(place)
    taken += again[: _PAIRS_PER_KIND - len(taken)]
    used.update(taken)
    return taken
