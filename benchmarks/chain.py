"""The whole chain against pure decoding, in frames per CPU second.

    python -m benchmarks.chain [--repeats 3] [--video FILE] [--short]

Each row runs in a process of its own that counts the user and system time of all its threads and
children, after the chain has run once on a second of video: less start-up and imports. The video
is 60 seconds of 1080p30 H.264 made of natural scenes from the samples folder; without one, of the
demo's drawn scenes.
"""

import argparse
import gc
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import long
from benchmarks.material import long_video, material
from lightly_pipeline_tests.support.videos import Recipe, make_video

_MODES = ("decode", "video", "chain", "embed")


def main() -> None:
    """Prints the table; also the worker entry for one measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--video", type=Path)
    parser.add_argument(
        "--short", action="store_true", help="leave out peak memory and ffmpeg's image files"
    )
    parser.add_argument("--measure", choices=_MODES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(_measure(options.measure, options.video)))
        return
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores; {_versions()}")
    videos = [options.video] if options.video else [material(gop) for gop in (250, 30)]
    for video in videos:
        _table(video, options.repeats, short=options.short)
    if not options.short:
        _memory(videos[0])
        long.table(material(250, irregular=True), minutes=8, repeats=options.repeats)


def _table(video: Path, repeats: int, *, short: bool) -> None:
    results: dict[str, list[dict[str, float]]] = {mode: [] for mode in _MODES}
    command: list[float] = []
    for _ in range(repeats):
        for mode in _MODES:
            results[mode].append(_run(mode, video))
        if shutil.which("ffmpeg"):
            command.append(_ffmpeg(video, ["-f", "null", "-"]))
    n_frames = results["decode"][0]["frames"]
    decode = _median(results["decode"])
    print(f"\n{video.name}: {n_frames:.0f} frames, {video.stat().st_size / 1e6:.0f} MB")
    print(f"{'':44}{'CPU s':>8}{'frames/CPU s':>14}{'of decoding':>13}")
    rows = [("PyAV, decoding alone, one thread", decode)]
    if command:
        rows.append(("ffmpeg -threads 1 -f null -", statistics.median(command)))
    rows.append(("small image, checksum, quality numbers", _median(results["video"])))
    rows.append(("decode and embed (tables written)", _median(results["embed"])))
    rows.append(("the chain: 50 of all frames as PNG", _median(results["chain"])))
    for name, seconds in rows:
        print(f"{name:44}{seconds:8.2f}{n_frames / seconds:14.0f}{decode / seconds:13.2f}")
    last = results["chain"][-1]
    print(
        f"  in the chain: encoder {last['encoder']:.2f}, selection {last['select']:.2f}, "
        f"fetching and writing images {last['upload']:.2f} CPU s"
    )
    if command and not short:
        _instead(video)


def _median(results: list[dict[str, float]]) -> float:
    return statistics.median(result["cpu"] for result in results)


def _run(mode: str, video: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.chain", "--measure", mode, "--video", str(video)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _measure(mode: str, video: Path) -> dict[str, float]:
    _warm_up()
    if mode == "decode":
        return _measure_decode(video)
    return _measure_video(video) if mode == "video" else _measure_chain(video, mode)


def _measure_decode(video: Path) -> dict[str, float]:
    import av

    started = _cpu_s()
    frames = 0
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            frames += len(packet.decode())
    return {"cpu": _cpu_s() - started, "frames": frames}


def _measure_video(video: Path) -> dict[str, float]:
    """Runs the video layer as the default encoder has it, without an encoder."""
    from lightly_pipeline.embedding import encoder_spec
    from lightly_pipeline.video import open_video

    wanted = encoder_spec().frame_input
    started = _cpu_s()
    with open_video(video) as opened:
        frames = sum(1 for _ in opened.frames(wanted))
    return {"cpu": _cpu_s() - started, "frames": frames}


def _measure_chain(video: Path, mode: str) -> dict[str, float]:
    """Runs the chain on a folder that holds the video alone, with the default configuration."""
    from lightly_pipeline import Dataset, LocalDatasource
    from lightly_pipeline.embedding.families.shipped import StatisticsEncoder
    from lightly_pipeline.steps.listing import list_catalog
    from lightly_pipeline.steps.processing import process_videos
    from lightly_pipeline.steps.selecting import select_frames
    from lightly_pipeline.steps.setup import Run, resolve_config
    from lightly_pipeline.steps.uploading import upload_frames

    encoder_s = [0.0]
    encode = StatisticsEncoder.encode

    def timed(self: StatisticsEncoder, frames: object) -> object:
        import time

        started = time.thread_time()
        result = encode(self, frames)  # type: ignore[arg-type]
        encoder_s[0] += time.thread_time() - started
        return result

    StatisticsEncoder.encode = timed  # type: ignore[method-assign, assignment]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in"), Path(folder, "out")
        source.mkdir()
        (source / video.name).symlink_to(video.resolve())
        dataset = Dataset("bench", input=LocalDatasource(source), lightly=LocalDatasource(target))
        run = Run(dataset, resolve_config(dataset), "bench")
        started = _cpu_s()
        catalog = list_catalog(run)
        processed = process_videos(run, catalog)
        embedded = _cpu_s()
        if mode == "embed":
            return {"cpu": embedded - started, "frames": processed.outcomes[0].n_frames}
        select_frames(run, processed)
        selected = _cpu_s()
        upload_frames(run)
        ended = _cpu_s()
    return {
        "cpu": ended - started,
        "frames": processed.outcomes[0].n_frames,
        "encoder": encoder_s[0],
        "select": selected - embedded,
        "upload": ended - selected,
    }


def _warm_up() -> None:
    """Runs the chain on a second of video, so that no import or first use is measured later."""
    from lightly_pipeline import Dataset, LocalDatasource, run

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in")
        make_video(source, Recipe("x.mp4", "libx264", n_frames=30))
        run(
            Dataset(
                "warm", input=LocalDatasource(source), lightly=LocalDatasource(Path(folder, "out"))
            )
        )
    # What importing has left to the collector is part of the start, too.
    gc.collect()


def _ffmpeg(video: Path, output: list[str], seconds: float | None = None) -> float:
    before = os.times()
    limit = ["-t", str(seconds)] if seconds else []
    subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin", "-threads", "1", "-i", str(video), *limit, *output],
        check=True,
    )
    after = os.times()
    used = after.children_user + after.children_system
    return used - before.children_user - before.children_system


def _instead(video: Path) -> None:
    """Prints what writing every frame as an image costs, from the first ten seconds."""
    for extension, options in (("png", []), ("jpg", ["-q:v", "2"])):
        with tempfile.TemporaryDirectory() as folder:
            seconds = _ffmpeg(video, [*options, f"{folder}/%05d.{extension}"], 10)
            size = sum(file.stat().st_size for file in Path(folder).iterdir())
        print(
            f"  instead, ffmpeg writing every frame as {extension} (6 x the first 10 s): "
            f"{6 * seconds:.0f} CPU s, {6 * size / 1e6:.0f} MB"
        )


def _versions() -> str:
    from lightly_pipeline.video.versions import decoder_version

    text = decoder_version()
    if shutil.which("ffmpeg"):
        banner = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True)
        text += f"; {' '.join(banner.stdout.split()[:3])}"
    return text


def _memory(video: Path) -> None:
    """Prints the peak memory of a one-minute and of a twenty-minute video."""
    peaks = []
    for file in (video, long_video(video, 20)):
        code = (
            "import sys; from benchmarks.chain import _measure_chain, _peak_mb; "
            "from pathlib import Path; _measure_chain(Path(sys.argv[1]), 'chain'); "
            "print(_peak_mb())"
        )
        command = [sys.executable, "-c", code, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(float(done.stdout.split()[-1]))
    print(
        f"\npeak memory of the chain: {peaks[0]:.0f} MB for 1 minute, {peaks[1]:.0f} MB for 20 "
        f"minutes, difference {peaks[1] - peaks[0]:.0f} MB (limit 50)"
    )


def _peak_mb() -> float:
    """Returns the peak memory of this process in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux's ru_maxrss starts from that of the process that made this one.
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
