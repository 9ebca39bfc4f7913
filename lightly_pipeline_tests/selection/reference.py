"""Greedy selection by its definition, in float64, slow and short: what the engines must equal.

Strategies are plain dictionaries: {"kind": "D" | "W" | "B", "strength": ..., ...}.
"""

from typing import Any

import numpy as np

TINY = np.finfo(np.float64).tiny


def live_spread(pairs: np.ndarray, chosen: list[int]) -> float:
    """A: every chosen row's squared distance to its nearest other chosen row, now, summed."""
    if len(chosen) < 2:
        return 0.0
    among = pairs[np.ix_(chosen, chosen)].copy()
    np.fill_diagonal(among, np.inf)
    return float(among.min(axis=1).sum())


def log_factor(
    strategy: dict[str, Any], x: int, chosen: list[int], pairs: np.ndarray, spread: float
) -> float:
    """ln O(S + x) of one strategy."""
    if strategy["kind"] == "D":
        if not chosen:
            return 0.0
        return float(np.log(max(spread + pairs[x, chosen].min(), TINY)))
    if strategy["kind"] == "W":
        total = sum(strategy["values"][i] for i in chosen) + strategy["values"][x]
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
    rows = vectors.astype(np.float64)
    norms = (rows * rows).sum(axis=1)
    pairs = norms[:, None] + norms[None] - 2 * rows @ rows.T
    chosen, picks = list(preselected), []
    strengths = sum(abs(s["strength"]) for s in strategies)
    unit = 2.0**-40 * 2.0 ** np.ceil(np.log2(strengths or 1.0))
    new_sums = [0.0] * len(strategies)
    while len(picks) < k:
        spread = live_spread(pairs, chosen)
        best, best_score = -1, -np.inf
        free = [x for x in range(len(rows)) if x not in chosen]
        for x in free:
            if any(exceeds(s, t, x) for s, t in zip(strategies, new_sums, strict=True)):
                continue
            if len(strategies) == 1 and strategies[0]["kind"] != "B":
                score = np.sign(strategies[0]["strength"]) * own_value(
                    strategies[0], x, chosen, pairs
                )
            else:
                terms = (
                    s["strength"] * log_factor(s, x, chosen, pairs, spread) for s in strategies
                )
                score = np.rint(sum(terms) / unit)
            if score > best_score:
                best, best_score = x, score
        if best < 0:
            return picks, "target_range" if free else "candidates_exhausted"
        nearest = pairs[best, chosen].min() if chosen else np.inf
        for s in strategies:
            if s["kind"] == "D" and nearest < s.get("minimum_squared", 0.0):
                return picks, "minimum_distance"
            if s["kind"] == "W" and s["values"][best] < s.get("minimum", -np.inf):
                return picks, "minimum_typicality"
        picks.append(best)
        chosen.append(best)
        for i, s in enumerate(strategies):
            new_sums[i] += s["values"][best] if s["kind"] == "W" else 0.0
            if s["kind"] == "W" and new_sums[i] >= s.get("max_sum", np.inf):
                return picks, "max_sum"
            if s["kind"] == "W" and new_sums[i] >= s.get("target_range", (np.inf,))[0]:
                return picks, "target_range"
    return picks, "candidates_exhausted" if len(chosen) == len(rows) else "n_samples"


def own_value(strategy: dict[str, Any], x: int, chosen: list[int], pairs: np.ndarray) -> float:
    """What a strategy alone compares, for which no logarithm is needed."""
    if strategy["kind"] == "W":
        return float(strategy["values"][x])
    return float(pairs[x, chosen].min()) if chosen else 0.0


def exceeds(strategy: dict[str, Any], new_sum: float, x: int) -> bool:
    """Whether a row would lift the sum above a target_range."""
    if "target_range" not in strategy:
        return False
    return bool(new_sum + strategy["values"][x] > strategy["target_range"][1])
