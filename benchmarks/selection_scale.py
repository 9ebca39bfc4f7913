"""Selection from more rows than one would like to hold, with time and memory.

    python -m benchmarks.selection_scale [--rows 10000000] [--picks 10000]
    python -m benchmarks.selection_scale --pipeline [--half] [--rows 1000000]
    python -m benchmarks.selection_scale --half [--rows 1000000] [--dim 128]
    python -m benchmarks.selection_scale --approximate [--rows 1000000] [--picks 1000]

With `--pipeline` the rows come from the tables of videos of 2,000 frames, as the pipeline stores
them, and its own function selects with the default configuration; with `--half` too, in half the
memory. With `--half` alone rows in memory are compared with 16-bit rows over a file, for several
amounts of picks. With `--approximate` the ways of `approximate_diversity` are compared with the
exact engine. Otherwise rows lie in a memory-mapped file of `bench_data/` (512 bytes a row; deleted
afterwards unless `--keep`). Memory is what the process holds besides pages of files, which the
system can drop at any time, sampled at every report of progress.
"""

import argparse
import tempfile
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.selection_data import embeddings_file, load
from lightly_pipeline import Dataset, LocalDatasource
from lightly_pipeline.config import ApproximateDiversityConfig
from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.layout import table_folder
from lightly_pipeline.progress import ProgressMeter
from lightly_pipeline.selection import figures
from lightly_pipeline.selection.kcenter.approximate import pick_approximately
from lightly_pipeline.selection.kcenter.greedy import farthest_first
from lightly_pipeline.selection.vectors.grid import prepare_embeddings
from lightly_pipeline.selection.vectors.matrix import empty_matrix
from lightly_pipeline.steps.processing import ProcessResult
from lightly_pipeline.steps.selecting import select_frames
from lightly_pipeline.steps.setup import Run, resolve_config
from lightly_pipeline.tables.catalog import Catalog
from lightly_pipeline.tables.embeddings import EMBEDDINGS_FILE, EmbeddingWriter
from lightly_pipeline.tables.frames import FRAMES_FILE, FrameTableWriter
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline.video import FrameRow, Quality

_DIM = 128
_FRAMES_PER_VIDEO = 2000
_AMOUNTS = (50, 1000, 10_000)


def main() -> None:
    """Prints progress and the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--picks", type=int, default=10_000)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--dim", type=int, default=_DIM)
    parser.add_argument("--pipeline", action="store_true")
    parser.add_argument("--half", action="store_true")
    parser.add_argument("--approximate", action="store_true")
    options = parser.parse_args()
    if options.approximate:
        _approximate(embeddings_file("video", options.rows, _DIM), options.picks)
        return
    if options.pipeline:
        _select_from_tables(min(options.rows, 1_000_000), half=options.half)
        return
    if options.half:
        _compare_memory(min(options.rows, 1_000_000), options.dim)
        return
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


def _approximate(file: Path, k: int) -> None:
    embeddings = load(file)
    n = len(embeddings)
    ways = [
        {},
        {"every_nth": 2},
        {"every_nth": 10},
        {"every_nth": 30},
        {"shard_size": n // 10},
        {"shard_size": n // 10, "picks_per_shard": max(k // 4, 1)},
    ]
    print(f"{n:,} x {_DIM}, k = {k:,}\n{'':50}{'CPU s':>8}{'radius':>9}{'bound':>9}{'MB':>7}")
    for way in ways:
        before, held = _held_mb(), [0.0]
        started = time.process_time()

        def progress(*_: object, held: list[float] = held) -> None:
            held.append(_held_mb())

        if way:
            how = ApproximateDiversityConfig(**way)
            found = pick_approximately(embeddings, k, how, progress=progress)
            picks, bound = found.indices, found.coverage_bound
        else:
            exact = farthest_first(embeddings, k, progress=progress)
            assert exact.next_squared_distance is not None
            picks, bound = exact.indices, exact.next_squared_distance**0.5
        seconds = time.process_time() - started
        radius, measured = figures.coverage(embeddings, picks)
        mark = "" if measured == n else f" (on {measured:,} rows)"
        print(
            f"{str(way) if way else 'exact':50}{seconds:8.2f}{radius:9.4f}{bound:9.4f}"
            f"{max(held) - before:7.0f}{mark}",
            flush=True,
        )


def _compare_memory(n_rows: int, dim: int) -> None:
    print(f"{'kind':12}{'memory':8}{'picks':>8}{'prepare s':>11}{'CPU s':>8}{'wall s':>8}{'MB':>7}")
    for kind in ("video", "clustered", "uniform"):
        given = np.load(embeddings_file(kind, n_rows, dim), mmap_mode="r")
        expected: dict[int, list[int]] = {}
        for half in (False, True):
            before, started = _held_mb(), time.process_time()
            matrix = empty_matrix(n_rows, dim, on_disk=half)
            matrix[:] = given
            embeddings = prepare_embeddings(matrix, compact=half)
            prepared = time.process_time() - started
            for k in _AMOUNTS:
                cpu, wall, held = time.process_time(), time.monotonic(), [_held_mb()]
                picks = farthest_first(
                    embeddings, k, progress=lambda *_, held=held: held.append(_held_mb())
                ).indices.tolist()
                cpu, wall = time.process_time() - cpu, time.monotonic() - wall
                assert expected.setdefault(k, picks) == picks
                print(
                    f"{kind:12}{'half' if half else 'full':8}{k:8,}{prepared:11.2f}{cpu:8.2f}"
                    f"{wall:8.2f}{max(held) - before:7.0f}",
                    flush=True,
                )
            del matrix, embeddings


def _select_from_tables(n_rows: int, *, half: bool) -> None:
    rows = load(embeddings_file("video", n_rows, _DIM), mapped=True).vectors
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "in").mkdir()
        dataset = Dataset(
            "scale",
            input=LocalDatasource(Path(folder, "in")),
            lightly=LocalDatasource(Path(folder, "out")),
        )
        memory = {"selection_memory": "half" if half else "full"}
        config = resolve_config(dataset, pipeline_config=memory)
        processed = _tables(dataset, Run(dataset, config, "any").table_id, rows)
        started, started_cpu = time.monotonic(), time.process_time()
        steps: list[str] = []
        before, held = _held_mb(), [0.0]

        def progress(step: str, done: int, total: int | None, unit: str) -> None:
            held.append(_held_mb())
            if step not in steps or done == total:
                steps.append(step)
                print(f"  {step}: {done:,} of {total:,} {unit}", flush=True)

        meter = ProgressMeter(progress)
        record = select_frames(Run(dataset, config, "scale", progress=meter), processed)
        print(
            f"{len(record.frames)} of {record.n_input_frames:,} frames: "
            f"{time.process_time() - started_cpu:.1f} CPU s, {time.monotonic() - started:.1f} s, "
            f"{max(held) - before:.0f} MB held"
        )


def _tables(dataset: Dataset, embedding_id: str, rows: NDArray[np.float32]) -> ProcessResult:
    """Writes the tables of videos without images and returns them as processed."""
    videos, outcomes = [], []
    for number, start in enumerate(range(0, len(rows), _FRAMES_PER_VIDEO)):
        path, part = f"{number:05}.mp4", rows[start : start + _FRAMES_PER_VIDEO]
        place = table_folder(embedding_id, path)
        quality = Quality(*[0.0] * len(fields(Quality)))
        with (
            dataset.lightly.writer(f"{place}/{EMBEDDINGS_FILE}") as file,
            EmbeddingWriter(file, _DIM) as embeddings,
        ):
            embeddings.append(part)
        with (
            dataset.lightly.writer(f"{place}/{FRAMES_FILE}") as file,
            FrameTableWriter(file) as frames,
        ):
            for i in range(len(part)):
                frames.append(FrameRow(i, i, i / 30, i == 0, False, 1920, 1080, i, None, quality))
        videos.append(StoredObject(path, 1, "1"))
        outcomes.append(VideoOutcome(path, "1", len(part), len(part), _DIM))
    return ProcessResult(Catalog(tuple(videos)), tuple(outcomes), 0)


def _held_mb() -> float:
    """Returns the memory of the process that is not pages of a file (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024


if __name__ == "__main__":
    main()
