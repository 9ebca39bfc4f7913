"""What a report costs: of a million frames, and as a share of the demo's run.

    python -m benchmarks.report [--repeats 5] [--frames 1000000] [--videos 1000] [--chosen 500]

The large report is of made-up tables, written to a temporary folder, and of previews of the demo's
pictures with noise like a camera's; a process of its own selects and reports. The share is that of
processor time, from runs with and without a report in turns; only the steps that a report is made
in are compared, for the others vary by more than it costs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lightly_pipeline import Dataset, LocalDatasource
from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.demo import make_demo_videos
from lightly_pipeline.export.previews import FrameKey, Preview, PreviewPlan, plan_previews
from lightly_pipeline.runs.records import UploadedImage, read_selection
from lightly_pipeline.steps.setup import Run, resolve_config
from lightly_pipeline.tables.catalog import Catalog, write_catalog
from lightly_pipeline.tables.embeddings import EMBEDDINGS_FILE, EmbeddingWriter
from lightly_pipeline.tables.frames import FRAMES_FILE, SCHEMA
from lightly_pipeline.tables.outcome import VideoOutcome

_DIM, _FPS = 128, 30.0
_MAX_S, _MAX_MB, _MAX_PAGE_MB, _MAX_SHARE = 120.0, 2000.0, 10.0, 0.05


def main() -> None:
    """Prints both; also the entry of the processes that are measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--chosen", type=int, default=500)
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        what, *arguments = options.measure
        print(json.dumps({"large": _measure_large, "demo": _measure_demo}[what](*arguments)))
        return
    with tempfile.TemporaryDirectory() as folder:
        demo = Path(folder, "demo")
        make_demo_videos(demo)
        _large(Path(folder), demo, options.frames, options.videos, options.chosen)
        _share(Path(folder), demo, options.repeats)


def _large(folder: Path, demo: Path, n_frames: int, n_videos: int, n_chosen: int) -> None:
    _make_tables(_run_of(folder, n_chosen), n_frames, n_videos)
    found = _child("large", str(folder), str(demo), str(n_chosen))
    print(f"report of {n_frames} frames, {n_videos} videos, {n_chosen} chosen: CPU s (wall s)")
    total = [0.0, 0.0]
    for part in ("figures of the choice", "previews", "page, PDF and JSON"):
        cpu, wall = found[part]
        total = [total[0] + cpu, total[1] + wall]
        print(f"  {part:32}{cpu:8.1f} ({wall:.1f})")
    print(f"  {'all (limit ' + str(int(_MAX_S)) + ' s)':32}{total[0]:8.1f} ({total[1]:.1f})")
    for name in ("loading the embeddings", "selection"):
        cpu, wall = found[name]
        print(f"  {'beside it: ' + name:32}{cpu:8.1f} ({wall:.1f})")
    print(f"  peak memory of the process        {found['peak_mb']:.0f} MB (limit {_MAX_MB:.0f})")
    before = found["peak_before_mb"]
    print(f"    before the report was begun     {before:.0f} MB")
    for name, size in found["files"].items():
        limit = f" (limit {_MAX_PAGE_MB:.0f})" if name == "report.html" else ""
        print(f"  {name:34}{size / 1e6:.2f} MB{limit}")


def _run_of(folder: Path, n_chosen: int) -> Run:
    (folder / "in").mkdir(exist_ok=True)
    dataset = Dataset(
        "bench", input=LocalDatasource(folder / "in"), lightly=LocalDatasource(folder / "out")
    )
    return Run(dataset, resolve_config(dataset, selection_config={"n_samples": n_chosen}), "bench")


def _make_tables(run: Run, n_frames: int, n_videos: int) -> None:
    """Writes tables of made-up videos: scenes of some seconds that drift, now and then damaged."""
    rng = np.random.default_rng(0)
    per_video = n_frames // n_videos
    scenes = rng.normal(size=(400, _DIM)).astype(np.float32)
    videos = tuple(
        StoredObject(f"cam{i % 10}/{i:05d}.mp4", 10_000_000 + i, str(i)) for i in range(n_videos)
    )
    write_catalog(run.dataset.lightly, Catalog(videos))
    for video in videos:
        table = run.tables.table(video)
        columns = _columns(rng, per_video)
        with run.dataset.lightly.writer(f"{table.folder}/{FRAMES_FILE}") as file:
            pq.write_table(pa.table(columns, schema=SCHEMA), file, compression="zstd")
        with (
            run.dataset.lightly.writer(f"{table.folder}/{EMBEDDINGS_FILE}") as file,
            EmbeddingWriter(file, _DIM) as embeddings,
        ):
            embeddings.append(_drifting(rng, scenes, per_video))
        table.complete(
            VideoOutcome(
                video=video.path,
                fingerprint=table.fingerprint,
                n_frames=per_video,
                n_rows=per_video,
                n_damaged=int(columns["damaged"].sum()),
                dim=_DIM,
                info={"fps": _FPS, "duration_s": per_video / _FPS},
                report={"damage": []},
            )
        )


def _drifting(rng: np.random.Generator, scenes: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    which = rng.integers(0, len(scenes), n // 150 + 1).repeat(150)[:n]
    drift = rng.normal(scale=0.02, size=(n, _DIM)).cumsum(axis=0)
    return (scenes[which] + drift).astype(np.float32)


def _columns(rng: np.random.Generator, n: int) -> dict[str, NDArray]:
    damaged = np.zeros(n, dtype=bool)
    damaged[n // 2 : n // 2 + 5] = rng.random() < 0.2
    columns: dict[str, NDArray] = {
        "index": np.arange(n),
        "pts": np.arange(n) * 512,
        "time_s": np.arange(n) / _FPS,
        "keyframe": np.arange(n) % 250 == 0,
        "corrupt": damaged,
        "damaged": damaged,
        "width": np.full(n, 1920, np.int32),
        "height": np.full(n, 1080, np.int32),
        "checksum": rng.integers(0, 2**63, n).astype(np.uint64),
        "position": np.arange(n) * 10_000,
    }
    for field in SCHEMA:
        if field.name not in columns:
            columns[field.name] = rng.normal(50, 10, n).cumsum() / np.arange(1, n + 1)
    return columns


def _measure_large(folder: str, demo: str, n_chosen: str) -> dict[str, object]:
    from lightly_pipeline.report.html import render as page_of
    from lightly_pipeline.report.json import render as json_of
    from lightly_pipeline.report.pdf import render as pdf_of
    from lightly_pipeline.steps import choosing, observing
    from lightly_pipeline.steps.listing import stored_catalog
    from lightly_pipeline.steps.processing import read_outcomes
    from lightly_pipeline.steps.reporting import report_of
    from lightly_pipeline.steps.uploading import UploadedRun

    found: dict[str, object] = {}
    run = _run_of(Path(folder), int(n_chosen))
    _time(choosing, "load_pool", found, "loading the embeddings")
    _time(choosing, "select", found, "selection")
    observe = observing.observe_choice

    def observed(*arguments: object) -> None:
        found["peak_before_mb"] = _peak_mb()
        with _timing(found, "figures of the choice"):
            observe(*arguments)  # type: ignore[arg-type]

    choosing.observe_choice = observed  # type: ignore[assignment]
    record = choosing.choose_frames(run, read_outcomes(run, stored_catalog(run.dataset)))
    from lightly_pipeline.report.gather.stored import read_choice

    choice = read_choice(run.dataset.lightly, run.run_id)
    assert choice is not None
    frames = [*choice.frames, *((twin.video, twin.frame_index) for twin in choice.twins)]
    plan = plan_previews(len(frames), {})
    pictures = _pictures(Path(demo), len(frames))
    with _timing(found, "previews"):
        previews = _previews(plan, frames, pictures)
    images = tuple(
        UploadedImage(f.rank, f"{f.video}.png", f.video, f.frame_index, 0, 0.0, 1, 1, 1, "")
        for f in read_selection(run.dataset.lightly, run.run_id).frames
    )
    from lightly_pipeline.runs.result import RunResult

    result = RunResult("bench", 0, 0, 0, (), {}, {}, 0, {}, "", "")
    uploaded = UploadedRun(result, record, images, choice, previews, {})
    with _timing(found, "page, PDF and JSON"):
        report = report_of(run, uploaded, {"select": 1.0}, 0)
        files = {
            "report.html": page_of(report).encode(),
            "report.pdf": pdf_of(report),
            "report_v2.json": json_of(report),
        }
    numbers = (Path(folder) / "out/.lightly/runs/bench/report_numbers.json").read_bytes()
    files["report_numbers.json"] = numbers
    return {
        **found,
        "files": {name: len(content) for name, content in files.items()},
        "peak_mb": _peak_mb(),
    }


def _time(module: object, name: str, found: dict[str, object], part: str) -> None:
    function = getattr(module, name)

    def timed(*arguments: object, **options: object) -> object:
        with _timing(found, part):
            return function(*arguments, **options)

    setattr(module, name, timed)


@contextmanager
def _timing(found: dict[str, object], part: str) -> Iterator[None]:
    cpu, wall = _cpu_s(), time.monotonic()
    yield
    found[part] = (_cpu_s() - cpu, time.monotonic() - wall)


def _pictures(demo: Path, n: int) -> Iterator[NDArray[np.uint8]]:
    """Yields noisy pictures in full HD, over and over."""
    import av

    rng = np.random.default_rng(0)
    kept = []
    for path in ("street/drive.mp4", "street/crossing.mp4", "drone/coast.webm"):
        with av.open(str(demo / path)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number % 45 == 0:
                    rgb = frame.reformat(1920, 1080, format="rgb24").to_ndarray()
                    noisy = rgb + rng.normal(0, 6, rgb.shape).astype(np.float32)
                    kept.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return (kept[i % len(kept)] for i in range(n))


def _previews(
    plan: PreviewPlan, frames: Sequence[FrameKey], pictures: Iterator[NDArray[np.uint8]]
) -> dict[FrameKey, Preview]:
    made = {}
    for frame, picture in zip(frames, pictures, strict=True):
        preview = plan.of_array(picture, (picture.shape[1], picture.shape[0]))
        assert preview is not None
        made[frame] = preview
    return made


def _share(folder: Path, demo: Path, repeats: int) -> None:
    results: dict[str, list[dict[str, float]]] = {"off": [], "chosen": [], "all": []}
    for number in range(repeats):
        for mode, found in results.items():
            place = folder / f"{mode}{number}"
            found.append(_child("demo", str(demo), str(place), mode))
    print("\nthe demo, CPU s of the steps that a report is made in, the least of all repeats:")
    # What else a machine does only adds to the figures.
    least = {
        mode: {name: min(one[name] for one in found) for name in found[0]}
        for mode, found in results.items()
    }
    for mode, figures in least.items():
        steps = ", ".join(f"{name} {figures[name]:.3f}" for name in ("select", "upload", "report"))
        print(f"  {mode:8}{figures['steps']:8.3f}  ({steps}), whole process {figures['all']:.2f}")
    cost = least["all"]["steps"] - least["off"]["steps"]
    share = cost / least["all"]["all"]
    print(f"  the report takes {cost:.3f} CPU s, {share:.1%} of the run (limit {_MAX_SHARE:.0%})")


def _measure_demo(source: str, target: str, mode: str) -> dict[str, float]:
    from lightly_pipeline.steps.listing import list_catalog
    from lightly_pipeline.steps.processing import process_videos
    from lightly_pipeline.steps.reporting import report_run
    from lightly_pipeline.steps.selecting import select_frames
    from lightly_pipeline.steps.uploading import upload_frames

    dataset = Dataset(
        "demo", input=LocalDatasource(Path(source)), lightly=LocalDatasource(Path(target))
    )
    config = resolve_config(
        dataset,
        {"upload_report": mode != "off"},
        pipeline_config={"report_previews": "chosen" if mode == "chosen" else "all"},
    )
    run = Run(dataset, config, "demo")
    processed = process_videos(run, list_catalog(run))
    marks = [_cpu_s()]
    select_frames(run, processed)
    marks.append(_cpu_s())
    uploaded = upload_frames(run)
    marks.append(_cpu_s())
    report_run(run, uploaded)
    marks.append(_cpu_s())
    select_s, upload_s, report_s = np.diff(marks).tolist()
    return {
        "select": select_s,
        "upload": upload_s,
        "report": report_s,
        "steps": marks[-1] - marks[0],
        "all": _cpu_s(),
    }


def _child(*arguments: str) -> dict:
    command = [sys.executable, "-m", "benchmarks.report", "--measure", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict = json.loads(done.stdout.splitlines()[-1])
    return found


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system


def _peak_mb() -> float:
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) / 1e3


if __name__ == "__main__":
    main()
