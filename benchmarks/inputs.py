"""What reading metadata and predictions costs: one file for many frames, or a file per frame.

    python -m benchmarks.inputs [--frames 1000000] [--files 100000] [--boxes 3]

A made-up dataset of videos of 2,000 frames: five keys of metadata, of which a selection reads all;
boxes of ten categories, three a frame on average, of which it reads classes and two scores. Every
reading is a process of its own: its processor time (user and system), its wall time and its peak
memory are printed, and what the imports alone cost. `--files` frames have a file each instead, in
a folder on disk.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lightly_pipeline.candidates.rows import FrameRows, RowVideo, frame_rows
from lightly_pipeline.datasources import LocalDatasource, StoredObject
from lightly_pipeline.inputs import scores
from lightly_pipeline.inputs.metadata import parse_schema
from lightly_pipeline.inputs.metadata_files import read_metadata
from lightly_pipeline.inputs.path_groups import plan_path_groups
from lightly_pipeline.inputs.prediction_files import read_task
from lightly_pipeline.inputs.predictions import Task
from lightly_pipeline.tables.handle import video_table

_PER_VIDEO, _CATEGORIES = 2000, 10
_MAX_S, _MAX_MB = 60.0, 1000.0
_TASK = Task("boxes", "object-detection", tuple(range(_CATEGORIES)), tuple("abcdefghij"))
_SCORES = (scores.OBJECTNESS, scores.OBJECT_FREQUENCY)
_KEYS = parse_schema(
    [
        {"path": "gps.speed", "valueDataType": "NUMERIC_FLOAT"},
        {"path": "gps.heading", "valueDataType": "NUMERIC_FLOAT"},
        {"path": "lane", "valueDataType": "CATEGORICAL_INT"},
        {"path": "weather", "valueDataType": "CATEGORICAL_STRING"},
        {"path": "wet", "valueDataType": "CATEGORICAL_BOOLEAN"},
    ],
    "schema.json",
)
_PATHS = r"cam(?P<camera>\d+)/(?P<number>\d+)"


def main() -> None:
    """Makes the files and prints the figures; also the entry of the processes that are measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--boxes", type=float, default=3.0)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        folder, what, n_frames = options.measure
        print(json.dumps(_measure(Path(folder), what, int(n_frames))))
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _print("imports alone", place, "nothing", 1)
        for ending in ("jsonl", "parquet"):
            for what, documents in (("metadata", _metadata), ("predictions", _predictions)):
                file = (
                    place
                    / ending
                    / (_TASK.folder if what == "predictions" else ".lightly/metadata")
                )
                file.mkdir(parents=True)
                made = documents(options.frames, options.boxes)
                _WRITERS[ending](file / f"{what}.{ending}", made)
                size = (file / f"{what}.{ending}").stat().st_size / 1e6
                title = f"{what}.{ending}, {options.frames} frames, {size:.0f} MB"
                _print(title, place / ending, what, options.frames)
        _print(f"two groups of paths, {options.frames} frames", place, "paths", options.frames)
        for what, documents in (("metadata", _metadata), ("predictions", _predictions)):
            if not options.files:
                break
            inside = (
                place / "files" / (_TASK.folder if what == "predictions" else ".lightly/metadata")
            )
            for document in documents(options.files, options.boxes):
                file = inside / document["file_name"].replace(".png", ".json")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(document))
            _print(f"{what}, {options.files} files", place / "files", what, options.files)


def _print(title: str, folder: Path, what: str, n_frames: int) -> None:
    command = [
        sys.executable,
        "-m",
        "benchmarks.inputs",
        "--measure",
        str(folder),
        what,
        str(n_frames),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    limits = f" (limits {_MAX_S:.0f} s, {_MAX_MB:.0f} MB)" if "." in title else ""
    print(
        f"{title:44}{found['cpu_s']:7.1f} CPU s{found['wall_s']:7.1f} s wall"
        f"{found['peak_mb']:6.0f} MB{limits}",
        flush=True,
    )


def _measure(folder: Path, what: str, n_frames: int) -> dict[str, float]:
    rows = _rows(n_frames)
    store = LocalDatasource(folder)
    started = time.monotonic()
    if what == "metadata":
        read_metadata(store, _KEYS, rows)
    elif what == "predictions":
        assert read_task(store, _TASK, rows, _SCORES).known.all()
    elif what == "paths":
        plan_path_groups(_PATHS, [("camera", False), ("number", True)]).read(rows)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "wall_s": time.monotonic() - started,
        "peak_mb": _peak_kb() / 1e3,
    }


def _peak_kb() -> int:
    """Returns the peak memory of this program; `ru_maxrss` begins with that of who started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def _path(number: int) -> str:
    return f"cam{number % 10}/{number:05d}.mp4"


def _rows(n_frames: int) -> FrameRows:
    store = LocalDatasource("/nowhere")
    videos = [_path(number) for number in range(-(-n_frames // _PER_VIDEO))]
    return frame_rows(
        (
            RowVideo(path, _PER_VIDEO, video_table(store, "e", StoredObject(path, 1, "1"))),
            np.arange(min(_PER_VIDEO, n_frames - number * _PER_VIDEO)),
        )
        for number, path in enumerate(videos)
    )


def _names(n_frames: int) -> Iterator[str]:
    for number in range(n_frames):
        stem = _path(number // _PER_VIDEO).removesuffix(".mp4")
        yield f"{stem}-{number % _PER_VIDEO:04d}-mp4.png"


def _metadata(n_frames: int, _: float) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(0)
    for name in _names(n_frames):
        speed, heading = rng.random(2).tolist()
        gps = {"speed": round(speed * 30, 3), "heading": round(heading * 360, 2)}
        weather = ("dry", "rain", "snow")[int(speed * 3)]
        values = {"gps": gps, "lane": int(heading * 4), "weather": weather, "wet": speed > 0.5}
        yield {"file_name": name, "type": "frame", "metadata": values}


def _predictions(n_frames: int, boxes: float) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(1)
    for name, n in zip(_names(n_frames), rng.poisson(boxes, n_frames), strict=True):
        numbers = rng.random((int(n), 6)).round(4).tolist()
        entries = [
            {
                "category_id": int(a * 0.99 * _CATEGORIES),
                "bbox": [x * 1920, y * 1080, w * 300, h * 300],
                "score": score,
            }
            for a, x, y, w, h, score in numbers
        ]
        yield {"file_name": name, "predictions": entries}


def _write_lines(file: Path, documents: Iterator[dict[str, Any]]) -> None:
    with file.open("w") as out:
        out.writelines(json.dumps(document) + "\n" for document in documents)


def _write_parquet(file: Path, documents: Iterator[dict[str, Any]]) -> None:
    writer = None
    while batch := [d for _, d in zip(range(100_000), documents, strict=False)]:
        table = pa.Table.from_pylist(batch)
        writer = writer or pq.ParquetWriter(file, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


_WRITERS = {"jsonl": _write_lines, "parquet": _write_parquet}

if __name__ == "__main__":
    main()
