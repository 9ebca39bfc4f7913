"""One long video, the same in eight files, and what ffmpeg takes with threads of its own.

    python -m benchmarks.long [--minutes 8] [--repeats 3] [--cores 1 2] [--video FILE]

Decoding and embedding, tables written; wall time, CPU time of all threads, peak memory. The rows
are measured in turns, each in a process of its own that is kept on so many cores, so that figures
of one table can be compared whatever else the machine does. A machine that is busy makes them all
longer in wall time: then only CPU seconds mean something. The video has key frames at irregular
places, and is as long as it is by repeating packets.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.material import long_video, material

_FILES = 8
_ROWS = {
    "one pass": "one long video in one pass",
    "segments": "one long video",
    "files": f"the same in {_FILES} files",
}


class Cost(NamedTuple):
    """What one measurement took: seconds, CPU seconds, and megabytes at most."""

    wall: float
    cpu: float
    peak_mb: float


def main() -> None:
    """Prints the tables; also the worker entry for one measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cores", type=int, nargs="*")
    parser.add_argument("--video", type=Path, help="a minute of video that is repeated")
    parser.add_argument("--measure", choices=_ROWS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(_measure(options.measure, options.folder)))
        return
    minute = options.video or material(250, irregular=True)
    table(minute, minutes=options.minutes, repeats=options.repeats, cores=options.cores)


def table(minute: Path, *, minutes: int, repeats: int, cores: list[int] | None = None) -> None:
    """Prints what each row takes on so many cores.

    Args:
        minute: A minute of video.
        minutes: Of the long one, a multiple of eight.
        repeats: Measurements of each; the median is printed.
        cores: How many; by default all of the machine, and one.
    """
    available = sorted(os.sched_getaffinity(0))
    for n_cores in cores or sorted({1, len(available)}):
        chosen = available[:n_cores]
        costs: dict[str, list[Cost]] = {row: [] for row in [*_ROWS, "ffmpeg"]}
        with tempfile.TemporaryDirectory() as name:
            folders = _folders(Path(name), minute, minutes)
            for _ in range(repeats):
                for row, folder in folders.items():
                    costs[row].append(_run(row, folder, chosen))
                if shutil.which("ffmpeg"):
                    costs["ffmpeg"].append(_ffmpeg(long_video(minute, minutes), chosen))
        _print(costs, n_cores, minutes)


def _folders(folder: Path, minute: Path, minutes: int) -> dict[str, Path]:
    """Returns the folder of videos by row."""
    whole, part = long_video(minute, minutes), long_video(minute, minutes // _FILES)
    one, several = folder / "one", folder / "several"
    one.mkdir()
    several.mkdir()
    (one / "long.mp4").symlink_to(whole.resolve())
    for number in range(_FILES):
        (several / f"{number}.mp4").symlink_to(part.resolve())
    return {"one pass": one, "segments": one, "files": several}


def _print(costs: dict[str, list[Cost]], n_cores: int, minutes: int) -> None:
    medians = {
        row: Cost(*(statistics.median(values) for values in zip(*found, strict=True)))
        for row, found in costs.items()
        if found
    }
    first = medians["one pass"]
    print(f"\n{minutes} minutes, decoded and embedded on {n_cores} of {os.cpu_count()} cores")
    print(f"{'':44}{'wall s':>8}{'of one pass':>13}{'CPU s':>8}{'of one pass':>13}{'peak MB':>9}")
    for row, cost in medians.items():
        name = _ROWS.get(row, "ffmpeg -f null -, threads of its own")
        print(
            f"{name:44}{cost.wall:8.1f}{cost.wall / first.wall:13.2f}{cost.cpu:8.1f}"
            f"{cost.cpu / first.cpu:13.2f}{cost.peak_mb:9.0f}"
        )


def _run(row: str, folder: Path, cores: list[int]) -> Cost:
    command = [sys.executable, "-m", "benchmarks.long", "--measure", row, "--folder", str(folder)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    return Cost(*json.loads(done.stdout.splitlines()[-1]))


def _measure(row: str, folder: Path) -> Cost:
    """Makes the tables of a folder's videos, with the default configuration."""
    from dataclasses import replace

    from benchmarks.chain import _peak_mb, _warm_up
    from lightly_pipeline import Dataset, LocalDatasource
    from lightly_pipeline.steps.listing import list_catalog
    from lightly_pipeline.steps.processing import process_videos
    from lightly_pipeline.steps.setup import Run, resolve_config
    from lightly_pipeline.video.segments import SegmentLength

    _warm_up()
    with tempfile.TemporaryDirectory() as target:
        store = LocalDatasource(target)
        dataset = Dataset("bench", input=LocalDatasource(folder), lightly=store)
        run = Run(dataset, resolve_config(dataset), "bench")
        if row == "one pass":
            never = replace(run.tables, segment_length=SegmentLength(seconds=1e9))
            run.__dict__["tables"] = never
        started, used = time.monotonic(), time.process_time()
        process_videos(run, list_catalog(run))
        return Cost(time.monotonic() - started, time.process_time() - used, _peak_mb())


def _ffmpeg(video: Path, cores: list[int]) -> Cost:
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin", "-i", str(video), "-f", "null", "-"],
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, float("nan"))


if __name__ == "__main__":
    main()
