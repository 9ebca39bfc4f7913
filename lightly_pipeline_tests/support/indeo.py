"""Indeo videos, written bit by bit: no encoder of Indeo exists.

Each writes only what its format cannot do without: intra pictures that show their number as ten
bars (as in `videos.py`), black or white over the whole height, on plain grey chroma.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av

from lightly_pipeline_tests.support.videos import FPS, HEIGHT, WIDTH

N_BARS = 10
BAR = WIDTH // N_BARS


class BitWriter:
    """Collects bits, the first in the lowest bit of a byte, as both formats read them."""

    def __init__(self) -> None:
        self._bits: list[int] = []

    def number(self, value: int, n_bits: int) -> None:
        """Appends a number, its lowest bit first."""
        self._bits += [value >> bit & 1 for bit in range(n_bits)]

    def code(self, value: int, n_bits: int) -> None:
        """Appends a code word, its highest bit first."""
        self._bits += [value >> bit & 1 for bit in reversed(range(n_bits))]

    def align(self) -> None:
        """Fills the byte."""
        self._bits += [0] * (-len(self._bits) % 8)

    def bytes(self) -> bytes:
        """Returns all bits as bytes."""
        self.align()
        bits = self._bits
        return bytes(
            sum(bit << place for place, bit in enumerate(bits[start : start + 8]))
            for start in range(0, len(bits), 8)
        )


def indeo2_picture(number: int) -> bytes:
    """An intra picture of Indeo 2: a first line of values, then lines of differences."""
    header = bytearray(48)
    header[18] = 1
    bits = BitWriter()
    for line in range(HEIGHT):
        # Two code words stand for two pixels 4 brighter and 4 darker, first than grey, then than
        # the line above; after some lines nothing changes any more.
        if line < 16:
            for bar in range(N_BARS):
                for _ in range(BAR // 2):
                    bits.code(0 if number >> bar & 1 else 1, 3)
        else:
            _same_pixels(bits, WIDTH)
    for _ in range(2 * HEIGHT // 4):
        _same_pixels(bits, WIDTH // 4)
    return bytes(header) + bits.bytes()


def _same_pixels(bits: BitWriter, n_pixels: int) -> None:
    """Appends runs of 32, 8 and 2 pixels that are grey, or as in the line above."""
    for code, n_bits, length in ((0x1ED, 9, 32), (0x15, 5, 8), (0x02, 3, 2)):
        for _ in range(n_pixels // length):
            bits.code(code, n_bits)
        n_pixels %= length


def indeo5_picture(number: int) -> bytes:
    """An intra picture of Indeo 5: one band a plane, one tile a band, two blocks a bar."""
    bits = BitWriter()
    bits.number(0x1F, 5)
    bits.number(0, 3)  # intra
    bits.number(number & 0xFF, 8)
    _indeo5_sequence_header(bits)
    bits.number(0, 8)  # nothing of the picture's own: default code book of macroblocks
    bits.number(0, 3)
    bits.align()
    columns = [number >> (x // BAR) & 1 for x in range(0, WIDTH, 16)]
    _indeo5_band(bits, [columns] * -(-HEIGHT // 16), blocks=4)
    for _ in range(2):
        _indeo5_band(bits, [[None] * -(-WIDTH // 4 // 4)] * -(-HEIGHT // 4 // 4), blocks=1)
    return bits.bytes()


def _indeo5_sequence_header(bits: BitWriter) -> None:
    bits.number(0, 8)
    bits.number(0, 2)  # one band of luma
    bits.number(0, 1)  # one of chroma
    bits.number(15, 4)  # size follows
    bits.number(HEIGHT, 13)
    bits.number(WIDTH, 13)
    for block_size in (8, 4):
        bits.number(0, 1)  # whole pixels
        bits.number(0 if block_size == 8 else 1, 1)  # macroblocks of 16 x 16, of 4 x 4
        bits.number(0 if block_size == 8 else 1, 1)
        bits.number(0, 1)
        bits.number(0, 2)
    bits.align()
    bits.number(0, 23)
    bits.number(0, 1)
    bits.align()


_ESCAPE, _END = 2, 5
_STEP = 120


def _indeo5_band(bits: BitWriter, rows: list[list[int | None]], *, blocks: int) -> None:
    """Appends a plane: macroblocks that are dark, bright or, where None, plain grey."""
    bits.number(0xC0, 8)  # table of runs and code book follow
    bits.number(0, 3)
    bits.number(7, 3)  # code book: one row of 8 bit words
    bits.number(1, 4)
    bits.number(8, 4)
    bits.number(0, 1)
    bits.number(0, 5)  # finest quantizer
    bits.align()
    # Levels are coded as differences from block to block; only a change needs a coded block.
    changes = _changes([value for row in rows for value in row])
    tile = BitWriter()
    for change in changes:
        tile.number(0, 1)
        tile.number(1 if change else 0, blocks)
    tile.align()
    for change in changes:
        if change:
            for symbol in (_ESCAPE, 0, *_escaped(change * _STEP), _END):
                tile.code(symbol, 8)
    content = tile.bytes()
    bits.number(0, 1)  # the tile is not empty
    bits.number(1, 1)  # its size, with that of this header of five bytes
    bits.number(255, 8)
    bits.number(len(content) + 5, 24)
    bits.align()
    for byte in content:
        bits.number(byte, 8)


def _changes(values: Iterable[int | None]) -> list[int]:
    """Returns the difference of each level (dark -1, grey 0, bright 1) from the one before."""
    levels = [0 if value is None else 2 * value - 1 for value in values]
    return [level - before for level, before in zip(levels, [0, *levels], strict=False)]


def _escaped(value: int) -> tuple[int, int]:
    """Returns the low and high symbol of an escaped coefficient."""
    folded = 2 * value - 1 if value > 0 else -2 * value
    return folded & 63, folded >> 6


PICTURES: dict[str, Callable[[int], bytes]] = {"indeo2": indeo2_picture, "indeo5": indeo5_picture}


def make_indeo(path: Path, codec: str, n_frames: int) -> Path:
    """Writes an AVI file of numbered pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_mux_stream(codec, rate=FPS, width=WIDTH, height=HEIGHT)
        stream.time_base = Fraction(1, FPS)
        for number in range(n_frames):
            packet = av.Packet(PICTURES[codec](number))
            packet.pts = packet.dts = number
            packet.time_base = Fraction(1, FPS)
            packet.is_keyframe = True
            packet.stream = stream
            container.mux(packet)
    return path
