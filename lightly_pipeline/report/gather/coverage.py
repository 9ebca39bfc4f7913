"""How far candidates are from their nearest chosen frame, for this choice and for two others.

Distances are those of the selection, exact on its grid, so that the figures are the same on every
machine. Frames that earlier runs chose count as chosen from the start, in every choice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.report.numbers import CoverageCurve
from lightly_pipeline.selection import GridEmbeddings
from lightly_pipeline.selection.columns import random_numbers
from lightly_pipeline.selection.mixture.decisions import evenly_spaced
from lightly_pipeline.selection.vectors.distances import squared_to_all

# Pairs of a candidate and a chosen frame that all curves together may cost: seconds at 128
# dimensions. With 500 chosen frames that is every candidate up to the other bound.
_MAX_PAIRS = 500_000_000
# Bounds the memory that distances at all steps take.
_MIN_MEASURED, _MAX_MEASURED = 64, 250_000
_PAIRS_AT_ONCE = 2_000_000
_MAX_POINTS = 24
_SEED = 1


@dataclass(frozen=True, slots=True)
class Choices:
    """Rows of three choices of the same size.

    Attributes:
        steps: Shape (p,), int64, ascending: the numbers of frames that are looked at.
        this: Shape (k,): the choice, in the order of picks.
        random: Shape (k,): as many candidates by chance, the same at every run.
        even: Shape (k,): as many candidates evenly in time, in an order in which the first
            ones are spread over all time, too.
    """

    steps: NDArray[np.int64]
    this: NDArray[np.int64]
    random: NDArray[np.int64]
    even: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Measured:
    """Squared distances on the grid of m candidates to their nearest chosen frame.

    Attributes:
        rows: Shape (m,), int64: all candidates, or evenly spaced ones.
        before: Shape (m,): to frames of earlier runs; inf without any.
        this: Shape (m, p): to the first of this choice, by step.
        random: Shape (m, p).
        even: Shape (m, p).
        nearest: Shape (m,), int64: rank of the nearest frame of this choice.
    """

    rows: NDArray[np.int64]
    before: NDArray[np.float64]
    this: NDArray[np.float64]
    random: NDArray[np.float64]
    even: NDArray[np.float64]
    nearest: NDArray[np.int64]


def log_steps(n_chosen: int) -> NDArray[np.int64]:
    """Returns up to 24 numbers from 1 to `n_chosen`, evenly spaced by their logarithm.

    >>> log_steps(5)
    array([1, 2, 3, 4, 5])
    """
    points = np.geomspace(1, max(n_chosen, 1), _MAX_POINTS)
    return np.unique(np.rint(points).astype(np.int64))[: max(n_chosen, 0)]


def choices(
    chosen: NDArray[np.int64], candidates: NDArray[np.int64], clock: NDArray[np.float64]
) -> Choices:
    """Returns the choice and those that it is compared with.

    Args:
        chosen: Shape (k,): rows in the order of picks.
        candidates: Shape (n,), ascending: rows that could be chosen.
        clock: Shape (n,), ascending: the candidates' times, one video after the other.
    """
    order = np.argsort(random_numbers(len(candidates), _SEED), kind="stable")
    random = candidates[order[: len(chosen)]]
    even = candidates[_spread(evenly(clock, len(chosen)))]
    return Choices(log_steps(len(chosen)), chosen, random, even)


def evenly(clock: NDArray[np.float64], wanted: int) -> NDArray[np.int64]:
    """Returns the places of `wanted` times nearest to the middles of equal parts of all time.

    Where one is the nearest to two of them, places that are free are taken as well, evenly spaced.

    >>> evenly(np.array([0.0, 1.0, 2.0, 3.0, 10.0]), 2)
    array([2, 4])
    """
    first, last = clock[0], clock[-1]
    targets = first + (np.arange(wanted) + 0.5) / wanted * (last - first)
    right = np.clip(np.searchsorted(clock, targets), 1, max(len(clock) - 1, 1))
    right = np.minimum(right, len(clock) - 1)
    left = np.maximum(right - 1, 0)
    places = np.where(targets - clock[left] <= clock[right] - targets, left, right)
    taken = np.unique(places)
    free = np.setdiff1d(np.arange(len(clock)), taken)
    more = free[evenly_spaced(len(free), wanted - len(taken))]
    return np.sort(np.concatenate([taken, more]))


def _spread(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns places in another order: halves first, then quarters, eighths, and so on.

    >>> _spread(np.arange(8))
    array([4, 2, 6, 1, 5, 3, 7, 0])
    """
    n_bits = max(1, (len(places) - 1).bit_length())
    numbers = np.roll(np.arange(2**n_bits), -1)
    reversed_bits = np.zeros_like(numbers)
    for bit in range(n_bits):
        reversed_bits |= ((numbers >> bit) & 1) << (n_bits - 1 - bit)
    order = reversed_bits * len(places) >> n_bits
    _, first = np.unique(order, return_index=True)
    spread: NDArray[np.int64] = places[order[np.sort(first)]]
    return spread


def measure(
    embeddings: GridEmbeddings,
    candidates: NDArray[np.int64],
    before: NDArray[np.int64],
    compared: Choices,
) -> Measured:
    """Returns the squared distances of candidates to the frames of each choice.

    All candidates; evenly spaced ones where there are over 250,000, or pairs exceed 5 * 10^8.

    Args:
        embeddings: Of all rows.
        candidates: Rows that could be chosen; at least one.
        before: Rows that earlier runs chose.
        compared: The choices; at least one frame.
    """
    sets = (compared.this, compared.random, compared.even)
    n_columns = len(before) + sum(map(len, sets))
    wanted = min(_MAX_MEASURED, max(_MIN_MEASURED, _MAX_PAIRS // n_columns))
    rows = candidates[evenly_spaced(len(candidates), wanted)]
    m, p = len(rows), len(compared.steps)
    this, random, evenly_spread = (np.empty((m, p)) for _ in range(3))
    found = Measured(
        rows, np.full(m, np.inf), this, random, evenly_spread, np.empty(m, dtype=np.int64)
    )
    starts = np.concatenate([[0], compared.steps[:-1]])
    at_once = max(1, _PAIRS_AT_ONCE // n_columns)
    for start in range(0, m, at_once):
        part = slice(start, start + at_once)
        if len(before):
            found.before[part] = squared_to_all(embeddings, rows[part], before).min(axis=1)
        for rows_of_set, out in zip(sets, (found.this, found.random, found.even), strict=True):
            squared = squared_to_all(embeddings, rows[part], rows_of_set)
            if out is found.this:
                found.nearest[part] = squared.argmin(axis=1)
            # A set that is smaller, for times are equal, has come to its end before the last step.
            ends = np.minimum(starts, len(rows_of_set) - 1)
            np.minimum.accumulate(np.minimum.reduceat(squared, ends, axis=1), axis=1, out=out[part])
    return found


def curves(
    measured: Measured,
    compared: Choices,
    scale: float,
    n_candidates: int,
    evenly_how: str = "evenly in time",
) -> tuple[CoverageCurve, ...]:
    """Returns a curve for each choice.

    Args:
        measured: The squared distances.
        compared: The choices.
        scale: Of the embeddings.
        n_candidates: Of which those measured are a part, or all.
        evenly_how: How the choice that is spread evenly is called.
    """
    n_measured = len(measured.rows) if len(measured.rows) < n_candidates else None
    found = []
    for name, by_step in (
        ("this choice", measured.this),
        ("random", measured.random),
        (evenly_how, measured.even),
    ):
        distances = np.sqrt(np.minimum(by_step, measured.before[:, None])) * scale
        median, largest = np.median(distances, axis=0), distances.max(axis=0)
        found.append(CoverageCurve(name, compared.steps, median, largest, n_measured))
    return tuple(found)
