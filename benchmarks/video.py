"""The video layer against FFmpeg and other readers of frames, in frames per CPU second.

    python -m benchmarks.video [--clips h264,hevc,av1,vp9] [--parts speed,shares,images,threads]
        [--repeats 5] [--peers PYTHON]

Every figure is the median of `--repeats` runs in processes of their own, interleaved, one thread,
less start-up and imports; beside it the PSNR of the small pictures (short side 224) against an
antialiased bicubic filter on the exact full picture in floating point. OpenCV, torchcodec and
decord are measured by the interpreter `--peers`, where they are installed. Clips are made once,
into `bench_data/`: a landscape of natural spectrum under a moving camera, with objects and grain.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.clips import CLIPS, USUAL_CLIPS, clip
from benchmarks.material import material

_SHORT_SIDE = 224
_PICTURES = 5
_OURS = ("pyav null", "ours: decode, scale", "ours: video layer")
_PEERS = ("opencv area", "opencv linear", "torchcodec", "decord")
_PARTS = ("speed", "shares", "images", "threads")


def main() -> None:
    """Prints the tables; also the worker entry for one measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", default=",".join(USUAL_CLIPS))
    parser.add_argument("--parts", default=",".join(_PARTS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peers", type=Path, default=Path(sys.executable))
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--video", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--pictures", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(_measure_ours(options.measure, options.video, options.pictures)))
        return
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores; {_ffmpeg_version()}")
    parts = options.parts.split(",")
    for name in options.clips.split(","):
        video = clip(name)
        if "speed" in parts:
            _speed(name, video, options.repeats, options.peers)
        if "shares" in parts:
            _shares(name, video)
    if "shares" in parts:
        _shares("real scenes", material(30))
    if "images" in parts:
        for video in (clip("h264"), material(30)):
            _images(video)
    if "threads" in parts:
        _threads(clip("h264"), options.repeats)


def small_size(width: int, height: int) -> tuple[int, int]:
    """Returns the (width, height) with a short side of 224 and an even long side."""
    if width <= height:
        return _SHORT_SIDE, round(height * _SHORT_SIDE / width / 2) * 2
    return round(width * _SHORT_SIDE / height / 2) * 2, _SHORT_SIDE


def _speed(name: str, video: Path, repeats: int, peers: Path) -> None:
    size = _size(video)
    runs: dict[str, list[dict[str, Any]]] = {}
    decibels: dict[str, float] = {}
    reference = _reference(video, size)
    for turn in range(repeats):
        for row in _rows():
            if turn and not runs[row]:
                continue
            with tempfile.TemporaryDirectory() as folder:
                pictures = Path(folder, "pictures.npy") if turn == 0 else None
                result = _run(row, video, size, peers, pictures)
                runs.setdefault(row, [])
                if "cpu" in result:
                    runs[row].append(result)
                else:
                    print(f"  {row}: {result['error']}")
                if pictures is not None and pictures.exists():
                    decibels[row] = _psnr(np.load(pictures), reference)
    _print_speed(name, video, runs, decibels)


def _rows() -> list[str]:
    command = ["ffmpeg null", "ffmpeg scale area"] if shutil.which("ffmpeg") else []
    return [*command, *_OURS, *_PEERS]


def _run(
    row: str, video: Path, size: tuple[int, int], peers: Path, pictures: Path | None
) -> dict[str, Any]:
    if row.startswith("ffmpeg"):
        return _run_ffmpeg(row, video, size, pictures)
    wanted = ["--pictures", str(pictures)] if pictures else []
    if row in _OURS:
        command = [
            sys.executable,
            "-m",
            "benchmarks.video",
            "--measure",
            row,
            "--video",
            str(video),
        ]
    else:
        script = Path(__file__).with_name("video_peers.py")
        command = [str(peers), str(script), row, str(video), str(size[0]), str(size[1])]
    done = subprocess.run([*command, *wanted], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return {"error": lines[-1][:120]}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _run_ffmpeg(
    row: str, video: Path, size: tuple[int, int], pictures: Path | None
) -> dict[str, Any]:
    base = ["ffmpeg", "-v", "error", "-nostdin", "-threads", "1", "-i", str(video), "-an"]
    scale = ["-vf", f"scale={size[0]}:{size[1]}:flags=area", "-pix_fmt", "rgb24"]
    output = ["-f", "null", "-"] if row.endswith("null") else [*scale, "-f", "rawvideo", "-"]
    before = os.times()
    done = subprocess.run([*base, *output], stdout=subprocess.PIPE, check=True)
    after = os.times()
    frames = _n_frames(video)
    if pictures is not None and done.stdout:
        raw = np.frombuffer(done.stdout, np.uint8).reshape(-1, size[1], size[0], 3)
        np.save(pictures, raw[_places(frames)])
    used = after.children_user + after.children_system
    return {"cpu": used - before.children_user - before.children_system, "frames": frames}


def _print_speed(
    name: str, video: Path, runs: dict[str, list[dict[str, Any]]], decibels: dict[str, float]
) -> None:
    medians = {
        row: statistics.median(run["frames"] / run["cpu"] for run in done)
        for row, done in runs.items()
        if done
    }
    null = medians.get("ffmpeg null", medians["pyav null"])
    scale = medians.get("ffmpeg scale area")
    print(f"\n{name}: {video.name}, {_n_frames(video)} frames, {video.stat().st_size / 1e6:.1f} MB")
    print(f"{'':24}{'frames/CPU s':>13}{'of null':>9}{'of ffmpeg scale':>17}{'PSNR dB':>9}")
    for row, rate in medians.items():
        of_scale = f"{rate / scale:17.2f}" if scale else f"{'-':>17}"
        quality = f"{decibels[row]:9.1f}" if row in decibels else f"{'-':>9}"
        count = {run["frames"] for run in runs[row]}
        note = "" if count == {_n_frames(video)} else f"  frames: {sorted(count)}"
        print(f"{row:24}{rate:13.1f}{rate / null:9.2f}{of_scale}{quality}{note}")


def _measure_ours(mode: str, video: Path, pictures: Path | None) -> dict[str, float]:
    from lightly_pipeline.video import FrameInput, open_video
    from lightly_pipeline.video.container import open_stream
    from lightly_pipeline.video.decode import Pass
    from lightly_pipeline.video.pixels import SmallImages
    from lightly_pipeline.video.types import DecodeLimits

    wanted = FrameInput(*small_size(*_size(video, small=False)), "area")
    started = _cpu_s()
    frames = 0
    if mode == "pyav null":
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_type, stream.codec_context.thread_count = "NONE", 1
            for packet in container.demux(stream):
                frames += len(packet.decode())
    elif mode == "ours: decode, scale":
        images = SmallImages(wanted, "ffmpeg")
        with open_stream(video, DecodeLimits()) as opened:
            decoding = Pass(opened, DecodeLimits(), "ffmpeg")
            for frame in decoding.frames():
                images.of(frame, decoding.orientation)
                frames += 1
    else:
        with open_video(video) as whole:
            frames = sum(1 for _ in whole.frames(wanted))
    used = _cpu_s() - started
    if pictures is not None and mode != "pyav null":
        places = set(_places(frames))
        with open_video(video) as again:
            kept = [f.small for f in again.frames(wanted) if f.index in places]
        np.save(pictures, np.stack([picture for picture in kept if picture is not None]))
    return {"cpu": used, "frames": frames}


def _reference(video: Path, size: tuple[int, int]) -> np.ndarray:
    """Returns exact pictures, antialiased bicubic in floating point, shape (5, H, W, 3)."""
    import torch

    from lightly_pipeline.video import open_video

    places = set(_places(_n_frames(video)))
    found = []
    with open_video(video) as opened:
        for frame in opened.frames():
            if frame.index in places:
                full = torch.from_numpy(frame.to_rgb()).permute(2, 0, 1)[None].float()
                small = torch.nn.functional.interpolate(
                    full, (size[1], size[0]), mode="bicubic", antialias=True
                )
                found.append(small[0].permute(1, 2, 0).clamp(0, 255).numpy())
    return np.stack(found)


def _psnr(pictures: np.ndarray, reference: np.ndarray) -> float:
    errors = ((pictures.astype(np.float64) - reference) ** 2).mean(axis=(1, 2, 3))
    return float(np.mean(10 * np.log10(255**2 / np.maximum(errors, 1e-9))))


def _places(n_frames: int) -> list[int]:
    return [n_frames * i // _PICTURES for i in range(_PICTURES)]


def _shares(name: str, video: Path) -> None:
    """Prints what a pass takes off each frame costs beside the decoding, in the pass's order."""
    from lightly_pipeline.embedding import encoder_spec, load_encoder
    from lightly_pipeline.video.container import open_stream
    from lightly_pipeline.video.decode import Pass
    from lightly_pipeline.video.frames import measured_together
    from lightly_pipeline.video.pixels import SmallImages, checksum
    from lightly_pipeline.video.quality.meter import Glance, QualityMeter
    from lightly_pipeline.video.types import DecodeLimits

    meter = QualityMeter("ffmpeg")
    glances: list[Glance] = []
    encoder, batch = load_encoder(encoder_spec()), []
    small = SmallImages(encoder.spec.frame_input, "ffmpeg")
    spent = {"decode": 0.0, "checksum": 0.0, "small image": 0.0, "quality": 0.0, "encoder": 0.0}
    with open_stream(video, DecodeLimits()) as opened:
        decoding = Pass(opened, DecodeLimits(), "ffmpeg")
        context = opened.stream.codec_context
        together = measured_together(context.width, context.height)
        mark = time.thread_time()

        def add(part: str) -> None:
            nonlocal mark
            now = time.thread_time()
            spent[part] += now - mark
            mark = now

        for frame in decoding.frames():
            add("decode")
            checksum(frame)
            add("checksum")
            batch.append(small.of(frame, decoding.orientation))
            add("small image")
            glances.append(meter.glance(frame, decoding.orientation))
            if len(glances) == together:
                meter.of(glances)
                glances.clear()
            add("quality")
            if len(batch) == encoder.spec.batch_size:
                encoder.encode(np.stack(batch))
                batch.clear()
            add("encoder")
            if decoding.n_frames == together:
                # What is looked up once for a size and kept is not a cost of a frame.
                spent = dict.fromkeys(spent, 0.0)
        n = decoding.n_frames - together
    print(f"{name}: decoding {spent['decode'] / n * 1e3:.2f} ms a frame, of it", end=" ")
    goals = {"checksum": "1 % at 1080p", "quality": "5 % at 1080p, 0.4 ms anywhere"}
    for part in ("checksum", "small image", "quality", "encoder"):
        share, ms = 100 * spent[part] / spent["decode"], spent[part] / n * 1e3
        print(f"{part} {share:.1f} % ({ms:.3f} ms; goal {goals.get(part, '-')})", end="; ")
    print()


def _images(video: Path) -> None:
    """Prints what encoding a 1080p image takes."""
    from lightly_pipeline.export.images import encode_image
    from lightly_pipeline.video import open_video

    with open_video(video) as opened:
        pictures = [f.to_rgb() for f in islice(opened.frames(), 241) if f.index % 30 == 0]
    height, width, _ = pictures[0].shape
    print(f"\n{video.name}: image of {width}x{height}, best of 3, medians of {len(pictures)}")
    for kind, goal in (("png", "50"), ("jpg", "6"), ("webp", "-")):
        seconds, sizes = [], []
        for rgb in pictures:
            tries = []
            for _ in range(3):
                started = time.thread_time()
                content = encode_image(rgb, kind)
                tries.append(time.thread_time() - started)
            seconds.append(min(tries))
            sizes.append(len(content))
        ms, size = statistics.median(seconds) * 1e3, statistics.median(sizes)
        print(f"  {kind:5}{ms:7.1f} ms (goal {goal}){size / 1e6:8.2f} MB")


def _threads(video: Path, repeats: int) -> None:
    """Prints two videos in two threads against two processes, next to what the machine can do."""
    pairs = []
    ratios = []
    for _ in range(repeats):
        one, two = (_wall(_spin_processes, n) for n in (1, 2))
        pairs.append(2 * one / two)
        ratios.append(_wall(_decode_processes, video) / _wall(_decode_threads, video))
    pair, ratio = max(pairs), max(ratios)
    judged = "judged: goal 0.85" if pair >= 1.8 else "not judged: the machine has no two free cores"
    print(
        f"\ntwo videos in two threads: {ratio:.2f} of two processes (best of {repeats}; {judged}; "
        f"two pure-CPU processes reach {pair:.2f})"
    )


def _wall(work: Callable[..., None], *arguments: Any) -> float:
    started = time.monotonic()
    work(*arguments)
    return time.monotonic() - started


def _spin_processes(n: int) -> None:
    code = "import time\nwhile time.process_time() < 1: pass"
    _in_processes([[sys.executable, "-S", "-c", code]] * n)


def _decode_processes(video: Path) -> None:
    # Both ways start two interpreters' worth of imports in parallel, outside of the decoding.
    code = (
        "import sys; from pathlib import Path; from benchmarks.video import decode_all; "
        "decode_all(Path(sys.argv[1]))"
    )
    _in_processes([[sys.executable, "-c", code, str(video)]] * 2)


def _decode_threads(video: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from benchmarks.video import decode_twice; "
        "decode_twice(Path(sys.argv[1]))"
    )
    _in_processes([[sys.executable, "-c", code, str(video)]])


def _in_processes(commands: list[list[str]]) -> None:
    running = [subprocess.Popen(command) for command in commands]
    for process in running:
        if process.wait():
            raise RuntimeError(f"{process.args!r} failed")


def decode_all(video: Path) -> None:
    """Runs the whole video layer once, as an encoder of 64 x 64 would have it."""
    from lightly_pipeline.video import FrameInput, open_video

    with open_video(video) as opened:
        for _ in opened.frames(FrameInput(64, 64)):
            pass


def decode_twice(video: Path) -> None:
    """Runs it in two threads at once."""
    threads = [threading.Thread(target=decode_all, args=(video,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system


def _size(video: Path, *, small: bool = True) -> tuple[int, int]:
    with av.open(str(video)) as container:
        context = container.streams.video[0].codec_context
        size = context.width, context.height
    return small_size(*size) if small else size


def _n_frames(video: Path) -> int:
    return CLIPS[video.stem.removeprefix("clip-")].n_frames


def _ffmpeg_version() -> str:
    from lightly_pipeline.video.versions import decoder_version

    if not shutil.which("ffmpeg"):
        return f"{decoder_version()}; no ffmpeg command: its rows are left out"
    banner = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True)
    return f"{decoder_version()}; {' '.join(banner.stdout.split()[:3])}"


if __name__ == "__main__":
    main()
