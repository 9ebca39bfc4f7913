"""Videos that play long and hold few pictures, of many kinds, for cutting into segments.

A seed decides over codec, container, groups of pictures, times and damage. A few pictures a second
make a hundred seconds cheap.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from lightly_pipeline_tests.support.videos import painted

FPS, N_FRAMES = 3, 330
_SIZE = (96, 64)
_TICK = Fraction(1, 10 * FPS)
_X265 = "log-level=none:pools=none:frame-threads=1"
CODECS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "h264": ("libx264", "yuv420p", ("mp4", "mp4", "mkv", "mov", "ts", "frag.mp4")),
    "h264-422": ("libx264", "yuv422p", ("mp4", "mkv")),
    "h264-444": ("libx264", "yuv444p", ("mp4",)),
    "h265": ("libx265", "yuv420p", ("mp4", "mp4", "mkv", "mov", "ts")),
    "h265-10": ("libx265", "yuv420p10le", ("mp4", "mkv")),
    "av1": ("libsvtav1", "yuv420p", ("mp4", "webm")),
    "vp9": ("libvpx-vp9", "yuv420p", ("mp4", "webm")),
    "vp8": ("libvpx", "yuv420p", ("webm",)),
    "prores": ("prores_ks", "yuv422p10le", ("mov",)),
    "mpeg4": ("mpeg4", "yuv420p", ("mp4", "avi")),
    "mpeg2": ("mpeg2video", "yuv420p", ("ts", "mov")),
}
DAMAGES = ("bytes", "hole", "zeros", "lost packets", "cut off", "swapped", "cut at a key frame")


@dataclass(frozen=True)
class LongStream:
    """A video by its seed.

    Attributes:
        seed: Decides over all others.
        codec: Of `CODECS`.
        container: Ending of its file.
        gop: Pictures of the longest group.
        is_open: Whether groups of pictures are open.
        n_between: Pictures that refer to later ones, between two that do not.
        forced: Places of further key frames, at no regular distance.
        times: "regular", "variable", "late" (not from 0 on), "hidden" (the first pictures are
            before 0, where containers hide them).
        shows: "bars", "flat" pictures with rows of one colour, or "still" ones.
        damage: Of `DAMAGES`, or "none".
    """

    seed: int
    codec: str
    container: str
    gop: int
    is_open: bool
    n_between: int
    forced: frozenset[int]
    times: str
    shows: str
    damage: str

    def make(self, folder: Path) -> Path:
        """Writes the file and returns its path."""
        path = folder / f"{self.seed}-{self.codec}.{self.container}"
        muxer = "mp4" if self.container == "frag.mp4" else None
        options = {"movflags": "frag_keyframe+empty_moov"} if muxer else {}
        with av.open(str(path), "w", format=muxer, options=options) as container:
            encoder, pixel_format, _ = CODECS[self.codec]
            stream = container.add_stream(encoder, rate=FPS, options=self._options(encoder))
            stream.width, stream.height, stream.pix_fmt = *_SIZE, pixel_format
            stream.codec_context.time_base = _TICK
            packets = [p for frame in [*self._frames(), None] for p in stream.encode(frame)]
            for packet in self._spoiled(packets):
                container.mux(packet)
        self._spoil(path)
        return path

    def _options(self, encoder: str) -> dict[str, str]:
        open_gop = int(self.is_open)
        common = {"threads": "1", "g": str(self.gop)}
        if encoder == "libx264":
            params = f"log-level=none:open-gop={open_gop}"
            return {
                **common,
                "preset": "ultrafast",
                "bf": str(self.n_between),
                "forced-idr": "1",
                "mbtree": "0",
                "x264-params": params,
            }
        if encoder == "libx265":
            params = f"{_X265}:keyint={self.gop}:open-gop={open_gop}:bframes={self.n_between}"
            return {"preset": "ultrafast", "forced-idr": "1", "x265-params": params}
        if encoder == "libsvtav1":
            return {"preset": "12", "g": str(self.gop)}
        if encoder.startswith("libvpx"):
            return {**common, "deadline": "realtime", "cpu-used": "8"}
        if encoder == "prores_ks":
            return {"threads": "1"}
        return {**common, "bf": str(min(self.n_between, 2))}

    def _frames(self) -> Iterator[av.VideoFrame]:
        rng = random.Random(self.seed)
        time = {"late": 100, "hidden": -130}.get(self.times, 0)
        for number in range(N_FRAMES):
            frame = av.VideoFrame.from_ndarray(self._picture(number), format="rgb24")
            frame.pts, frame.time_base = time, _TICK
            if number in self.forced:
                frame.pict_type = av.video.frame.PictureType.I
            time += rng.randint(3, 17) if self.times == "variable" else 10
            yield frame

    def _picture(self, number: int) -> Any:
        if self.shows == "still":
            number -= number % 40
        picture = painted(number, *_SIZE, self.seed).copy()
        if self.shows == "flat":
            picture[20 + number // 30 :] = self.seed % 200
        return picture

    def _spoiled(self, packets: list[Any]) -> list[Any]:
        rng = random.Random(self.seed)
        if self.damage == "lost packets":
            return [p for p in packets if rng.random() > 0.005]
        if self.damage == "swapped":
            place = rng.randrange(len(packets) - 1)
            a, b = packets[place], packets[place + 1]
            if not a.is_keyframe and not b.is_keyframe:
                packets[place : place + 2] = [_with(a, bytes(b)), _with(b, bytes(a))]
        if self.damage == "cut at a key frame":
            keys = [n for n, p in enumerate(packets) if p.is_keyframe]
            return packets[keys[min(1, len(keys) - 1)] :]
        return packets

    def _spoil(self, path: Path) -> None:
        rng = random.Random(self.seed)
        content = bytearray(path.read_bytes())
        at = rng.randrange(2000, len(content) - 2000)
        if self.damage == "bytes":
            for _ in range(rng.randint(1, 3)):
                content[rng.randrange(1000, len(content) - 1000)] ^= 1 << rng.randrange(8)
        elif self.damage == "hole":
            del content[at : at + rng.randint(1, 300)]
        elif self.damage == "zeros":
            content[at : at + 200] = bytes(200)
        elif self.damage == "cut off":
            del content[-rng.randrange(len(content) // 2) :]
        path.write_bytes(content)


def _with(packet: Any, content: bytes) -> Any:
    """Returns a packet with the times of another one."""
    changed = av.Packet(content)
    changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
    changed.stream = packet.stream
    return changed


def long_stream(seed: int) -> LongStream:
    """Returns the stream of a seed; every third one is damaged."""
    rng = random.Random(seed)
    codec = rng.choice(["h264", "h265", "h264", "h265", "av1", "vp9", *CODECS])
    gop = rng.choice([1, 4, 9, 20, 20, 33, 60])
    n_forced = rng.choice([0, 0, 3, 10])
    return LongStream(
        seed=seed,
        codec=codec,
        container=rng.choice(CODECS[codec][2]),
        gop=gop,
        is_open=rng.random() < 0.4,
        n_between=rng.choice([0, 1, 2, 3]) if gop > 4 else 0,
        forced=frozenset(rng.sample(range(N_FRAMES), n_forced)),
        times=rng.choice(["regular", "regular", "variable", "late", "hidden"]),
        shows=rng.choice(["bars", "flat", "still"]),
        damage="none" if seed % 3 else rng.choice(DAMAGES),
    )
