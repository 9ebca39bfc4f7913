"""Makes the clips of `benchmarks.video`, once, into the ignored folder `bench_data/`.

Drawn without any sample: a landscape whose spectrum falls as in natural pictures, a camera that
pans over it, a few objects that move on their own, and grain, so that codecs work as on footage.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

_FOLDER = Path(__file__).resolve().parents[1] / "bench_data"
_FPS = 30
_MARGIN = 256
_GRAIN = 3.0


@dataclass(frozen=True)
class Clip:
    """How a clip is encoded."""

    codec: str
    extension: str
    size: tuple[int, int]
    n_frames: int
    options: dict[str, str] = field(default_factory=dict)


CLIPS = {
    "h264": Clip("libx264", "mp4", (1920, 1080), 240, {"preset": "medium", "b": "10M", "g": "250"}),
    "h264-2s": Clip(
        "libx264", "mp4", (1920, 1080), 60, {"preset": "medium", "b": "10M", "g": "250"}
    ),
    "h264-short": Clip(
        "libx264", "mp4", (1920, 1080), 8, {"preset": "medium", "b": "10M", "g": "250"}
    ),
    "hevc": Clip(
        "libx265",
        "mp4",
        (3840, 2160),
        48,
        {"preset": "superfast", "b": "20M", "x265-params": "log-level=none:pools=1"},
    ),
    "h264-4k": Clip(
        "libx264", "mp4", (3840, 2160), 48, {"preset": "veryfast", "b": "30M", "g": "250"}
    ),
    "hevc-1080p": Clip(
        "libx265",
        "mp4",
        (1920, 1080),
        120,
        {"preset": "superfast", "b": "8M", "x265-params": "log-level=none:pools=1"},
    ),
    "av1-1080p": Clip("libsvtav1", "mp4", (1920, 1080), 120, {"preset": "10", "b": "6M"}),
    "av1-4k": Clip("libsvtav1", "mp4", (3840, 2160), 48, {"preset": "10", "b": "16M"}),
    "av1": Clip("libsvtav1", "mp4", (1280, 720), 240, {"preset": "10", "b": "3M"}),
    "vp9": Clip(
        "libvpx-vp9", "webm", (1280, 720), 240, {"deadline": "realtime", "cpu-used": "8", "b": "3M"}
    ),
}
# What the layer's share of the whole depends on: size and codec.
USUAL_CLIPS = ("h264", "hevc", "av1", "vp9")


def clip(name: str) -> Path:
    """Returns the clip `name` of `CLIPS`, encoded when first asked for."""
    wanted = CLIPS[name]
    file = _FOLDER / f"clip-{name}.{wanted.extension}"
    if file.exists():
        return file
    _FOLDER.mkdir(exist_ok=True)
    partial = file.with_suffix(f".partial.{wanted.extension}")
    with av.open(str(partial), "w") as container:
        stream = container.add_stream(wanted.codec, rate=_FPS, options=wanted.options)
        stream.width, stream.height = wanted.size
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(_pictures(wanted)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, _FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    partial.rename(file)
    return file


def _pictures(wanted: Clip) -> Iterator[NDArray[np.uint8]]:
    width, height = wanted.size
    rng = np.random.default_rng(7)
    scene = _landscape(rng, width + 2 * _MARGIN, height + 2 * _MARGIN)
    objects = [_landscape(rng, width // 6, height // 4) for _ in range(3)]
    grain = rng.normal(0, _GRAIN, (height + 64, width + 64, 1)).astype(np.float32)
    for number in range(wanted.n_frames):
        angle = number / 60
        x, y = (int(_MARGIN * (1 + 0.9 * f(angle))) for f in (np.sin, np.cos))
        picture = scene[y : y + height, x : x + width].astype(np.float32)
        for i, thing in enumerate(objects):
            left = int((width - thing.shape[1]) * (0.5 + 0.5 * np.sin(angle * (i + 1) + i)))
            top = int((height - thing.shape[0]) * (i + 0.5) / len(objects))
            picture[top : top + thing.shape[0], left : left + thing.shape[1]] = thing
        dy, dx = rng.integers(0, 64, 2)
        picture += grain[dy : dy + height, dx : dx + width]
        yield np.clip(picture, 0, 255).astype(np.uint8)


def _landscape(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """Returns a picture whose amplitudes fall with frequency, in correlated colours."""
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    fall = 1 / np.maximum(np.hypot(fy, fx), 1 / max(width, height)) ** 1.2
    layers = []
    for _ in range(3):
        phase = rng.random(fall.shape) * 2j * np.pi
        layer = np.fft.irfft2(fall * np.exp(phase), (height, width))
        layers.append(layer / layer.std())
    light, warm, green = layers
    colours = [light + 0.5 * warm, light + 0.3 * green, light - 0.5 * warm]
    picture = np.stack([110 + 45 * colour for colour in colours], axis=-1)
    return np.clip(picture, 0, 255).astype(np.uint8)
