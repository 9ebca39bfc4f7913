"""A dataset of many small images against a bare Pillow loop, in CPU time and in objects written.

    python -m benchmarks.images [--images 10000] [--edge 256] [--format JPEG]

User and system time of all threads, in one process that has run the chain on a few images before:
the run of an empty LIGHTLY folder, between two loops that open and decode every image with Pillow,
whose mean it is compared with; then one more after a hundredth of the images was added. Selection
is of 100 images by DIVERSITY.
"""

import argparse
import resource
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from lightly_pipeline import Dataset, DatasetType, LocalDatasource, RunResult, run
from lightly_pipeline_tests.support.pictures import picture


def main() -> None:
    """Prints what each pass took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--edge", type=int, default=256)
    parser.add_argument("--format", default="JPEG", choices=["JPEG", "PNG"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make(folder / "warm", range(20), options)
        _run(folder, "warm")
        _make(folder / "in", range(options.images), options)
        first = _loop(folder / "in")
        before = _cpu_s()
        result = _run(folder, "in")
        spent = _cpu_s() - before
        loop = (first + _loop(folder / "in")) / 2
        print(f"{options.images} {options.format} of {options.edge} x {options.edge} pixels")
        _tell("Pillow alone", loop, options.images, loop)
        _tell("first run", spent, options.images, loop)
        print("  wall seconds by step:", {k: round(v, 1) for k, v in result.seconds.items()})
        _count(folder / "in.lightly", options.images)
        added = max(1, options.images // 100)
        _make(folder / "in", range(options.images, options.images + added), options)
        before = _cpu_s()
        result = _run(folder, "in")
        _tell(f"after {added} more", _cpu_s() - before, options.images + added, loop)
        print(f"  {result.n_decoded_videos} images decoded")
        _count(folder / "in.lightly", options.images + added)


def _make(folder: Path, numbers: range, options: argparse.Namespace) -> None:
    """Writes pictures of their own: shifted parts of a few, so that making them takes no hour."""
    large = [picture(seed, 2 * options.edge, 2 * options.edge) for seed in range(50)]
    for number in numbers:
        base = large[number % len(large)]
        down, right = np.random.default_rng(number).integers(0, options.edge, 2)
        part = base[down : down + options.edge, right : right + options.edge]
        path = folder / f"{number // 1000:04d}" / f"{number:07d}.{options.format.lower()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(part).save(path)


def _loop(folder: Path) -> float:
    """Returns the CPU seconds of decoding all images."""
    before = _cpu_s()
    for path in folder.rglob("*.*"):
        with Image.open(path) as image:
            np.asarray(image.convert("RGB"))
    return _cpu_s() - before


def _run(folder: Path, name: str) -> RunResult:
    dataset = Dataset(
        "images",
        DatasetType.IMAGES,
        input=LocalDatasource(folder / name),
        lightly=LocalDatasource(folder / f"{name}.lightly"),
    )
    return run(dataset, selection_config={"n_samples": 100})


def _tell(what: str, cpu_s: float, n_images: int, loop_s: float) -> None:
    print(
        f"  {what:<16} {cpu_s:7.1f} CPU s, {1e3 * cpu_s / n_images:6.2f} ms an image, "
        f"{cpu_s / loop_s:5.2f} times Pillow alone"
    )


def _count(folder: Path, n_images: int) -> None:
    sizes = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    kinds = Counter(path.name for path in sizes)
    total = sum(sizes.values()) / 1e6
    print(
        f"  {len(sizes)} objects of {total:.0f} MB for {n_images} images; "
        f"{kinds['frames.parquet']} tables"
    )


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
