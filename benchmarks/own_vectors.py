"""Files of a user's own embeddings: time and memory of reading them, and what no encoder spares.

    python -m benchmarks.own_vectors [--rows 1000000] [--dim 128] [--only csv]
    python -m benchmarks.own_vectors --video FILE

The first writes made-up vectors of videos of 2,000 frames to a temporary folder in every format,
in the order of the videos and once shuffled, and reads each in a process of its own: read and
checked, then matched with the frames and loaded into one matrix, as a selection does. The second
makes the table of a video with the default encoder and with none, by turns, and compares their CPU
time.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from lightly_pipeline.datasources import LocalDatasource
from lightly_pipeline.embedding import NO_ENCODER, encoder_spec, load_encoder
from lightly_pipeline.inputs.vectors.formats import open_vectors
from lightly_pipeline.inputs.vectors.reading import read_vectors
from lightly_pipeline.layout import frame_name
from lightly_pipeline.progress import ProgressMeter
from lightly_pipeline.tables.build import TableBuilder

_PER_VIDEO = 2000
_TURNS = 3


def main() -> None:
    """Prints a line for each file, or the ratio of two tables' CPU times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--only", help="one format alone")
    parser.add_argument("--read", help=argparse.SUPPRESS)
    parser.add_argument("--video")
    options = parser.parse_args()
    if options.read:
        _read(Path(options.read), options.rows)
    elif options.video:
        _compare(Path(options.video))
    else:
        _all_formats(options.rows, options.dim, options.only)


def _all_formats(n_rows: int, dim: int, only: str | None) -> None:
    names = [
        frame_name(f"day {row // _PER_VIDEO}/front.mp4", row % _PER_VIDEO, _PER_VIDEO, "png")
        for row in range(n_rows)
    ]
    vectors = np.random.default_rng(0).normal(size=(n_rows, dim)).astype(np.float32)
    order = np.random.default_rng(1).permutation(n_rows)
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("csv", "parquet", "npy", "shuffled.parquet"):
            if only and kind != only:
                continue
            path = Path(folder, f"v.{kind}")
            if kind.startswith("shuffled"):
                _write(path, [names[row] for row in order], vectors[order])
            else:
                _write(path, names, vectors)
            size = path.stat().st_size / 1e9
            command = [sys.executable, "-m", "benchmarks.own_vectors", "--rows", str(n_rows)]
            print(f"{kind}, {size:.2f} GB:", flush=True)
            subprocess.run([*command, "--read", str(path)], check=True)
            path.unlink()


def _write(path: Path, names: list[str], vectors: np.ndarray) -> None:
    if path.suffix == ".npy":
        np.save(path, vectors)
        path.with_suffix(".txt").write_text("\n".join(names))
        return
    if path.suffix == ".parquet":
        flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
        pq.write_table(pa.table({"filenames": names, "embedding": flat}), path)
        return
    columns = {f"embedding_{number}": column for number, column in enumerate(vectors.T)}
    table = pa.table({"filenames": names, **columns, "labels": np.zeros(len(names), np.int8)})
    pa_csv.write_csv(table, path)


def _read(path: Path, n_rows: int) -> None:
    before, started = _memory(), time.process_time()
    own = read_vectors(open_vectors(LocalDatasource(path.parent), str(path)))
    read, at = time.process_time(), _memory()
    matrix = np.empty((n_rows, own.dim), np.float32)
    for first in range(0, n_rows, _PER_VIDEO):
        indices = np.arange(min(_PER_VIDEO, n_rows - first))
        video = f"day {first // _PER_VIDEO}/front.mp4"
        match = own.match(video, _PER_VIDEO, indices)
        own.read_into(match.places, matrix[first : first + len(indices)])
    loaded = time.process_time()
    videos = [(f"day {number}/front.mp4", _PER_VIDEO) for number in range(n_rows // _PER_VIDEO)]
    assert own.strangers(videos).count == n_rows % _PER_VIDEO
    print(
        f"  read and checked {read - started:.1f} CPU s, {at - before:.0f} MB more; matched and "
        f"loaded {loaded - read:.1f} CPU s; peak {_peak():.0f} MB, of it the matrix "
        f"{matrix.nbytes / 1e6:.0f} MB, the interpreter and imports {before:.0f} MB",
        flush=True,
    )


def _compare(video: Path) -> None:
    """Makes a video's table with and without encoder, by turns."""
    encoders = {"default": load_encoder(encoder_spec()), "none": load_encoder(NO_ENCODER)}
    spent: dict[str, list[float]] = {name: [] for name in encoders}
    # The first turn loads what both need.
    for turn in range(_TURNS + 1):
        for name, encoder in encoders.items():
            with tempfile.TemporaryDirectory() as folder:
                source = LocalDatasource(video.parent)
                builder = TableBuilder(
                    source, LocalDatasource(folder), lambda found=encoder: found, name, "ffmpeg"
                )
                listed = source.stat(video.name)
                assert listed is not None
                meter = ProgressMeter().begin("decode", "frames", sizes=[listed.size_bytes])
                started = time.process_time()
                with meter.item(video.name, listed.size_bytes) as item:
                    builder.build(listed, item)
                if turn:
                    spent[name].append(time.process_time() - started)
    ratios = [none / full for full, none in zip(spent["default"], spent["none"], strict=True)]
    print(
        f"{video.name}: default {min(spent['default']):.1f} CPU s, none {min(spent['none']):.1f}; "
        f"ratios {', '.join(f'{ratio:.3f}' for ratio in ratios)}"
    )


def _memory() -> float:
    """Returns what the process holds besides pages of files, in MB."""
    return _status("RssAnon")


def _peak() -> float:
    """Returns the most that the process ever held, pages of files included, in MB."""
    return _status("VmHWM")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main()
