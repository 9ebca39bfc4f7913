"""Mixtures of strategies against the direct loop and Lightly's engine.

    python -m benchmarks.mixtures [--rows 100000] [--picks 1000]

CPU seconds, the median of three, of one thread if run by `make bench-mixtures`. The direct engine
scores every candidate before every pick; the lazy one must give the same picks. lightly-mundig is
measured where it is installed (see `benchmarks.selection`), without the time it takes to be given
its data; it rounds to float32 and leaves the exact sequence, so the picks in common are counted.
"""

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.selection_data import embeddings_file, load
from lightly_pipeline.progress import silent
from lightly_pipeline.selection import GridEmbeddings
from lightly_pipeline.selection.mixture.direct import pick_directly
from lightly_pipeline.selection.mixture.objective import (
    Balance,
    Diversity,
    Objective,
    Strategy,
    Weights,
)
from lightly_pipeline.selection.mixture.rounds import pick_lazily
from lightly_pipeline.selection.mixture.tally import Tally

_REPEATS = 3
_DIM = 128
_CLASS_SHARES = np.array([16, 8, 4, 2, 1]) / 31
_MUST_MUNDIG = 2.0
_NOBODY = np.empty(0, dtype=np.int64)


def main() -> int:
    """Prints the table; returns 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--picks", type=int, default=1000)
    options = parser.parse_args()
    missed = _mixtures(options.rows, options.picks)
    for line in missed:
        print(f"MISSED {line}")
    return bool(missed)


def _mixtures(n_rows: int, k: int) -> list[str]:
    grid = load(embeddings_file("video", n_rows, _DIM))
    has_mundig = importlib.util.find_spec("lightly_mundig") is not None
    print(f"video, N = {n_rows}, d = {_DIM}, k = {k}; CPU seconds")
    print(f"{'':28}{'lazy':>8}{'direct':>8}{'mundig':>8}  times faster  picks in common")
    missed = []
    for name, objective in _objectives(n_rows).items():
        lazy_s, picks = _median(lambda o=objective: _run(pick_lazily, grid, o, k))
        direct_s, expected = _median(lambda o=objective: _run(pick_directly, grid, o, k))
        assert picks == expected, f"{name}: the lazy engine leaves the direct one"
        line = f"{name:28}{lazy_s:8.2f}{direct_s:8.2f}"
        if has_mundig:
            mundig_s, theirs = _mundig(grid, objective, k)
            line += f"{mundig_s:8.2f}{mundig_s / lazy_s:14.1f}{len({*theirs} & {*picks}):17}"
            if mundig_s < _MUST_MUNDIG * lazy_s:
                missed.append(f"{name}: {mundig_s / lazy_s:.1f} times faster than lightly-mundig")
        print(line, flush=True)
        if lazy_s > 1.1 * direct_s:
            missed.append(f"{name}: slower than the direct loop")
    return missed


def _objectives(n: int) -> dict[str, Objective]:
    rng = np.random.default_rng(1)
    fast = 0.05 + 0.95 * rng.random(n)
    smooth = np.convolve(rng.random(n + 199), np.ones(200) / 200, "valid")
    slow = 0.05 + 0.95 * (smooth - smooth.min()) / (smooth.max() - smooth.min())
    kinds = rng.choice(5, n, p=_CLASS_SHARES)
    diversity, weights = Diversity("diversity", 1.0), Weights("weights", 1.0, fast)
    balance = Balance("balance", 1.0, tuple("abcde"), np.full(5, 0.2), np.eye(5), kinds)
    mixtures: dict[str, tuple[Strategy, ...]] = {
        "DIVERSITY x WEIGHTS": (diversity, weights),
        "DIVERSITY x WEIGHTS (slow)": (diversity, Weights("slow", 1.0, slow)),
        "DIVERSITY x WEIGHTS^-1": (diversity, Weights("inverse", -1.0, fast)),
        "DIVERSITY x BALANCE": (diversity, balance),
        "DIVERSITY x WEIGHTS x BALANCE": (diversity, weights, balance),
    }
    return {name: Objective(strategies) for name, strategies in mixtures.items()}


def _run(
    engine: Callable[[GridEmbeddings, Tally, NDArray[np.int64]], object],
    grid: GridEmbeddings,
    objective: Objective,
    k: int,
) -> tuple[float, list[int]]:
    tally = Tally(objective, grid, k, silent)
    started = time.process_time()
    engine(grid, tally, _NOBODY)
    return time.process_time() - started, tally.picks


def _median(run: Callable[[], tuple[float, list[int]]]) -> tuple[float, list[int]]:
    runs = [run() for _ in range(_REPEATS)]
    return statistics.median(seconds for seconds, _ in runs), runs[0][1]


def _mundig(grid: GridEmbeddings, objective: Objective, k: int) -> tuple[float, list[int]]:
    from lightly_mundig import Selection

    selection = Selection()
    for strategy in objective.strategies:
        if isinstance(strategy, Diversity):
            selection.add_diversifying_strategy(grid.vectors, strategy.strength)
        elif isinstance(strategy, Weights):
            selection.add_weighting_strategy(strategy.values.tolist(), strategy.strength)
        else:
            rows = strategy.table[strategy.groups].tolist()
            selection.add_balancing_strategy(rows, strategy.target.tolist(), strategy.strength)
    started = time.process_time()
    picks = selection.run_selection([], len(grid), k)
    return time.process_time() - started, list(picks)


if __name__ == "__main__":
    raise SystemExit(main())
