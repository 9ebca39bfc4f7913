"""Exact farthest-first against the loops and engines one would use instead.

    python -m benchmarks.selection [--quick] [--rows 100000] [--dim 128] [--picks 1000]

Times are CPU seconds of one thread, the median of the repeats; memory is the peak above what the
process held with the matrix loaded. All engines get the rows as `prepare_embeddings` leaves them,
without its time; ours also finds the coverage radius and the exact distance of every pick. Ours and
the loops take turns in one process, peers have one each. Engines that pick row by row are measured
for 300 picks and extrapolated: (e). The times faster are against the faster of a NumPy and a FAISS
matrix-vector loop on the same rows.

Every sequence of ours is proven right by the certificate of the tests. A peer's radius is that
after its picks, relative to the exact one after as many.

Peers are measured where they are installed (`pip install lightly-mundig skmatter`, into another
environment whose folder PYTHONPATH names, to leave the project's own as it is).
"""

import argparse
import importlib.util
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.selection_data import embeddings_file, load
from benchmarks.selection_engines import ENGINES
from lightly_pipeline.selection import GridEmbeddings
from lightly_pipeline.selection.vectors.distances import blocks_of, lower_to_nearest
from lightly_pipeline_tests.selection.certificate import first_wrong_step

_LOOP_PICKS = 300
_LOOPS = ("NumPy loop", "FAISS loop")
_PEERS = {"lightly-mundig": "lightly_mundig", "skmatter Voronoi": "skmatter"}
_MAX_MEMORY = 0.15


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    kind: str
    n_rows: int
    dim: int
    k: int

    @property
    def must(self) -> float | None:
        """How many times faster than the faster loop it must be."""
        if self.k <= 100:
            return 0.95
        if self.n_rows == 100_000 and self.k == 1000:
            return 2.5
        if self.n_rows < 1_000_000:
            return None
        if self.dim == 512:
            return 6 if self.k == 1000 else None
        uniform = self.kind == "uniform"
        return (2.5 if uniform else 4) if self.k == 1000 else (5 if uniform else 10)

    @property
    def must_mundig(self) -> float | None:
        """How many times faster than lightly-mundig it must be."""
        if self.n_rows < 1_000_000 or self.dim != 128:
            return None
        return 10 if self.k == 10_000 else 5

    @property
    def repeats(self) -> int:
        """How often it is measured: milliseconds need more than seconds."""
        if self.n_rows * self.k <= 5_000_000:
            return 31
        return 1 if self.n_rows >= 1_000_000 and self.k > _LOOP_PICKS else 3

    @property
    def has_peers(self) -> bool:
        """Whether peers are measured, which takes minutes for a million rows."""
        return self.kind == "video" or self.n_rows < 1_000_000


_CASES = tuple(
    Case(kind, n_rows, dim, k)
    for n_rows, dim, k, kind in itertools.product(
        (10_000, 100_000, 1_000_000),
        (128, 512),
        (50, 1000, 10_000),
        ("video", "clustered", "uniform"),
    )
    if k < n_rows
)


def main() -> int:
    """Prints the table; returns 1 if a bound is missed. Also the entry of one measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="up to 100,000 rows and 1,000 picks")
    parser.add_argument("--rows", type=int, help="only cases of so many rows")
    parser.add_argument("--dim", type=int, help="only cases of so many dimensions")
    parser.add_argument("--picks", type=int, help="only cases of so many picks")
    parser.add_argument("--repeats", type=int, help="by default 1 to 31, by size")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(_measure(**json.loads(options.measure))))
        return 0
    for name, module in _PEERS.items():
        if importlib.util.find_spec(module) is None:
            print(f"{name} is not installed here and is left out")
    cases = [
        case
        for case in _CASES
        if options.rows in (None, case.n_rows)
        and options.dim in (None, case.dim)
        and options.picks in (None, case.k)
    ]
    if options.quick:
        cases = [case for case in cases if case.n_rows <= 100_000 and case.k <= 1000]
    print(
        f"\n{'data':36}{'engine':22}{'CPU s':>9}{'wall s':>8}{'times':>7}{'must':>6}"
        f"{'+MB':>7}{'of it':>7}{'radius':>8}"
    )
    missed = [line for case in cases for line in _report(case, options.repeats)]
    for line in missed:
        print(f"MISSED: {line}")
    return 1 if missed else 0


def _report(case: Case, repeats: int | None) -> list[str]:
    """Measures one case, prints its lines and returns the bounds that it misses."""
    file = str(embeddings_file(case.kind, case.n_rows, case.dim))
    repeats = repeats or case.repeats
    few = min(case.k, _LOOP_PICKS)
    with tempfile.TemporaryDirectory() as folder:
        exact = str(Path(folder, "exact.npy"))
        runs = [("ours", case.k), *((name, few) for name in _LOOPS)]
        results = _run(runs=runs, file=file, repeats=repeats, exact=exact)
        mine = results["ours"]
        loops = {name: _scaled(results[name], case.k / few) for name in _LOOPS}
        peers = {
            name: _peer(name, case, file, exact)
            for name, module in _PEERS.items()
            if case.has_peers and importlib.util.find_spec(module) is not None
        }
    fastest = min(result["cpu"] for result in loops.values())
    title = f"{case.kind} {case.n_rows:,} x {case.dim}, k = {case.k:,}"
    must = f"{case.must:g}" if case.must else ""
    _print(title, "ours", mine, fastest, must)
    for name, result in {**loops, **peers}.items():
        _print("", name, result, fastest, "")
    missed = []
    if mine["wrong_step"] is not None:
        missed.append(f"{title}: pick {mine['wrong_step']} is not the farthest row")
    if case.must and fastest / mine["cpu"] < case.must:
        missed.append(f"{title}: {fastest / mine['cpu']:.2f} times faster, {must} wanted")
    if case.n_rows >= 1_000_000 and mine["memory"] > _MAX_MEMORY:
        missed.append(f"{title}: {mine['memory']:.2f} of the matrix, {_MAX_MEMORY} allowed")
    if case.must_mundig and "lightly-mundig" in peers:
        times = peers["lightly-mundig"]["cpu"] / mine["cpu"]
        print(f"{'':36}{times:.1f} times faster than lightly-mundig, must {case.must_mundig:g}")
        if times < case.must_mundig:
            missed.append(f"{title}: {times:.1f} times faster than lightly-mundig")
    return missed


def _print(title: str, name: str, result: dict[str, Any], fastest: float, must: str) -> None:
    mark = " (e)" if result["extrapolated"] else ""
    print(
        f"{title:36}{name + mark:22}{result['cpu']:9.3f}{result['wall']:8.1f}"
        f"{fastest / result['cpu']:7.2f}{must:>6}{result['extra_mb']:7.0f}"
        f"{result['memory']:7.2f}{result['radius']:8.4f}",
        flush=True,
    )


def _scaled(result: dict[str, Any], times: float) -> dict[str, Any]:
    return {
        **result,
        "cpu": result["cpu"] * times,
        "wall": result["wall"] * times,
        "extrapolated": times != 1,
    }


def _peer(name: str, case: Case, file: str, exact: str) -> dict[str, Any]:
    """Measures a peer, for a few picks where all would take long.

    lightly-mundig begins with a fixed cost, so two runs tell its cost per pick.
    """

    def run(k: int) -> dict[str, Any]:
        return dict(_run(runs=[(name, k)], file=file, repeats=1, exact=exact)[name])

    if case.k <= _LOOP_PICKS or case.n_rows * case.k <= 100_000_000:
        return run(case.k)
    many = run(_LOOP_PICKS)
    if name != "lightly-mundig":
        return _scaled(many, case.k / _LOOP_PICKS)
    few = run(50)
    result = {**many, "extrapolated": True}
    for key in ("cpu", "wall"):
        per_pick = (many[key] - few[key]) / (_LOOP_PICKS - 50)
        result[key] = few[key] + per_pick * (case.k - 50)
    return result


def _run(**arguments: Any) -> dict[str, Any]:
    threads = dict.fromkeys(
        ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"], "1"
    )
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.selection", "--measure", json.dumps(arguments)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, **threads},
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _measure(
    runs: list[tuple[str, int]], file: str, repeats: int, exact: str
) -> dict[str, dict[str, Any]]:
    """Runs engines in turn in this process; checks ours and compares the others with it."""
    warm = load(embeddings_file("video", 10_000, 128))
    for engine, k in runs:
        ENGINES[engine](warm, min(k, 200))
    embeddings = load(Path(file))
    results: dict[str, dict[str, Any]] = {
        engine: {"cpu": [], "wall": [], "extra": []} for engine, _ in runs
    }
    for _ in range(repeats):
        for engine, k in runs:
            result, before = results[engine], _reset_peak()
            started, started_wall = time.process_time(), time.monotonic()
            result["picks"] = ENGINES[engine](embeddings, k)
            result["cpu"].append(time.process_time() - started)
            result["wall"].append(time.monotonic() - started_wall)
            result["extra"].append(_peak() - before)
    return {
        engine: _summary(engine, result, embeddings, exact) for engine, result in results.items()
    }


def _summary(
    engine: str, result: dict[str, Any], embeddings: GridEmbeddings, exact: str
) -> dict[str, Any]:
    picks, extra = result["picks"], max(result["extra"])
    summary = {
        "cpu": statistics.median(result["cpu"]),
        "wall": statistics.median(result["wall"]),
        "extra_mb": extra / 1e6,
        "memory": extra / embeddings.vectors.nbytes,
        "extrapolated": False,
        "radius": 1.0,
    }
    if engine == "ours":
        np.save(exact, picks)
        return {**summary, "wrong_step": first_wrong_step(embeddings.vectors, picks)}
    exact_picks = np.load(exact)[: len(picks)]
    if not np.array_equal(picks, exact_picks):
        summary["radius"] = _radius(embeddings, picks) / _radius(embeddings, exact_picks)
    return summary


def _radius(embeddings: GridEmbeddings, picks: NDArray[np.int64]) -> float:
    """Returns the largest distance of a row to its nearest pick."""
    squared = np.full(len(embeddings), np.inf)
    lower_to_nearest(squared, embeddings, embeddings, picks, blocks_of(len(embeddings)))
    return float(np.sqrt(squared.max()))


def _reset_peak() -> float:
    """Forgets the peak memory so far (Linux) and returns what the process holds, in bytes."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return float("nan")
    return _status("VmRSS")


def _peak() -> float:
    return _status("VmHWM") if Path("/proc/self/status").exists() else float("nan")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024.0 * int(next(line for line in lines if line.startswith(name)).split()[1])


if __name__ == "__main__":
    sys.exit(main())
