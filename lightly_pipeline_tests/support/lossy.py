"""Videos that came over a network which loses packets, and what they were before.

A camera's stream is encoded here, then packets of its container, whole pictures, or bytes of
pictures are lost; the same seed loses the same ones.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av

from lightly_pipeline.video import FrameInput, FrameRow, open_video
from lightly_pipeline_tests.support.videos import Recipe, make_video

TS_PACKET, PS_PACK, _BLOCK = 188, 2048, 512
_HEADER_BYTES = 2048
N_FRAMES, _SIZE = 75, (320, 240)
# Program tables and the first picture arrive, else there is no video.
_KEPT_PACKETS = 40


def _camera(name: str, codec: str, lose: str, **options: str) -> "Camera":
    params = f"{codec.removeprefix('lib')}-params"
    given = {params: options.pop("params")} if "params" in options else {}
    recipe = Recipe(name, codec, N_FRAMES, size=_SIZE, options={**given, **options})
    return Camera(name, recipe, lose)


@dataclass(frozen=True)
class Camera:
    """A stream and the way its data gets lost.

    Attributes:
        name: Of the file; its ending says the container.
        recipe: How it is encoded.
        lose: "packets" of a transport stream, "packs" of a program stream, "blocks" of a file,
            whole "pictures", or "bytes" of pictures.
    """

    name: str
    recipe: Recipe
    lose: str

    def sent(self) -> bytes:
        """Returns the whole video."""
        return _encoded(self.name)

    def received(self, rate: float, seed: int) -> bytes:
        """Returns what is left of it.

        Args:
            rate: Share of what is lost: packets, packs, pictures; of "bytes", share of pictures
                with a damaged byte.
            seed: Of the random numbers.
        """
        return _WAYS[self.lose](self.sent(), rate, random.Random(seed))


_X264 = "keyint=25:log-level=none"
CAMERAS = {
    camera.name: camera
    for camera in (
        _camera("h264.ts", "libx264", "packets", params="keyint=25:bframes=2:slices=2"),
        _camera("h264-open.ts", "libx264", "packets", params="keyint=20:open-gop=1:bframes=3"),
        _camera("h264-refresh.ts", "libx264", "packets", params="keyint=25:intra-refresh=1"),
        _camera("h264-fields.ts", "libx264", "packets", params="keyint=25:tff=1", flags="+ildct"),
        _camera("h265.ts", "libx265", "packets", params=f"{_X264}:open-gop=0:bframes=3"),
        _camera("h265-open.ts", "libx265", "packets", params=f"{_X264}:open-gop=1:bframes=4"),
        _camera("mpeg2.ts", "mpeg2video", "packets", g="12", bf="2", b="1500k"),
        _camera("mpeg2-fields.ts", "mpeg2video", "packets", g="12", bf="2", flags="+ildct+ilme"),
        _camera("mpeg4.ts", "mpeg4", "packets", g="12", bf="2", b="1500k"),
        _camera("h264.mpg", "libx264", "packs", params="keyint=25:bframes=2:slices=4"),
        _camera("mpeg2.mpg", "mpeg2video", "packs", g="12", bf="2", b="1500k"),
        _camera("h264.mp4", "libx264", "pictures", params="keyint=25:bframes=2"),
        _camera("h264-baseline.mp4", "libx264", "pictures", params="keyint=25:bframes=0:ref=1"),
        _camera("h265.mp4", "libx265", "pictures", params=f"{_X264}:bframes=3"),
        _camera("vp9.webm", "libvpx-vp9", "blocks", g="25", deadline="realtime", b="800k"),
        _camera("vp9-bytes.webm", "libvpx-vp9", "bytes", g="25", deadline="realtime", b="800k"),
        _camera("av1.webm", "libsvtav1", "blocks", g="25", preset="12", crf="20"),
        _camera("av1.mp4", "libsvtav1", "blocks", g="25", preset="12", crf="20"),
        _camera("h264-bytes.mp4", "libx264", "bytes", params="keyint=25:bframes=2"),
    )
}


@cache
def _encoded(name: str) -> bytes:
    recipe = CAMERAS[name].recipe
    with TemporaryDirectory() as folder:
        return make_video(Path(folder), recipe).read_bytes()


def _without_parts(size: int, kept: int) -> Callable[[bytes, float, random.Random], bytes]:
    def lose(content: bytes, rate: float, rng: random.Random) -> bytes:
        starts = range(0, len(content), size)
        return b"".join(
            content[start : start + size]
            for start in starts
            if start < kept * size or rng.random() > rate
        )

    return lose


def _without_pictures(content: bytes, rate: float, rng: random.Random) -> bytes:
    packets = (p for n, p in enumerate(_packets(content)) if not n or rng.random() > rate)
    return _muxed(content, packets)


def _with_damaged_bytes(content: bytes, rate: float, rng: random.Random) -> bytes:
    def damaged() -> Iterator[Any]:
        for number, packet in enumerate(_packets(content)):
            if not number or rng.random() > rate:
                yield packet
                continue
            data = bytearray(bytes(packet))
            data[rng.randrange(len(data) // 3, len(data))] ^= 1 << rng.randrange(8)
            other = av.Packet(bytes(data))
            other.pts, other.dts, other.time_base = packet.pts, packet.dts, packet.time_base
            other.is_keyframe = packet.is_keyframe
            yield other

    return _muxed(content, damaged())


def _packets(content: bytes) -> Iterator[Any]:
    with av.open(BytesIO(content)) as container:
        yield from (p for p in container.demux(container.streams.video[0]) if p.size)


def _muxed(content: bytes, packets: Iterator[Any]) -> bytes:
    output = BytesIO()
    with av.open(BytesIO(content)) as source:
        muxer = "matroska" if "matroska" in source.format.name else "mp4"
        with av.open(output, "w", format=muxer) as container:
            stream = container.add_stream_from_template(source.streams.video[0])
            for packet in packets:
                packet.stream = stream
                container.mux(packet)
    return output.getvalue()


def _without_blocks(content: bytes, rate: float, rng: random.Random) -> bytes:
    """Wipes blocks of the file, but none of its header and index."""
    data = bytearray(content)
    for start in range(_HEADER_BYTES, len(content) - _HEADER_BYTES, _BLOCK):
        if rng.random() < rate:
            data[start : start + _BLOCK] = bytes(_BLOCK)
    return bytes(data)


_WAYS: dict[str, Callable[[bytes, float, random.Random], bytes]] = {
    "packets": _without_parts(TS_PACKET, _KEPT_PACKETS),
    "packs": _without_parts(PS_PACK, 4),
    "blocks": _without_blocks,
    "pictures": _without_pictures,
    "bytes": _with_damaged_bytes,
}


def indexed(content: bytes) -> list[FrameRow]:
    """Returns the rows of a pass."""
    with open_video(BytesIO(content)) as video:
        return [frame.row for frame in video.frames(FrameInput(64, 64))]


@cache
def pictures_sent(name: str) -> frozenset[int]:
    """Returns the checksums of all pictures of a camera's whole stream."""
    return frozenset(row.checksum for row in indexed(CAMERAS[name].sent()))
