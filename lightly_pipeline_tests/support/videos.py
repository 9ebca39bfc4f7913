"""Videos for tests, made with PyAV's own encoders and described as data.

Every picture carries its number as ten black or white bars at the top, so that a decoded frame
tells which one it is.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT, FPS = 160, 120, 25
_BITS = 10


@dataclass(frozen=True)
class Recipe:
    """How a test video is made, and what is known about it."""

    name: str
    codec: str
    n_frames: int = 40
    pixel_format: str = "yuv420p"
    size: tuple[int, int] = (WIDTH, HEIGHT)
    options: dict[str, str] = field(default_factory=dict)
    mux_options: dict[str, str] = field(default_factory=dict)
    has_pts: bool = True


X264 = {"preset": "ultrafast", "g": "12", "bf": "2", "x264-params": "log-level=none"}
X265 = {"preset": "ultrafast", "x265-params": "log-level=none:keyint=12"}
RECIPES = (
    Recipe("h264.mp4", "libx264", options=X264),
    Recipe("h264.m4v", "libx264", options=X264),
    Recipe("h264.mov", "libx264", options=X264),
    Recipe("h264_in.avi", "libx264", options=X264),
    Recipe(
        "h264_fragmented.mp4",
        "libx264",
        options=X264,
        mux_options={"movflags": "frag_keyframe+empty_moov"},
    ),
    Recipe("h264_10bit.mp4", "libx264", pixel_format="yuv420p10le", options=X264),
    Recipe("h264_444.mp4", "libx264", pixel_format="yuv444p", options=X264),
    Recipe("h264_odd.mp4", "libx264", pixel_format="yuv444p", size=(161, 121), options=X264),
    Recipe("h264_one_key.mp4", "libx264", options={**X264, "g": "1000"}),
    Recipe(
        "h264_intra_refresh.mp4",
        "libx264",
        options={**X264, "bf": "0", "x264-params": "intra-refresh=1:keyint=12:log-level=none"},
    ),
    Recipe("h265.mp4", "libx265", options=X265),
    Recipe("h265.mov", "libx265", options=X265),
    Recipe("h265.hevc", "libx265", options=X265, has_pts=False),
    Recipe("av1.webm", "libsvtav1", options={"preset": "12", "g": "12"}),
    Recipe("av1.mp4", "libsvtav1", options={"preset": "12", "g": "12"}),
    Recipe("vp9.webm", "libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8", "g": "12"}),
    Recipe("vp8.webm", "libvpx", options={"deadline": "realtime", "g": "12"}),
    Recipe("mpeg4.avi", "mpeg4", options={"g": "12"}),
    Recipe("mpeg2.mpg", "mpeg2video", options={"g": "12", "bf": "2"}),
    Recipe("mpeg1.mpeg", "mpeg1video", options={"g": "12"}),
    Recipe("mjpeg.avi", "mjpeg", pixel_format="yuvj420p"),
    Recipe("cinepak.avi", "cinepak", pixel_format="rgb24"),
    Recipe("cinepak.mov", "cinepak", pixel_format="rgb24"),
    Recipe("prores.mov", "prores_ks", pixel_format="yuv422p10le"),
    Recipe("qtrle.mov", "qtrle", pixel_format="rgb24"),
    Recipe("ffv1.avi", "ffv1", pixel_format="yuv420p"),
)


def make_video(folder: Path, recipe: Recipe, name: str | None = None, seed: int = 0) -> Path:
    """Encodes a video; `seed` changes what it shows."""
    path = folder / (name or recipe.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = recipe.size
    with av.open(str(path), "w", options=recipe.mux_options) as container:
        stream = container.add_stream(recipe.codec, rate=FPS, options=recipe.options)
        stream.width, stream.height, stream.pix_fmt = width, height, recipe.pixel_format
        for number in range(recipe.n_frames):
            frame = av.VideoFrame.from_ndarray(painted(number, width, height, seed), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def painted(number: int, width: int = WIDTH, height: int = HEIGHT, seed: int = 0) -> np.ndarray:
    """A picture that shows its number and moves with it."""
    rng = np.random.default_rng(seed)
    base = rng.integers(40, 200, 3)
    y, x = np.mgrid[0:height, 0:width]
    wave = 40 * np.sin(x / (9 + seed % 5) + number / 3)[..., None] * [1, -1, 0.5]
    picture = np.clip(base + wave + (y * 40 / height)[..., None], 0, 255).astype(np.uint8)
    bar = width // _BITS
    for bit in range(_BITS):
        picture[: height // 4, bit * bar : (bit + 1) * bar] = 255 * (number >> bit & 1)
    return picture


def number_of(rgb: np.ndarray) -> int:
    """Reads the number off a picture."""
    height, width = rgb.shape[:2]
    bar = width // _BITS
    return sum(
        (rgb[height // 16 : height // 6, b * bar + bar // 4 : b * bar + 3 * bar // 4].mean() > 127)
        << b
        for b in range(_BITS)
    )
