"""What random access costs, and what a bucket is asked for.

    python -m benchmarks.stores [--repeats 3] [--peers PYTHON]

Fifty random frames of a 1080p H.264 video of 10,800 frames, in CPU seconds, against the least that
decoding can do; the requests and bytes of the same on an object store, and of a full pass. Peers
run in a Python of their own (`--peers`) and are left out with a line where they are not installed.
"""

import argparse
import io
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path

import av

from benchmarks.material import long_video, material
from lightly_pipeline.datasources.answers import RangeAnswer
from lightly_pipeline.datasources.protocol import ByteRange
from lightly_pipeline.datasources.range_reader import RangeReader
from lightly_pipeline.video import FrameIndex, open_video
from lightly_pipeline.video.plan import KeyGroup, byte_ranges, key_groups
from lightly_pipeline.video.versions import decoder_version

N_WANTED, TIMES = 50, 6
_PEERS = {
    "torchcodec": """
from torchcodec.decoders import VideoDecoder
decoder = VideoDecoder(path, num_ffmpeg_threads=1)
start = os.times(); decoder.get_frames_at(wanted); end = os.times()""",
    "decord": """
from decord import VideoReader, cpu
reader = VideoReader(path, ctx=cpu(0), num_threads=1)
start = os.times(); reader.get_batch(wanted).asnumpy(); end = os.times()""",
    "cv2": """
import cv2
cv2.setNumThreads(1)
capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
start = os.times()
for index in wanted:
    capture.set(cv2.CAP_PROP_POS_FRAMES, index)
    assert capture.read()[0]
end = os.times()""",
}


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peers", default=sys.executable)
    options = parser.parse_args()
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores; {decoder_version()}")
    for gop in (250, 30):
        video = long_video(material(gop), TIMES)
        with open_video(video) as opened:
            index, container = opened.index(), opened.info.container
        wanted = sorted(random.Random(1).sample(range(len(index.rows)), N_WANTED))
        groups = key_groups(index, container, wanted)
        print(
            f"\n{video.name}: {len(index.rows)} frames, {video.stat().st_size / 1e6:.0f} MB, "
            f"{N_WANTED} frames in {len(groups)} groups"
        )
        _random_access(video, index, wanted, groups, options.repeats, options.peers)
        _bucket(video, index, container, wanted, groups)


def _random_access(
    video: Path,
    index: FrameIndex,
    wanted: Sequence[int],
    groups: Sequence[KeyGroup],
    repeats: int,
    peers: str,
) -> None:
    runs: dict[str, Callable[[], float | None]] = {
        "bare loop, key frame to wanted frame": lambda: _timed(
            lambda: _bare(video, index, [(g.key.pts, g.frames[-1]) for g in groups])
        ),
        "bare loop, whole groups": lambda: _timed(
            lambda: _bare(video, index, [_whole(index, g) for g in groups])
        ),
        "fetch (checked, with full RGB)": lambda: _timed(lambda: _fetch(video, index, wanted)),
        **{name: lambda n=name: _peer(n, video, wanted, peers) for name in _PEERS},  # type: ignore[misc]
    }
    results: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, measure in runs.items():
            seconds = measure()
            if seconds is not None:
                results[name].append(seconds)
    medians = {name: statistics.median(times) for name, times in results.items() if times}
    least, whole = list(medians.values())[:2]
    print(f"{'':40}{'CPU s':>8}{'of least':>10}{'of groups':>11}")
    for name in runs:
        if name in medians:
            seconds = medians[name]
            print(f"{name:40}{seconds:8.2f}{seconds / least:10.2f}{seconds / whole:11.2f}")
        else:
            print(f"{name:40}not installed")


def _timed(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _whole(index: FrameIndex, group: KeyGroup) -> tuple[int, int]:
    last = group.frames[-1]
    while last + 1 < len(index.rows) and not index.rows[last + 1].keyframe:
        last += 1
    return group.key.pts, last


def _bare(video: Path, index: FrameIndex, spans: Sequence[tuple[int, int]]) -> None:
    """Seeks and decodes each span and keeps nothing."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type, stream.codec_context.thread_count = "NONE", 1
        for first, last in spans:
            container.seek(first, stream=stream)
            end = index.rows[last].pts
            for frame in container.decode(stream):
                if frame.pts >= end:
                    break


def _fetch(video: Path, index: FrameIndex, wanted: Sequence[int]) -> None:
    with open_video(video, index=index) as opened:
        frames = [frame.index for frame in opened.fetch(wanted, ordered=False)]
    assert sorted(frames) == list(wanted)


def _peer(name: str, video: Path, wanted: Sequence[int], python: str) -> float | None:
    code = f"import json, os\npath, wanted = {str(video)!r}, {list(wanted)!r}{_PEERS[name]}\n"
    code += "print(end.user + end.system - start.user - start.system)"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, env=environment)
    return float(done.stdout.split()[-1]) if done.returncode == 0 else None


class _Range:
    """Serves ranges of a file as a bucket does."""

    def __init__(self, path: Path) -> None:
        self._file, self._size = path.open("rb"), path.stat().st_size

    def __call__(self, first: int, last: int) -> RangeAnswer:
        self._file.seek(first)
        body = self._file.read(last + 1 - first)
        place = f"bytes {first}-{first + len(body) - 1}/{self._size}"
        return RangeAnswer(
            "version", place, len(body), is_part=True, is_page=False, md5="", body=io.BytesIO(body)
        )


def _bucket(
    video: Path,
    index: FrameIndex,
    container: str,
    wanted: Sequence[int],
    groups: Sequence[KeyGroup],
) -> None:
    size = video.stat().st_size
    packets = sorted(row.position or 0 for row in index.rows)
    needed = 0
    for group in groups:
        last = bisect_right(packets, max(index.rows[i].position or 0 for i in group.frames))
        end = packets[last] if last < len(packets) else size
        needed += end - (group.key.position or 0)
    print(f"\non a bucket{'':29}{'requests':>8}{'MB':>10}{'of needed':>11}")
    plans: dict[str, Sequence[ByteRange]] = {
        "fetch, ranges planned": byte_ranges(index, container, wanted, size),
        "fetch, reading ahead only": (),
    }
    for name, ranges in plans.items():
        reader = RangeReader(_Range(video), video.name, ranges)
        with open_video(reader, index=index) as opened:  # type: ignore[arg-type]
            assert len(list(opened.fetch(wanted, ordered=False))) == N_WANTED
        _print_traffic(name, reader, needed)
    reader = RangeReader(_Range(video), video.name)
    with open_video(reader) as opened:  # type: ignore[arg-type]
        assert sum(1 for _ in opened.frames()) == len(index.rows)
    _print_traffic("full pass", reader, size)
    print(f"{'  at most for a full pass':40}{size / 2**23 + 6:8.0f}{1.1 * size / 1e6:10.1f}")


def _print_traffic(name: str, reader: RangeReader, needed: int) -> None:
    n_requests, n_bytes = reader.traffic
    print(f"{name:40}{n_requests:8}{n_bytes / 1e6:10.1f}{n_bytes / needed:11.2f}")


if __name__ == "__main__":
    main()
