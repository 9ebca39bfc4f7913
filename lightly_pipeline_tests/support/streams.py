"""Streams that recorders, editors and networks leave behind: cut, joined, packed, scrambled.

Each is made of the recipes of `videos.py`; single traits of whole files are in `traits.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from lightly_pipeline_tests.support.traits import encoded, remux
from lightly_pipeline_tests.support.videos import (
    BY_NAME,
    FPS,
    Recipe,
    add_stream,
    make_video,
    painted,
)

TS_PACKET = 188
# A picture that is not coded: FFmpeg takes it for the place of one that came packed with another.
_PLACEHOLDER = b"\x00\x00\x01\xb6\x50\x4f"
_USER_DATA = b"\x00\x00\x01\xb2"
_SOUND_RATE, _SOUND_FRAME = 48_000, 1152


def of(name: str, n_frames: int = 60, **changes: Any) -> Recipe:
    """The recipe of a pair, with pictures enough to have several groups."""
    return replace(BY_NAME[name], n_frames=n_frames, **changes)


def cut_at_key(
    source: Path, target: Path, nth: int, *, muxer: str | None = None, **mux_options: str
) -> Path:
    """Copies a file from its n-th key packet on, as recorders split streams.

    Without regard to what the pictures after it refer to.
    """
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        packets = [p for p in container.demux(stream) if p.dts is not None]
        keys = [n for n, p in enumerate(packets) if p.is_keyframe]
        first = packets[keys[min(nth, len(keys) - 1)]]
        earliest = min(p.pts for p in packets if p.dts >= first.dts)
        shift_s = -float(earliest * first.time_base) if nth else 0.0
        begin = first.dts
    remux(
        source,
        target,
        shift_s=shift_s,
        keep=lambda packet: packet.dts >= begin,
        mux_options=mux_options,
        muxer=muxer,
    )
    return target


def rewritten(source: Path, target: Path, change: Callable[[int, bytes], list[bytes]]) -> Path:
    """Copies a file with each packet replaced by any number of others, a frame apart."""
    with av.open(str(source)) as reading, av.open(str(target), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        contents = [bytes(packet) for packet in reading.demux(video=0) if packet.size]
        changed = [new for number, old in enumerate(contents) for new in change(number, old)]
        for number, content in enumerate(changed):
            packet = av.Packet(content)
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, FPS), stream
            packet.is_keyframe = content == contents[0] or number == 0
            writing.mux(packet)
    return target


def packed_bitstream(path: Path, n_frames: int = 60) -> Path:
    """MPEG-4 in AVI as DivX wrote it: two pictures in a packet, a placeholder in the next."""
    recipe = of("mpeg4.avi", n_frames, options={"bf": "1", "g": "12"})
    packets = [bytes(packet) for packet in encoded(recipe)]
    packets[0] = packets[0].replace(_USER_DATA, _USER_DATA + b"DivX503b1393p" + _USER_DATA, 1)
    kinds = [packet[packet.index(b"\x00\x00\x01\xb6") + 4] >> 6 for packet in packets]
    chunks: list[bytes] = []
    while packets:
        if len(packets) > 1 and kinds[1] == 2:
            chunks += [packets.pop(0) + packets.pop(0), _PLACEHOLDER]
            del kinds[:2]
        else:
            chunks.append(packets.pop(0))
            del kinds[0]
    with av.open(str(path), "w", format="avi") as container:
        stream = add_stream(container, recipe)
        for number, chunk in enumerate(chunks):
            packet = av.Packet(chunk)
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, FPS), stream
            container.mux(packet)
    return path


@dataclass(frozen=True)
class Part:
    """A part of a joined transport stream.

    Attributes:
        pid: Of its first stream.
        version: Of its tables.
        program: Number of its programme.
        streams: "v" and "a" in the order of the tables; a second "v" is another camera.
        codec: Recipe of its pictures.
    """

    pid: int = 256
    version: int = 0
    program: int = 1
    streams: str = "v"
    codec: str = "mpeg2.mpg"


def transport_stream(path: Path, parts: Sequence[Part], n_frames: int) -> Path:
    """Joins parts of `n_frames` each; the pictures are numbered through, times go on."""
    content = b""
    for place, part in enumerate(parts):
        piece = path.with_name(f"{path.stem}-{place}.ts")
        options = {
            "mpegts_start_pid": str(part.pid),
            "tables_version": str(part.version),
            "mpegts_service_id": str(part.program),
            "output_ts_offset": str(place * n_frames / FPS),
        }
        _write_part(piece, part, options, place * n_frames, n_frames)
        content += piece.read_bytes()
    path.write_bytes(content)
    return path


def _write_part(path: Path, part: Part, options: dict[str, str], first: int, n_frames: int) -> None:
    recipe = BY_NAME[part.codec]
    with av.open(str(path), "w", format="mpegts", options=options) as container:
        streams = [
            add_stream(container, recipe)
            if kind == "v"
            else container.add_stream("mp2", rate=_SOUND_RATE)
            for kind in part.streams
        ]
        n_sounds = 0
        for number in range(n_frames):
            for stream in streams:
                if stream.type == "video":
                    rgb = painted(first + number, *recipe.size)
                    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
                    frame.pts, frame.time_base = number, Fraction(1, FPS)
                    container.mux(stream.encode(frame))
            while n_sounds * _SOUND_FRAME / _SOUND_RATE < number / FPS:
                for stream in streams:
                    if stream.type == "audio":
                        container.mux(stream.encode(_sound(n_sounds)))
                n_sounds += 1
        for stream in streams:
            container.mux(stream.encode(None))


def _sound(number: int) -> av.AudioFrame:
    silence = np.zeros((1, _SOUND_FRAME), np.int16)
    frame = av.AudioFrame.from_ndarray(silence, "s16", "mono")
    frame.sample_rate, frame.pts = _SOUND_RATE, number * _SOUND_FRAME
    frame.time_base = Fraction(1, _SOUND_RATE)
    return frame


def scrambled(content: bytes) -> bytes:
    """Returns a transport stream whose streams, not its tables, are scrambled."""
    changed = bytearray(content)
    noise = np.random.default_rng(0).integers(0, 256, TS_PACKET, dtype=np.uint8).tobytes()
    for start in range(0, len(changed) - TS_PACKET + 1, TS_PACKET):
        pid = (changed[start + 1] & 0x1F) << 8 | changed[start + 2]
        if 256 <= pid < 0x1FFF:
            changed[start + 3] |= 0x80
            changed[start + 4 : start + TS_PACKET] = noise[4:]
    return bytes(changed)


def encrypted_mp4(path: Path, recipe: Recipe) -> Path:
    """Common encryption of an MP4, key unknown to whoever reads it."""
    options = {
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
        "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
    }
    return make_video(path.parent, replace(recipe, mux_options=options), path.name)
