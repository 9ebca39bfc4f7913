"""Videos for tests, made with PyAV's own encoders and described as data.

Every picture carries its number as ten black or white bars at the top, so that a decoded frame
tells which one it is. One recipe per container and codec; what else a file can be like is in
`traits.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np

WIDTH, HEIGHT, FPS = 160, 120, 25
_BITS = 10

Pts = Literal["all", "some", "none", "backwards"]


@dataclass(frozen=True)
class Recipe:
    """How a test video is made, and what is known about it.

    Attributes:
        name: Of the file.
        codec: The encoder.
        n_frames: Pictures that go in and come out.
        pixel_format: Of the coded pictures.
        size: Width and height.
        options: Of the encoder.
        mux_options: Of the container.
        pts: Which frames have a time of their own, and whether it rises.
        decoder: That has to read it; the encoder's name if None.
    """

    name: str
    codec: str
    n_frames: int = 40
    pixel_format: str = "yuv420p"
    size: tuple[int, int] = (WIDTH, HEIGHT)
    options: dict[str, str] = field(default_factory=dict)
    mux_options: dict[str, str] = field(default_factory=dict)
    pts: Pts = "all"
    decoder: str | None = None


X264 = {"preset": "ultrafast", "g": "12", "bf": "2", "x264-params": "log-level=none"}
X265 = {"preset": "ultrafast", "x265-params": "log-level=none:keyint=12"}
_GOP = {"g": "12"}
_VPX = {"deadline": "realtime", "cpu-used": "8", "g": "12"}
_H26X_SIZE = (176, 144)
_EXOTIC = 20

# By the name that the files carry: encoder, then whatever differs from a plain recipe.
CODECS: dict[str, tuple[str, dict[str, Any]]] = {
    "h264": ("libx264", {"options": X264, "decoder": "h264"}),
    "h265": ("libx265", {"options": X265, "decoder": "hevc"}),
    "av1": ("libsvtav1", {"options": {"preset": "12", "g": "12"}, "decoder": "libdav1d"}),
    "vp8": ("libvpx", {"options": _VPX, "decoder": "vp8"}),
    "vp9": ("libvpx-vp9", {"options": _VPX, "decoder": "vp9"}),
    "mpeg1": ("mpeg1video", {"options": _GOP}),
    "mpeg2": ("mpeg2video", {"options": {"g": "12", "bf": "2"}}),
    "mpeg4": ("mpeg4", {"options": _GOP}),
    "mjpeg": ("mjpeg", {"pixel_format": "yuvj420p"}),
    "prores": ("prores_ks", {"pixel_format": "yuv422p10le", "decoder": "prores"}),
    # Its encoder tries every number of strips up to the largest, and is slow enough with one.
    "cinepak": (
        "cinepak",
        {"pixel_format": "rgb24", "options": {"min_strips": "3", "max_strips": "3"}},
    ),
    "qtrle": ("qtrle", {"pixel_format": "rgb24"}),
    "qtrle-alpha": ("qtrle", {"pixel_format": "argb", "n_frames": _EXOTIC}),
    "ffv1": ("ffv1", {}),
    "huffyuv": ("huffyuv", {"pixel_format": "yuv422p"}),
    "raw": ("rawvideo", {"n_frames": _EXOTIC}),
    "raw-rgb": ("rawvideo", {"pixel_format": "bgr24", "n_frames": _EXOTIC}),
    "raw-uyvy": ("rawvideo", {"pixel_format": "uyvy422", "n_frames": _EXOTIC}),
    "msmpeg4": ("msmpeg4", {"options": _GOP, "n_frames": _EXOTIC}),
    "msmpeg4v2": ("msmpeg4v2", {"options": _GOP, "n_frames": _EXOTIC}),
    "wmv1": ("wmv1", {"n_frames": _EXOTIC}),
    "wmv2": ("wmv2", {"n_frames": _EXOTIC}),
    "flv1": ("flv", {"n_frames": _EXOTIC}),
    "h261": ("h261", {"size": _H26X_SIZE, "n_frames": _EXOTIC}),
    "h263": ("h263", {"options": _GOP, "size": _H26X_SIZE, "n_frames": _EXOTIC}),
    "h263p": (
        "h263p",
        {"options": _GOP, "size": _H26X_SIZE, "n_frames": _EXOTIC, "decoder": "h263"},
    ),
    "ljpeg": ("ljpeg", {"pixel_format": "yuvj420p", "n_frames": _EXOTIC, "decoder": "mjpeg"}),
    "ffvhuff": ("ffvhuff", {"n_frames": _EXOTIC}),
    "utvideo": ("utvideo", {"n_frames": _EXOTIC}),
    "magicyuv": ("magicyuv", {"n_frames": _EXOTIC}),
    "v210": ("v210", {"pixel_format": "yuv422p10le", "n_frames": _EXOTIC}),
    "dnxhd": (
        "dnxhd",
        {
            "options": {"profile": "dnxhr_lb"},
            "pixel_format": "yuv422p",
            "size": (256, 128),
            "n_frames": _EXOTIC,
        },
    ),
    "cineform": ("cfhd", {"pixel_format": "yuv422p10le", "n_frames": _EXOTIC}),
    "dv": ("dvvideo", {"size": (720, 576), "n_frames": 8}),
    "snow": ("snow", {"n_frames": _EXOTIC}),
    "svq1": ("svq1", {"pixel_format": "yuv410p", "n_frames": _EXOTIC}),
    "rpza": ("rpza", {"pixel_format": "rgb555", "n_frames": _EXOTIC}),
    "smc": ("smc", {"pixel_format": "pal8", "n_frames": _EXOTIC}),
    "msrle": ("msrle", {"pixel_format": "pal8", "n_frames": _EXOTIC}),
    "msvideo1": ("msvideo1", {"pixel_format": "rgb555le", "n_frames": _EXOTIC}),
    "zmbv": ("zmbv", {"pixel_format": "bgr0", "n_frames": _EXOTIC}),
    "zlib": ("zlib", {"pixel_format": "bgr24", "n_frames": _EXOTIC}),
    "flashsv": ("flashsv", {"pixel_format": "bgr24", "n_frames": _EXOTIC}),
    "asv1": ("asv1", {"n_frames": _EXOTIC}),
    "asv2": ("asv2", {"n_frames": _EXOTIC}),
    "amv": ("amv", {"pixel_format": "yuvj420p", "size": _H26X_SIZE, "n_frames": _EXOTIC}),
}
PAIRS: dict[str, str] = {
    "mp4": "h264 h265 av1 vp9 mpeg1 mpeg2 mpeg4 mjpeg ffv1",
    "m4v": "h264 h265 av1 vp9 mpeg1 mpeg2 mpeg4 mjpeg ffv1",
    "mov": (
        "h264 h265 mpeg1 mpeg2 mpeg4 mjpeg prores cinepak qtrle qtrle-alpha raw-rgb raw-uyvy "
        "msmpeg4 h263 magicyuv v210 dnxhd cineform dv svq1 rpza smc"
    ),
    "avi": (
        "h264 av1 vp8 vp9 mpeg1 mpeg2 mpeg4 mjpeg cinepak ffv1 huffyuv raw raw-rgb raw-uyvy "
        "msmpeg4 msmpeg4v2 wmv1 wmv2 flv1 h261 h263 h263p ljpeg ffvhuff utvideo magicyuv v210 "
        "cineform dv snow svq1 rpza msrle msvideo1 zmbv zlib flashsv asv1 asv2 amv"
    ),
    "mpg": "h264 h265 mpeg1 mpeg2 mpeg4",
    "mpeg": "h264 h265 mpeg1 mpeg2 mpeg4",
    "webm": "av1 vp8 vp9",
    "hevc": "h265",
}
# FFmpeg takes .m4v for an iPod's, which knows two codecs.
_MUXERS = {".m4v": "mp4"}
# Containers without times, or with the order of decoding in their place.
_PTS: dict[str, Pts] = {
    "h264.avi": "backwards",
    "h264.mpg": "some",
    "h265.mpg": "some",
    "h264.mpeg": "some",
    "h265.mpeg": "some",
    "h265.hevc": "none",
}


def _pair(codec: str, extension: str) -> Recipe:
    encoder, differs = CODECS[codec]
    name = f"{codec}.{extension}"
    return Recipe(name, encoder, pts=_PTS.get(name, "all"), **{"decoder": encoder, **differs})


RECIPES = tuple(_pair(codec, ext) for ext, codecs in PAIRS.items() for codec in codecs.split())
BY_NAME = {recipe.name: recipe for recipe in RECIPES}
# What this process has encoded: most tests ask for the same few videos.
_made: dict[str, bytes] = {}


class VideoFolder(Mapping[str, Path]):
    """The videos of some recipes by name, each encoded when it is first asked for."""

    def __init__(self, folder: Path, recipes: Mapping[str, Recipe] = BY_NAME) -> None:
        self._folder, self._recipes = folder, recipes

    def __getitem__(self, name: str) -> Path:
        path = self._folder / name
        return path if path.exists() else make_video(self._folder, self._recipes[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._recipes)

    def __len__(self) -> int:
        return len(self._recipes)


def make_video(folder: Path, recipe: Recipe, name: str | None = None, seed: int = 0) -> Path:
    """Encodes a video; `seed` changes what it shows."""
    path = folder / (name or recipe.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    key = repr((replace(recipe, name=""), path.suffix, seed))
    if key not in _made:
        _encode(path, recipe, seed)
        _made[key] = path.read_bytes()
    else:
        path.write_bytes(_made[key])
    return path


def _encode(path: Path, recipe: Recipe, seed: int) -> None:
    muxer = _MUXERS.get(path.suffix)
    with av.open(str(path), "w", format=muxer, options=recipe.mux_options) as container:
        stream = add_stream(container, recipe)
        for frame in pictures(recipe, seed):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def add_stream(container: Any, recipe: Recipe) -> Any:
    """Adds the stream of a recipe to an output container."""
    # One thread: libvpx spins for a minute with more, and output is the same every time. Its
    # mbtree makes x264 read memory that it has not written, so that output depends on that.
    same = {"threads": "1", "mbtree": "0"} if recipe.codec == "libx264" else {"threads": "1"}
    stream = container.add_stream(recipe.codec, rate=FPS, options={**same, **recipe.options})
    stream.width, stream.height = recipe.size
    stream.pix_fmt = recipe.pixel_format
    return stream


def pictures(recipe: Recipe, seed: int = 0) -> Iterator[av.VideoFrame]:
    """Yields the numbered frames of a recipe, pts counting them."""
    for number in range(recipe.n_frames):
        rgb = painted(number, *recipe.size, seed)
        if recipe.pixel_format == "pal8":
            grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 4, axis=1)
            grey[:, 0] = 255
            frame = av.VideoFrame.from_ndarray((rgb[..., 1], grey), format="pal8")
        else:
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        yield frame


@lru_cache(512)
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
    picture.flags.writeable = False
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
