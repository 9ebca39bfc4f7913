"""What it costs to start, and how much memory it takes.

    python -m benchmarks.start [--repeats 5] [--against FOLDER]

Every row runs in processes of its own; medians. CPU time is that of all threads. The runs work on
one video of a second, so that little but the start is left; a chunk run is executed as Dagster's
run process does it, without webserver and daemon. `--against` names another checkout, measured in
turns with this one: other figures are not comparable. Linux only.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lightly_pipeline.demo import make_demo_videos
from lightly_pipeline_tests.support.videos import Recipe, make_video

_HERE = Path(__file__).resolve().parents[1]
# `ru_maxrss` would begin with the memory of the process that made this one.
_WITH_PEAK = """
import atexit, pathlib, sys
def peak():
    fields = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").open())
    print("\\npeak_kib", fields["VmHWM"].split()[0])
atexit.register(peak)
"""
_COMMAND = "from lightly_pipeline.cli import main; sys.exit(main(sys.argv[1:]))"
_CODE_SERVER = "import lightly_pipeline.definitions"
_JOB = """
import dagster as dg
import lightly_pipeline.definitions as location
with dg.DagsterInstance.get() as instance:
    keys = instance.get_dynamic_partitions("bench_videos")
    ends = {f"dagster/asset_partition_range_{end}": key for end, key in
            zip(("start", "end"), keys[:1] + keys[-1:])}
    job = location.defs.resolve_job_def(sys.argv[1])
    assert job.execute_in_process(instance=instance, tags=ends).success
"""
# CPU seconds, wall seconds, peak MB.
Figures = tuple[float, float, float]


def main() -> None:
    """Prints a table per checkout."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--against", type=Path, help="root of another checkout")
    options = parser.parse_args()
    checkouts = [options.against.resolve(), _HERE] if options.against else [_HERE]
    results: dict[Path, list[dict[str, Figures]]] = {checkout: [] for checkout in checkouts}
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        make_video(base / "in", Recipe("second.mp4", "libx264", n_frames=30))
        make_demo_videos(base / "demo")
        for i in range(options.repeats):
            for checkout, rounds in results.items():
                work = base / f"{i} {checkouts.index(checkout)}"
                work.mkdir()
                rounds.append(_round(checkout, base, work))
    for checkout, rounds in results.items():
        print(f"\n{checkout.name:44}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}")
        for row in rounds[0]:
            cpu, wall, peak = (statistics.median(r[row][i] for r in rounds) for i in range(3))
            print(f"{row:44}{cpu:8.2f}{wall:8.2f}{peak:9.0f}")


def _round(checkout: Path, base: Path, work: Path) -> dict[str, Figures]:
    """Returns every row's figures, measured once, with all output below `work`."""
    datasets = work / "datasets.yaml"
    datasets.write_text(f"datasets: {{bench: {{input: '{base}/in', lightly: '{work}/chunk'}}}}\n")
    (work / "home").mkdir()
    environment = {
        **{k: v for k, v in os.environ.items() if k != "LIGHTLY_PIPELINE_HOME"},
        "PYTHONPATH": str(checkout),
        "DAGSTER_HOME": str(work / "home"),
        "LIGHTLY_PIPELINE_DATASETS": str(datasets),
    }

    def measured(code: str, *arguments: str | Path) -> Figures:
        return _measured(code, arguments, work, environment)

    run = ("run", "--json", "--input", base / "in", "--lightly", work / "run")
    demo = ("run", "--json", "--input", base / "demo", "--lightly", work / "demo")
    figures = {
        "importing the code location": measured(_CODE_SERVER),
        "lightly-pipeline run, a new video": measured(_COMMAND, *run),
        "lightly-pipeline run, nothing new": measured(_COMMAND, *run),
        "lightly-pipeline run, the demo's videos": measured(_COMMAND, *demo),
    }
    measured(_JOB, "bench_catalog_job")
    figures["Dagster: a chunk run of a new video"] = measured(_JOB, "bench_videos_job")
    return figures


def _measured(
    code: str, arguments: tuple[str | Path, ...], work: Path, environment: dict[str, str]
) -> Figures:
    command = [sys.executable, "-c", _WITH_PEAK + code, *map(str, arguments)]
    before, started = os.times(), time.monotonic()
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
    wall = time.monotonic() - started
    if done.returncode:
        sys.exit(done.stderr)
    after = os.times()
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return cpu, wall, int(done.stdout.split("peak_kib")[-1]) * 1024 / 1e6


if __name__ == "__main__":
    main()
