"""DIVERSITY of objects: the lazy engine against the direct one.

    python -m benchmarks.objects [--rows 100000] [--objects 10] [--dim 128] [--picks 1000]

CPU seconds, of one thread if run by `make bench-objects`, and peak memory above what the process
held with the vectors loaded. The direct engine compares all objects with those of each pick; it is
measured for `--direct-picks` picks and extrapolated, and the lazy one must begin with the same.
Objects are tracks through shots, as a detector sees them in a video: near each other from frame to
frame, not within one.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.selection import _peak, _reset_peak
from benchmarks.selection_data import fill_tracks
from lightly_pipeline.progress import silent
from lightly_pipeline.selection import GridEmbeddings, prepare_embeddings
from lightly_pipeline.selection.mixture.direct import pick_directly
from lightly_pipeline.selection.mixture.objective import Diversity, Objective, Strategy, Weights
from lightly_pipeline.selection.mixture.rounds import pick_lazily
from lightly_pipeline.selection.mixture.tally import Tally
from lightly_pipeline.selection.vectors.parts import Parts
from lightly_pipeline.selection.vectors.threads import one_blas_thread

_NOBODY = np.empty(0, dtype=np.int64)


def main() -> int:
    """Prints the table; returns 1 if the engines differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--objects", type=int, default=10, help="a row")
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--picks", type=int, default=1000)
    parser.add_argument("--direct-picks", type=int, default=20)
    options = parser.parse_args()
    parts = _parts(options.rows, options.objects, options.dim)
    print(
        f"N = {options.rows:,} x {options.objects} objects x {options.dim}, k = {options.picks:,}; "
        f"the vectors take {parts.embeddings.vectors.nbytes / 1e6:,.0f} MB"
    )
    print(f"{'':36}{'lazy s':>9}{'+MB':>7}{'direct s':>10}{'+MB':>7}  times faster")
    failed = False
    for name, objective in _objectives(parts).items():
        run = partial(_run, objective=objective)
        lazy_s, lazy_mb, picks = run(pick_lazily, k=options.picks)
        direct_s, direct_mb, expected = run(pick_directly, k=options.direct_picks)
        direct_s *= options.picks / options.direct_picks
        is_same = picks[: len(expected)] == expected
        failed |= not is_same
        print(
            f"{name:36}{lazy_s:9.2f}{lazy_mb:7.0f}{direct_s:10.2f}{direct_mb:7.0f}"
            f"{direct_s / lazy_s:14.1f}{'' if is_same else '  DIFFERENT PICKS'}",
            flush=True,
        )
    return int(failed)


def _parts(n_rows: int, per_row: int, dim: int) -> Parts:
    vectors = np.empty((n_rows * per_row, dim), np.float32)
    fill_tracks(vectors, np.random.default_rng(0), per_row)
    return Parts(prepare_embeddings(vectors), np.arange(n_rows + 1) * per_row)


def _objectives(parts: Parts) -> dict[str, Objective]:
    values = 0.05 + 0.95 * np.random.default_rng(1).random(len(parts))
    diversity = Diversity("objects", 1.0, 0.0, parts)
    mixtures: dict[str, tuple[Strategy, ...]] = {
        "DIVERSITY of objects": (diversity,),
        "DIVERSITY of objects x WEIGHTS": (diversity, Weights("weights", 1.0, values)),
    }
    return {name: Objective(strategies) for name, strategies in mixtures.items()}


def _run(
    engine: Callable[[GridEmbeddings, Tally, NDArray[np.int64]], object],
    k: int,
    objective: Objective,
) -> tuple[float, float, list[int]]:
    """Returns the CPU seconds, the peak memory in MB and the picks."""
    (diversity,) = objective.diversities.values()
    assert diversity.objects is not None
    # No strategy compares rows: any will do.
    rows = prepare_embeddings(np.ones((len(diversity.objects), 1), np.float32))
    tally = Tally(objective, rows, k, silent)
    before, started = _reset_peak(), time.process_time()
    with one_blas_thread():
        engine(rows, tally, _NOBODY)
    return time.process_time() - started, (_peak() - before) / 1e6, tally.picks


if __name__ == "__main__":
    raise SystemExit(main())
