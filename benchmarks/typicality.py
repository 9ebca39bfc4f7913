"""TYPICALITY of many rows: CPU time, and how many true neighbours it found.

    python -m benchmarks.typicality [--rows 1000000] [--kinds video clustered uniform]

CPU seconds of one thread if run by `make bench-typicality`, for 128 dimensions and 20 neighbours,
with everything that a run of the pipeline does. Recall is the share of the true 20 nearest rows
among those found, for 500 evenly spaced rows, the true ones by float64 products with all rows. The
error is that of the mean distance to the neighbours. Bounds hold where rows have neighbourhoods.
"""

import argparse
import time

import numpy as np

from benchmarks.selection_data import embeddings_file, load
from lightly_pipeline.selection.strategies import typicality
from lightly_pipeline.selection.strategies.typicality import DEFAULT_NEIGHBORS

_DIM = 128
_SAMPLE = 500
_MUST_S, _MUST_RECALL = 180.0, 0.999
# Random directions have no neighbourhoods: no index finds the nearest without looking at most rows.
_KINDS = {"video": True, "clustered": True, "uniform": False}


def main() -> int:
    """Prints the table; returns 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kinds", nargs="+", choices=list(_KINDS), default=list(_KINDS))
    options = parser.parse_args()
    print(f"{'data':28}{'CPU s':>8}{'wall s':>8}{'recall':>10}{'mean error':>12}{'largest':>10}")
    missed = [kind for kind in options.kinds if not _report(kind, options.rows)]
    for kind in missed:
        print(f"MISSED: {kind}")
    return 1 if missed else 0


def _report(kind: str, n_rows: int) -> bool:
    """Prints a line and returns whether the bounds are met."""
    grid = load(embeddings_file(kind, n_rows, _DIM))
    started, started_wall = time.process_time(), time.monotonic()
    typicality.typicality(grid, DEFAULT_NEIGHBORS)
    seconds, wall = time.process_time() - started, time.monotonic() - started_wall
    rows = np.arange(0, n_rows, max(1, n_rows // _SAMPLE))
    exact = typicality.nearest_squared_by_all_pairs(grid, rows, DEFAULT_NEIGHBORS)
    index = typicality.neighbor_index(grid)
    found = typicality.nearest_squared(grid, index, rows, DEFAULT_NEIGHBORS)
    recall = float((found <= exact[:, -1:]).mean())
    error = np.sqrt(found).mean(axis=1) / np.sqrt(exact).mean(axis=1) - 1
    print(
        f"{kind} {n_rows:,} x {_DIM:<12}{seconds:8.0f}{wall:8.0f}{recall:10.5f}"
        f"{error.mean():12.2e}{error.max():10.2e}",
        flush=True,
    )
    return not _KINDS[kind] or (recall >= _MUST_RECALL and seconds <= _MUST_S * n_rows / 1e6)


if __name__ == "__main__":
    raise SystemExit(main())
