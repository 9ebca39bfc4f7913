"""Videos with one trait each that breaks a naive reader, made from the recipes of `videos.py`.

A trait says which of the numbered pictures have to come out, in which order, and what is known of
their times. Damage and hostile files are the tests' own business.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from lightly_pipeline_tests.support.videos import (
    BY_NAME,
    FPS,
    X264,
    Pts,
    Recipe,
    add_stream,
    make_video,
    painted,
    pictures,
)

N = 60


@dataclass(frozen=True)
class Trait:
    """A video and what has to come out of it.

    Attributes:
        name: Of the file.
        build: Writes it.
        numbers: The painted numbers of its frames, in order.
        pts: Which frames have a time of their own, and whether it rises.
        rung: The rung that serves single frames in the middle; None where that varies.
    """

    name: str
    build: Callable[[Path], None]
    numbers: tuple[int, ...] = tuple(range(N))
    pts: Pts = "all"
    rung: str | None = None

    def make(self, folder: Path) -> Path:
        """Writes the file and returns its path."""
        path = folder / self.name
        if not path.exists():
            self.build(path)
        return path


def of(name: str, **changes: Any) -> Recipe:
    """The recipe of a pair, with pictures enough to have several groups."""
    return replace(BY_NAME[name], n_frames=N, **changes)


def h264(**changes: Any) -> Recipe:
    """The usual video of these traits."""
    return of("h264.mp4", **changes)


def _plain(recipe: Recipe) -> Callable[[Path], None]:
    def build(path: Path) -> None:
        make_video(path.parent, recipe, path.name)

    return build


def _x264(**changes: str) -> dict[str, str]:
    params = changes.pop("params", "")
    return {**X264, "x264-params": f"log-level=none{params}", **changes}


def encoded(recipe: Recipe) -> Iterator[Any]:
    """Yields the packets of a recipe's stream; the encoder's own headers are in them."""
    context = av.CodecContext.create(recipe.codec, "w")
    context.width, context.height = recipe.size
    context.pix_fmt = recipe.pixel_format
    context.time_base = Fraction(1, FPS)
    context.options = {"threads": "1", **recipe.options}
    for frame in pictures(recipe):
        yield from context.encode(frame)
    yield from context.encode(None)


def remux(
    source: Path,
    target: Path,
    *,
    shift_s: float = 0.0,
    keep: Callable[[Any], bool] = lambda packet: True,
    mux_options: dict[str, str] | None = None,
    muxer: str | None = None,
) -> None:
    """Copies the packets of a file to another container, moved in time."""
    with (
        av.open(str(source)) as reading,
        av.open(str(target), "w", format=muxer, options=mux_options or {}) as writing,
    ):
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for packet in reading.demux(video=0):
            if packet.dts is None or not keep(packet):
                continue
            shift = round(shift_s / packet.time_base)
            packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            packet.stream = stream
            writing.mux(packet)


def _cut_by_copy(recipe: Recipe) -> Callable[[Path], None]:
    """Packets from the key frame before, times from the cut on: an edit list hides the rest."""

    def build(path: Path) -> None:
        source = make_video(path.parent, recipe, f"{path.stem}-source{path.suffix}")
        remux(
            source,
            path,
            shift_s=-30 / FPS,
            keep=lambda packet: packet.pts * packet.time_base >= Fraction(22, FPS),
        )

    return build


def _moved(recipe: Recipe, seconds: float) -> Callable[[Path], None]:
    """All times are later, or earlier."""

    def build(path: Path) -> None:
        muxer = "mpegts" if path.suffix == ".mpg" else None
        suffix = ".ts" if muxer else path.suffix
        source = make_video(path.parent, recipe, f"{path.stem}-source{suffix}")
        remux(source, path, shift_s=seconds, muxer=muxer)

    return build


def irregular_pts(number: int) -> int:
    """Times, in thousandths of a second, of a variable frame rate."""
    return number * 40 + (number % 5) * 7 + (number // 20) * 500


def _variable_rate(recipe: Recipe) -> Callable[[Path], None]:
    def build(path: Path) -> None:
        with av.open(str(path), "w") as container:
            stream = add_stream(container, recipe)
            stream.codec_context.time_base = Fraction(1, 1000)
            for number, frame in enumerate(pictures(recipe)):
                frame.pts, frame.time_base = irregular_pts(number), Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    return build


def _size_change(codec: str, muxer: str) -> Callable[[Path], None]:
    """Three runs of 20 pictures, the middle one a quarter as large, in one stream."""
    sizes = ((160, 120), (80, 60), (160, 120))

    def build(path: Path) -> None:
        plain = replace(BY_NAME[codec], n_frames=20, options={**BY_NAME[codec].options, "bf": "0"})
        with av.open(str(path), "w", format=muxer) as container:
            stream = add_stream(container, plain)
            for run, size in enumerate(sizes):
                recipe = replace(plain, size=size)
                for packet in _renumbered(recipe, range(20 * run, 20 * run + 20)):
                    packet.stream = stream
                    container.mux(packet)

    return build


def _renumbered(recipe: Recipe, numbers: Iterable[int]) -> Iterator[Any]:
    """Yields packets of pictures with these numbers, which are their pts, too."""
    context = av.CodecContext.create(recipe.codec, "w")
    context.width, context.height = recipe.size
    context.pix_fmt = recipe.pixel_format
    context.time_base = Fraction(1, FPS)
    context.options = {"threads": "1", **recipe.options}
    for number in numbers:
        rgb = painted(number, *recipe.size)
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        yield from context.encode(frame)
    yield from context.encode(None)


def _joined(path: Path) -> None:
    """Two transport streams one after the other: the times start again in the middle."""
    halves = []
    for half in range(2):
        part = path.with_name(f"{path.stem}-{half}.ts")
        with av.open(str(part), "w") as container:
            recipe = replace(h264(), n_frames=30)
            stream = add_stream(container, recipe)
            for number, frame in enumerate(pictures(replace(recipe, n_frames=N))):
                if number // 30 == half:
                    frame.pts = number % 30
                    container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        halves.append(part.read_bytes())
    path.write_bytes(b"".join(halves))


def _late_start(path: Path) -> None:
    """A transport stream cut in the middle of a group of pictures."""
    source = make_video(path.parent, h264(), f"{path.stem}-source.ts")
    with av.open(str(source)) as container:
        keys = [p.pos for p in container.demux(video=0) if p.is_keyframe and p.pos is not None]
    content = source.read_bytes()
    middle = (keys[1] + keys[2]) // 2 // 188 * 188
    # The tables that name the streams come first.
    path.write_bytes(content[: 3 * 188] + content[middle:])


def _repeated_fields(path: Path) -> None:
    """Pulldown: every other picture asks to be shown for three fields."""
    make_video(path.parent, of("mpeg2.mov"), path.name)
    content = bytearray(path.read_bytes())
    position, number = content.find(b"\x00\x00\x01\xb5"), 0
    while position >= 0:
        if content[position + 4] >> 4 == 8:
            number += 1
            if number % 2:
                # picture_coding_extension(): repeat_first_field needs progressive_frame.
                content[position + 7] |= 0x02
                content[position + 8] |= 0x80
        position = content.find(b"\x00\x00\x01\xb5", position + 4)
    path.write_bytes(content)


def _interlaced_mpeg2(path: Path) -> None:
    options = {"g": "12", "flags": "+ildct+ilme", "top": "1"}
    make_video(path.parent, Recipe(path.name, "mpeg2video", N, options=options))


def _cover_art(path: Path) -> None:
    """A still picture, larger than the film, is a video stream of its own."""
    source = make_video(path.parent, h264(), f"{path.stem}-source.mp4")
    with av.open(str(source)) as reading, av.open(str(path), "w") as writing:
        cover = writing.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 320, 240, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        stream = writing.add_stream_from_template(reading.streams.video[0])
        picture = av.VideoFrame.from_ndarray(np.zeros((240, 320, 3), np.uint8), format="rgb24")
        picture.pts = 0
        writing.mux(cover.encode(picture))
        writing.mux(cover.encode(None))
        for packet in reading.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                writing.mux(packet)


def _two_streams(path: Path) -> None:
    """A small stream first, then the one that the file names as its default."""
    small = replace(h264(), n_frames=30, size=(80, 60))
    with av.open(str(path), "w") as container:
        first, second = add_stream(container, small), add_stream(container, h264())
        first.disposition = av.stream.Disposition(0)
        second.disposition = av.stream.Disposition.default
        for stream, recipe in ((first, small), (second, h264())):
            for frame in pictures(recipe):
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))


def _with_sound(path: Path) -> None:
    """Half a second of sound in one piece between the pictures."""
    with av.open(str(path), "w") as container:
        stream = add_stream(container, h264())
        sound = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000 * 2), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
        for picture in pictures(h264()):
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def _late_stream(path: Path) -> None:
    """Sound begins late: after what opening looks at, and before the end, which it looks at too."""
    recipe = replace(BY_NAME["mpeg2.mpg"], n_frames=300, size=(80, 60))
    content = make_video(path.parent, recipe, path.name).read_bytes()
    pack = content.find(b"\x00\x00\x01\xba", len(content) * 3 // 4)
    first_of_ac3 = b"\x80\x00\x00" + b"\x80\x01\x00\x01" + b"\x0b\x77" + bytes(200)
    late = _pes(0xBD, first_of_ac3) + 6 * _pes(0xBE, b"\xff" * 60_000)
    path.write_bytes(content[:pack] + late + content[pack:])


def _pes(stream_id: int, body: bytes) -> bytes:
    """Returns a packet of an MPEG program stream."""
    return b"\x00\x00\x01" + bytes([stream_id]) + len(body).to_bytes(2, "big") + body


def _elementary(path: Path) -> None:
    """A bare MPEG-2 video stream under the name of a program stream."""
    recipe = of("mpeg2.mpg")
    with av.open(str(path), "w", format="mpeg2video") as container:
        stream = add_stream(container, recipe)
        for frame in pictures(recipe):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _renamed(source_name: str) -> Callable[[Path], None]:
    def build(path: Path) -> None:
        recipe = of(source_name)
        source = make_video(path.parent, recipe, f"{path.stem}-source.{source_name[-3:]}")
        path.write_bytes(source.read_bytes())

    return build


def _equal_times(path: Path) -> None:
    """Every third picture has the time of the one before."""
    recipe = of("vp9.webm")
    with av.open(str(path), "w") as container:
        stream = add_stream(container, recipe)
        for packet in encoded(recipe):
            number = packet.pts
            packet.pts = packet.dts = number - (number % 3 == 2)
            packet.stream = stream
            container.mux(packet)


_OPEN_265 = {"preset": "ultrafast", "x265-params": "log-level=none:keyint=12:open-gop=1:bframes=3"}
_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
_ONE_KEY_265 = {"preset": "ultrafast", "x265-params": "log-level=none:keyint=1000"}
_FRAGMENTED = {"mux_options": _FRAGMENTS}
_AFTER_CUT = tuple(range(30, N))
TRAITS = (
    Trait("edit-list.mp4", _cut_by_copy(h264()), _AFTER_CUT, rung="seek"),
    Trait("edit-list.mov", _cut_by_copy(h264()), _AFTER_CUT, rung="seek"),
    Trait("edit-list-h265.mov", _cut_by_copy(of("h265.mov")), _AFTER_CUT),
    Trait("edit-list-mpeg4.mp4", _cut_by_copy(of("mpeg4.mp4")), _AFTER_CUT),
    Trait("edit-list-prores.mov", _cut_by_copy(of("prores.mov")), _AFTER_CUT, rung="seek"),
    Trait("negative-pts.mp4", _moved(h264(), -0.4), tuple(range(10, N))),
    Trait("late-pts.mp4", _moved(h264(), 10.0), rung="seek"),
    Trait("late-pts.webm", _moved(of("vp9.webm"), 10.0), rung="seek"),
    Trait("fragmented.mp4", _plain(h264(**_FRAGMENTED)), rung="seek"),
    Trait("fragmented-h265.mp4", _plain(of("h265.mp4", **_FRAGMENTED)), rung="seek"),
    Trait("fragmented-av1.mp4", _plain(of("av1.mp4", **_FRAGMENTED)), rung="seek"),
    Trait("fragmented-vp9.mp4", _plain(of("vp9.mp4", **_FRAGMENTED)), rung="seek"),
    Trait("index-first.mp4", _plain(h264(mux_options={"movflags": "faststart"})), rung="seek"),
    Trait("variable-rate.mp4", _variable_rate(h264()), rung="seek"),
    Trait("variable-rate-h265.mov", _variable_rate(of("h265.mov")), rung="seek"),
    Trait("variable-rate.webm", _variable_rate(of("vp9.webm")), rung="seek"),
    Trait("variable-rate-vp8.webm", _variable_rate(of("vp8.webm")), rung="seek"),
    Trait("variable-rate-av1.webm", _variable_rate(of("av1.webm")), rung="seek"),
    Trait("equal-pts.webm", _equal_times, pts="backwards", rung="skip"),
    Trait("no-duration.webm", _plain(of("vp9.webm", mux_options={"live": "1"})), rung="seek"),
    Trait("size-change.mpg", _size_change("h264.mp4", "mpegts"), rung="skip"),
    Trait("size-change.webm", _size_change("vp9.webm", "webm"), rung="seek"),
    Trait("size-change-vp8.webm", _size_change("vp8.webm", "webm"), rung="seek"),
    Trait("transport-stream.mpg", _moved(h264(), 0.0), rung="skip"),
    Trait("transport-stream-h265.mpg", _moved(of("h265.mp4"), 0.0), rung="skip"),
    Trait("transport-stream-mpeg2.mpg", _moved(of("mpeg2.mpg"), 0.0), rung="skip"),
    Trait("joined.mpg", _joined, pts="backwards"),
    Trait("wrap.mpg", _moved(h264(), 95442.0), rung="skip"),
    Trait("late-start.mpg", _late_start, tuple(range(24, N)), rung="skip"),
    Trait("late-stream.mpg", _late_stream, tuple(range(300)), pts="backwards"),
    Trait("elementary.mpg", _elementary, rung="skip"),
    Trait("pulldown.mov", _repeated_fields, rung="seek"),
    Trait("interlaced.mp4", _plain(h264(options=_x264(bf="0", params=":tff=1"))), rung="seek"),
    Trait("interlaced.mpg", _interlaced_mpeg2, rung="skip"),
    Trait("cover-art.mp4", _cover_art, rung="seek"),
    Trait("two-streams.mp4", _two_streams, rung="seek"),
    Trait("with-sound.mp4", _with_sound, rung="seek"),
    Trait("mp4-in.avi", _renamed("h264.mp4"), rung="seek"),
    Trait("avi-in.mp4", _renamed("mpeg4.avi"), rung="seek"),
    Trait(
        "intra-refresh.mp4",
        _plain(h264(options=_x264(bf="0", params=":intra-refresh=1:keyint=12"))),
    ),
    Trait("open-gop.mp4", _plain(h264(options=_x264(bf="3", params=":open-gop=1")))),
    Trait("open-gop-h265.mp4", _plain(of("h265.mp4", options=_OPEN_265))),
    Trait(
        "open-gop-h265.hevc", _plain(of("h265.hevc", options=_OPEN_265)), pts="none", rung="skip"
    ),
    Trait("pyramid.mp4", _plain(h264(options=_x264(bf="3", params=":b-pyramid=normal:ref=4")))),
    Trait("one-key.mp4", _plain(h264(options=_x264(g="1000"))), rung="seek"),
    Trait("one-key-h265.mp4", _plain(of("h265.mp4", options=_ONE_KEY_265)), rung="seek"),
    Trait("all-keys.mp4", _plain(h264(options=_x264(g="1"))), rung="seek"),
    Trait("b-frames.avi", _plain(of("mpeg4.avi", options={"bf": "2"}))),
    Trait("10-bit.mp4", _plain(h264(pixel_format="yuv420p10le")), rung="seek"),
    Trait("10-bit-h265.mp4", _plain(of("h265.mp4", pixel_format="yuv420p10le")), rung="seek"),
    Trait("10-bit-av1.webm", _plain(of("av1.webm", pixel_format="yuv420p10le")), rung="seek"),
    Trait("444.mp4", _plain(h264(pixel_format="yuv444p")), rung="seek"),
    Trait("422-10-bit.mov", _plain(h264(pixel_format="yuv422p10le")), rung="seek"),
    Trait("odd-size.mp4", _plain(h264(pixel_format="yuv444p", size=(161, 121))), rung="seek"),
    Trait("odd-size.webm", _plain(of("vp9.webm", size=(161, 121))), rung="seek"),
)
TRAITS_BY_NAME = {trait.name: trait for trait in TRAITS}
