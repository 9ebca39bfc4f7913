"""What Dagster costs per video: CPU of the runs less that of decoding and embedding.

    python -m benchmarks.orchestration [--videos 100]

Starts a webserver and a daemon, lists tiny videos, and materializes everything as the UI does: in
chunks, then one selection. Counts the CPU time of the run processes alone.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from lightly_pipeline import Dataset, LocalDatasource, pipeline
from lightly_pipeline_tests.support.dagster_server import running_dagster, wait_for
from lightly_pipeline_tests.support.videos import Recipe, make_video

_TINY = Recipe("tiny.mp4", "libx264", 10, options={"preset": "ultrafast"})
_LIMIT_S = 0.3


class _RunProcesses:
    """CPU time of Dagster's run processes: what its code servers have spent in their children."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    def look(self) -> None:
        """Notes what the ended children of every code server have used so far."""
        ticks = os.sysconf("SC_CLK_TCK")
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                if b"dagster\0api\0grpc" not in (folder / "cmdline").read_bytes():
                    continue
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            self._seconds[int(folder.name)] = (int(fields[13]) + int(fields[14])) / ticks

    def total_s(self) -> float:
        """Returns the sum over all code servers seen.

        Raises:
            RuntimeError: None was seen, or none has run anything.
        """
        total = sum(self._seconds.values())
        if not total:
            raise RuntimeError("no run process was seen: is Dagster started in another way?")
        return total


def main() -> None:
    """Prints the overhead per video in CPU seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--videos", type=int, default=100)
    n_videos = parser.parse_args().videos
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for i in range(n_videos):
            make_video(base / "in", _TINY, f"{i:03}.mp4", seed=i)
        work_s = _work_alone(base)
        (base / "datasets.yaml").write_text("datasets: {bench: {input: in, lightly: out}}\n")
        processes, n_runs = _through_dagster(base)
    whole_s = processes.total_s()
    print(f"{n_videos} videos of 10 frames in {n_runs} runs")
    print(f"  CPU of the run processes      {whole_s:8.2f} s")
    print(f"  decoding, embedding and the rest without Dagster {work_s:8.2f} s")
    overhead = (whole_s - work_s) / n_videos
    print(f"  orchestration per video       {overhead:8.3f} CPU s (limit {_LIMIT_S})")
    print("met" if overhead <= _LIMIT_S else "MISSED")


def _work_alone(base: Path) -> float:
    dataset = Dataset(
        "alone", input=LocalDatasource(base / "in"), lightly=LocalDatasource(base / "alone")
    )
    started = time.process_time()
    pipeline.run(dataset)
    return time.process_time() - started


def _through_dagster(base: Path) -> tuple[_RunProcesses, int]:
    processes = _RunProcesses()
    with running_dagster(base / "home", base / "datasets.yaml") as dagster:
        run_id = dagster.launch("bench_catalog_job", {})
        _watch(processes, lambda: dagster.status(run_id), ("SUCCESS", "FAILURE"))
        backfill = dagster.materialize_all("bench", {})
        _watch(
            processes, lambda: dagster.backfill_status(backfill), ("COMPLETED_SUCCESS", "FAILED")
        )
        n_runs = dagster.ask("{ runsOrError { ... on Runs { count } } }")["runsOrError"]["count"]
    return processes, n_runs


def _watch(processes: _RunProcesses, ask: object, wanted: tuple[str, ...]) -> None:
    def look_and_ask() -> str:
        for _ in range(5):
            processes.look()
            time.sleep(0.1)
        return ask()  # type: ignore[operator, no-any-return]

    wait_for(look_and_ask, wanted)


if __name__ == "__main__":
    main()
