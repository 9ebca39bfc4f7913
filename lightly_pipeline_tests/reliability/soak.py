"""Everything at once: videos arrive in a store that fails now and then, processes are killed.

    make soak                                     500 videos in twenty minutes
    make soak SOAK='--videos 60 --minutes 3'      a shorter one

A real Dagster takes them by its sensors; between it and the store a proxy spoils requests. One run
worker and the daemon are killed, and the clock jumps an hour ahead. What must hold in the end is in
`soak_checks.py`. Results go to the folder --out: `summary.json`, `samples.csv`, `soak.png`.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightly_pipeline.threads import repeated
from lightly_pipeline_tests.reliability.soak_checks import check_growth, check_results
from lightly_pipeline_tests.reliability.soak_incidents import (
    Story,
    jump,
    kill_daemon,
    kill_run_worker,
)
from lightly_pipeline_tests.support.clock import JumpingClock, can_jump
from lightly_pipeline_tests.support.dagster_parts import DagsterParts, dagster_parts
from lightly_pipeline_tests.support.faults import Fault, faulty
from lightly_pipeline_tests.support.s3_servers import (
    ACCESS_KEY,
    SECRET_KEY,
    emptied_bucket,
    s3_process,
)
from lightly_pipeline_tests.support.sampling import Sampler, plot, write_csv
from lightly_pipeline_tests.support.videos import BY_NAME, make_video

BUCKET = "soak"
N_SELECTED = 40
_RECIPES = ("h264.mp4", "mpeg4.avi", "vp8.webm", "mjpeg.mov", "mpeg2.mpg")
_N_FRAMES = 12
_CLOCK_VARIABLE = "CLOCK_OFFSET_FILE"
# Kinds that networks and stores know, by how often; a body that is cut is a reader's trouble.
_FAULTS = (
    Fault("status", "", status=503, code="SlowDown"),
    Fault("status", "", status=500, code="InternalError"),
    Fault("reset", ""),
    Fault("lost answer", ""),
    Fault("truncate", ""),
    Fault("slow", "", at=1500),
    Fault("page", ""),
)


@dataclass
class Plan:
    """What is done to the pipeline, and how long.

    Attributes:
        n_videos: That arrive, evenly.
        minutes: In which they arrive.
        fault_share: Of requests that are spoilt.
        tick_s: Of the sensors.
        patience_s: How long the end is waited for after the last arrival.
        store: "swift" or "moto".
    """

    n_videos: int = 500
    minutes: float = 20.0
    fault_share: float = 0.05
    tick_s: int = 15
    patience_s: float = 900.0
    store: str = "swift"


def soak(plan: Plan, folder: Path) -> dict[str, Any]:
    """Runs it all, and returns what came out.

    Args:
        plan: What is done.
        folder: For everything; the clock of this process is in it, if it has one.

    Raises:
        AssertionError: Something was lost, is wrong, or grew.
    """
    videos, corrupt = make_videos(folder / "videos", plan.n_videos)
    clock = JumpingClock(folder / "clock") if _CLOCK_VARIABLE in os.environ else None
    story = Story()
    with (
        s3_process(plan.store, folder / "store") as (url, store),
        faulty(url) as proxy,
    ):
        os.environ |= _credentials(proxy.url)
        bucket = emptied_bucket(url, BUCKET)
        proxy.refuses = _unlucky(plan.fault_share, story)
        with dagster_parts(folder / "home", _declared(folder, plan)) as parts:
            watched = Sampler(lambda: _processes(parts, store), max(1.0, plan.minutes / 4))
            story.began = time.monotonic()
            with watched.sampling(), _counting(story, bucket):
                for step in _schedule(plan, videos, bucket, parts, story, clock):
                    step()
                _wait_for_the_end(plan, parts, story)
            write_csv(watched.samples, folder / "samples.csv")
            counts = {"arrived": story.arrived, "in the newest selection": story.selected}
            plot(watched.samples, counts, story.marks, folder / "soak.png")
            runs = [run.status.value for run in parts.instance.get_runs()]
            proxy.refuses = lambda _, __: None
            outcome = check_results(folder, bucket, proxy, videos, corrupt, N_SELECTED)
    summary = {
        **vars(plan),
        **outcome,
        "seconds": story.now(),
        "runs": {status: runs.count(status) for status in sorted(set(runs))},
        "requests": len(proxy.requests),
        "injected": story.injected,
        "marks": story.marks,
        "growth": check_growth(watched.samples),
    }
    (folder / "summary.json").write_text(json.dumps(summary, indent=1))
    return summary


def make_videos(folder: Path, n_videos: int) -> tuple[list[Path], set[str]]:
    """Returns small videos of several kinds, and the names of those that are broken."""
    corrupt = set()
    paths = []
    for i in range(n_videos):
        kind = _RECIPES[i % len(_RECIPES)]
        recipe = replace(BY_NAME[kind], n_frames=_N_FRAMES)
        path = make_video(folder, recipe, f"{i:04d}.{kind.partition('.')[2]}", seed=i)
        if i % 25 == 13:
            path.write_bytes(path.read_bytes()[:200] if i % 2 else b"no video at all")
            corrupt.add(path.name)
        paths.append(path)
    return paths, corrupt


def _unlucky(share: float, story: Story) -> Callable[[str, Any], Fault | None]:
    """Returns what spoils a share of the requests."""
    draws = random.Random(5)
    lock = threading.Lock()

    def fault_of(request: str, _: Any) -> Fault | None:
        with lock:
            if draws.random() >= share:
                return None
            fault = draws.choice(_FAULTS)
            story.injected[fault.kind] = story.injected.get(fault.kind, 0) + 1
            return fault

    return fault_of


def _credentials(url: str) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": url,
    }


def _declared(folder: Path, plan: Plan) -> dict[str, str]:
    (folder / "datasets.yaml").write_text(
        f"datasets:\n  street:\n    input: s3://{BUCKET}/in/\n    lightly: s3://{BUCKET}/out/\n"
        f"    automation: true\n    selection_config: {{n_samples: {N_SELECTED}}}\n"
    )
    return {
        "LIGHTLY_PIPELINE_DATASETS": str(folder / "datasets.yaml"),
        "LIGHTLY_PIPELINE_TICK_SECONDS": str(plan.tick_s),
    }


def _processes(parts: DagsterParts, store: int) -> dict[str, int]:
    ours = {"proxy_and_soak": os.getpid()}
    started = {name: process.pid for name, process in list(parts.processes.items())}
    return {**started, "store": store, **ours}


def _schedule(
    plan: Plan,
    videos: list[Path],
    bucket: Any,
    parts: DagsterParts,
    story: Story,
    clock: JumpingClock | None,
) -> Iterator[Callable[[], None]]:
    """Yields what is to be done, each thing when its time has come."""
    incidents = {
        len(videos) * 3 // 10: lambda: kill_run_worker(parts, story),
        len(videos) * 5 // 10: lambda: kill_daemon(parts, story),
        len(videos) * 7 // 10: lambda: jump(clock, story),
    }
    for i, video in enumerate(videos):
        due = story.began + i * plan.minutes * 60 / len(videos)
        time.sleep(max(0.0, due - time.monotonic()))
        yield lambda video=video: bucket.upload_file(str(video), f"in/{video.name}")
        story.arrived.append((story.now(), i + 1))
        if i in incidents:
            yield incidents[i]


@contextmanager
def _counting(story: Story, bucket: Any) -> Iterator[None]:
    """Notes how many videos the newest selection was made of, while the context lasts."""
    known: set[str] = set()

    def look() -> None:
        for item in bucket.objects.filter(Prefix="out/.lightly/runs/"):
            if item.key.endswith("/manifest.json") and item.key not in known:
                known.add(item.key)
                manifest = json.loads(item.get()["Body"].read())
                story.selected.append((story.now(), manifest["n_input_videos"]))

    with repeated(look, every_s=5):
        yield


def _wait_for_the_end(plan: Plan, parts: DagsterParts, story: Story) -> None:
    """Waits until all videos are in a selection and no run is left."""
    deadline = time.monotonic() + plan.patience_s
    while not story.selected or story.selected[-1][1] < plan.n_videos or parts.active_runs():
        if time.monotonic() > deadline:
            # The checks say what is missing.
            story.mark("given up waiting")
            return
        time.sleep(2)
    story.mark("all selected")


def main() -> int:
    """Runs a soak as the command line says; returns 0 if all was well."""
    plan = Plan()
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--videos", dest="n_videos", type=int, default=plan.n_videos)
    parser.add_argument("--minutes", type=float, default=plan.minutes)
    parser.add_argument("--faults", dest="fault_share", type=float, default=plan.fault_share)
    parser.add_argument("--tick", dest="tick_s", type=int, default=plan.tick_s)
    parser.add_argument("--store", choices=("swift", "moto"), default=plan.store)
    parser.add_argument("--out", type=Path, help="an empty folder; a temporary one by default")
    options = vars(parser.parse_args())
    folder = options.pop("out") or Path(tempfile.mkdtemp(prefix="soak-"))
    print(f"results in {folder}", flush=True)
    if can_jump() and _CLOCK_VARIABLE not in os.environ:
        # Everything that talks to each other has one clock, this process included.
        environment = {**os.environ, **JumpingClock(folder / "clock").environment}
        again = [sys.executable, "-m", __spec__.name, *sys.argv[1:], "--out", str(folder)]
        os.execve(sys.executable, again, environment)
    print(json.dumps(soak(replace(plan, **options), folder), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
