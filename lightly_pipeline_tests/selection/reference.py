"""Greedy selection by its definition, in float64, slow and short: what the engines must equal.

Strategies are plain dictionaries: {"kind": "D" | "W" | "B", "strength": ..., ...}. A "D" with
"vectors" and "starts" compares objects: those of row i are vectors[starts[i] : starts[i + 1]]. A
"W" with "gains" sums up these, and has values of -inf for rows without objects.
"""

from itertools import pairwise
from math import fsum, inf
from typing import Any

import numpy as np

TINY = np.finfo(np.float64).tiny


class Compared:
    """What DIVERSITY compares: rows, or their objects, with all their squared distances."""

    def __init__(self, vectors: np.ndarray, starts: np.ndarray | None = None) -> None:
        rows = vectors.astype(np.float64)
        norms = (rows * rows).sum(axis=1)
        self.pairs = norms[:, None] + norms[None] - 2 * rows @ rows.T
        ends = np.arange(len(rows) + 1) if starts is None else starts
        self.of = [list(range(a, b)) for a, b in pairwise(ends)]

    def among(self, chosen: list[int]) -> list[int]:
        return [part for row in chosen for part in self.of[row]]

    def distance(self, x: int, chosen: list[int]) -> float:
        """D(x): the mean over its parts; inf while there is nothing to be far from."""
        among = self.among(chosen)
        if not self.of[x]:
            return -inf
        nearest = [self.pairs[part, among].min(initial=inf) for part in self.of[x]]
        return fsum(nearest) / len(nearest)

    def spread(self, chosen: list[int]) -> float:
        """A: every chosen part's squared distance to its nearest other chosen part, now, summed."""
        parts = self.among(chosen)
        if len(parts) < 2:
            return 0.0
        among = self.pairs[np.ix_(parts, parts)].copy()
        np.fill_diagonal(among, np.inf)
        return fsum(among.min(axis=1))


def log_factor(
    strategy: dict[str, Any], x: int, chosen: list[int], compared: Compared | None, spread: float
) -> float:
    """ln O(S + x) of one strategy."""
    if compared is not None:
        distance = compared.distance(x, chosen)
        return 0.0 if distance == inf else float(np.log(max(spread + distance, TINY)))
    if strategy["kind"] == "W":
        gains = strategy.get("gains", strategy["values"])
        total = sum(gains[i] for i in chosen) + strategy["values"][x]
        return float(np.log(max(total, TINY)))
    sums = strategy["rows"][[*chosen, x]].sum(axis=0)
    shares = sums / sums.sum() if sums.sum() > 0 else sums
    target = strategy["target"] / strategy["target"].sum()
    cross_entropy = -(target * np.log(np.maximum(shares, 1e-10))).sum()
    return float(-np.log(max(cross_entropy, TINY)))


def greedy(
    vectors: np.ndarray, strategies: list[dict[str, Any]], k: int, preselected: list[int]
) -> tuple[list[int], str]:
    """Returns the picks and why they end."""
    compared = [
        Compared(s.get("vectors", vectors), s.get("starts")) if s["kind"] == "D" else None
        for s in strategies
    ]
    chosen, picks = list(preselected), []
    strengths = sum(abs(s["strength"]) for s in strategies)
    unit = 2.0**-40 * 2.0 ** np.ceil(np.log2(strengths or 1.0))
    new_sums = [0.0] * len(strategies)
    while len(picks) < k:
        spreads = [0.0 if c is None else c.spread(chosen) for c in compared]
        best, best_score = -1, -np.inf
        free = [x for x in range(len(vectors)) if x not in chosen]
        for x in free:
            if any(exceeds(s, t, x) for s, t in zip(strategies, new_sums, strict=True)):
                continue
            if len(strategies) == 1 and strategies[0]["kind"] != "B":
                score = np.sign(strategies[0]["strength"]) * own_value(
                    strategies[0], x, chosen, compared[0]
                )
            else:
                terms = (
                    s["strength"] * log_factor(s, x, chosen, c, a)
                    for s, c, a in zip(strategies, compared, spreads, strict=True)
                )
                score = np.rint(sum(terms) / unit)
            if score > best_score:
                best, best_score = x, score
        if best < 0:
            return picks, "target_range" if free else "candidates_exhausted"
        for s, c in zip(strategies, compared, strict=True):
            if c is not None and -inf < c.distance(best, chosen) < s.get("minimum_squared", 0.0):
                return picks, "minimum_distance"
            if s["kind"] == "W" and -inf < s["values"][best] < s.get("minimum", -inf):
                return picks, "minimum_typicality"
        picks.append(best)
        chosen.append(best)
        for i, s in enumerate(strategies):
            new_sums[i] += s.get("gains", s["values"])[best] if s["kind"] == "W" else 0.0
            if s["kind"] == "W" and new_sums[i] >= s.get("max_sum", np.inf):
                return picks, "max_sum"
            if s["kind"] == "W" and new_sums[i] >= s.get("target_range", (np.inf,))[0]:
                return picks, "target_range"
    return picks, "candidates_exhausted" if len(chosen) == len(vectors) else "n_samples"


def own_value(
    strategy: dict[str, Any], x: int, chosen: list[int], compared: Compared | None
) -> float:
    """What a strategy alone compares, for which no logarithm is needed."""
    if compared is None:
        return max(float(strategy["values"][x]), -1e9)
    return float(np.clip(compared.distance(x, chosen), -1.0, 100.0))


def exceeds(strategy: dict[str, Any], new_sum: float, x: int) -> bool:
    """Whether a row would lift the sum above a target_range."""
    if "target_range" not in strategy:
        return False
    return bool(new_sum + strategy["values"][x] > strategy["target_range"][1])
