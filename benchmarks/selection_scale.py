"""Selection from more rows than one would like to hold, with time and memory.

    python -m benchmarks.selection_scale [--rows 10000000] [--picks 10000]

Rows lie in a memory-mapped file of `bench_data/` (512 bytes a row; deleted afterwards unless
`--keep`). Memory is what the process holds besides pages of the file, which the system can drop
at any time, sampled at every report of progress.
"""

import argparse
import time
from pathlib import Path

from benchmarks.selection_data import embeddings_file, load
from lightly_pipeline.selection.kcenter import farthest_first

_DIM = 128


def main() -> None:
    """Prints progress and the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--picks", type=int, default=10_000)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    file = embeddings_file("video", options.rows, _DIM)
    try:
        _select(file, options.picks)
    finally:
        if not options.keep:
            file.unlink()


def _select(file: Path, k: int) -> None:
    started, started_cpu = time.monotonic(), time.process_time()
    embeddings = load(file, mapped=True)
    print(f"{len(embeddings):,} x {_DIM}, {file.stat().st_size / 1e9:.1f} GB on disk, k = {k:,}")
    print(f"norms read after {time.monotonic() - started:.0f} s")
    before, held = _held_mb(), [0.0]
    told = [time.monotonic()]

    def progress(_: str, done: int, total: int | None, unit: str) -> None:
        held.append(_held_mb())
        if time.monotonic() - told[0] > 30:
            told[0] = time.monotonic()
            print(f"  {done:,} of {total:,} {unit} after {told[0] - started:.0f} s", flush=True)

    picks = farthest_first(embeddings, k, progress=progress)
    assert picks.next_squared_distance is not None
    extra = max(held) - before
    print(
        f"{len(picks.indices):,} picks, coverage radius {picks.next_squared_distance**0.5:.4f}: "
        f"{time.process_time() - started_cpu:.0f} CPU s, {time.monotonic() - started:.0f} s; "
        f"{extra:.0f} MB besides the file and the norms "
        f"({extra * 1e6 / embeddings.vectors.nbytes:.3f} of the matrix)"
    )


def _held_mb() -> float:
    """Returns the memory of the process that is not pages of a file (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024


if __name__ == "__main__":
    main()
