"""What 1, 2 and 4 Celery workers cost and save: wall and CPU time of one set of videos in chunks.

    python -m benchmarks.deploy [--videos 40] [--frames 300] [--workers 1 2 4]

PostgreSQL, Redis, webserver and daemon run on the machine of the workers, which share its cores:
more workers than cores save nothing here. CPU time is that of the workers alone.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

from lightly_pipeline import Dataset, LocalDatasource, pipeline
from lightly_pipeline_tests.support.celery_deployment import celery_deployment, missing_servers
from lightly_pipeline_tests.support.videos import X264, Recipe, make_video

_CHUNK = 5


def main() -> None:
    """Prints a line per number of workers, and one for a process without Dagster."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--videos", type=int, default=40)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    arguments = parser.parse_args()
    if missing := missing_servers():
        raise SystemExit(missing)
    recipe = Recipe("video.mp4", "libx264", arguments.frames, options=X264)
    n_cores = len(os.sched_getaffinity(0))
    print(f"{arguments.videos} videos of {arguments.frames} frames, {n_cores} cores")
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for i in range(arguments.videos):
            make_video(base / "in", recipe, f"{i:03}.mp4", seed=i)
        wall_s, cpu_s = _alone(base)
        print(f"  one process without Dagster: {wall_s:6.1f} s wall, {cpu_s:6.1f} s CPU")
        for n_workers in arguments.workers:
            wall_s, cpu_s = _through_workers(base, arguments.videos, n_workers)
            print(f"  {n_workers} workers: {wall_s:6.1f} s wall, {cpu_s:6.1f} s CPU", flush=True)


def _alone(base: Path) -> tuple[float, float]:
    dataset = Dataset(
        "alone", input=LocalDatasource(base / "in"), lightly=LocalDatasource(base / "alone")
    )
    wall, cpu = time.monotonic(), time.process_time()
    pipeline.run(dataset, selection_config={"n_samples": 1})
    return time.monotonic() - wall, time.process_time() - cpu


def _through_workers(base: Path, n_videos: int, n_workers: int) -> tuple[float, float]:
    folder = base / f"workers{n_workers}"
    folder.mkdir()
    datasets = folder / "datasets.yaml"
    datasets.write_text("datasets: {bench: {input: ../in, lightly: out}}\n")
    with celery_deployment(folder / "deployment", datasets, n_workers) as deployment:
        listed = deployment.dagster.launch("bench_catalog_job", {})
        assert deployment.dagster.ended(listed) == "SUCCESS"
        videos = [f"{i:03}.mp4" for i in range(n_videos)]
        started = time.monotonic()
        runs = [
            deployment.materialize("bench", videos[i : i + _CHUNK])
            for i in range(0, n_videos, _CHUNK)
        ]
        for run_id in runs:
            assert deployment.dagster.ended(run_id) == "SUCCESS"
        wall_s = time.monotonic() - started
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for worker in deployment.workers:
            worker.stop()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall_s, cpu_s


if __name__ == "__main__":
    main()
