"""Vectors in a .npy file, (N, dim), and beside it their names: a .txt file, one a line."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.vectors.blocks import Block, Mistakes, as_float32
from lightly_pipeline.inputs.vectors.place import OPTION, Place

INDEX_ENDING = ".txt"
_BOM = b"\xef\xbb\xbf"
_BATCH_ROWS = 8192


class NpyFile:
    """A `VectorFile` in .npy; rows are counted from 0.

    Args:
        place: The file.

    Raises:
        LightlyPipelineError: It is none, of another shape, or there are no names beside it.
    """

    unknown: tuple[str, ...] = ()

    def __init__(self, place: Place) -> None:
        self._place, self._index = place, place.beside(INDEX_ENDING)
        self.location, self.mistakes = place.location, Mistakes()
        with place.open() as file:
            self._n_rows, self.dim, self._type = _header(file, self.location)
            self._header_bytes = file.tell()
        if self._index.store.stat(self._index.path) is None:
            raise LightlyPipelineError(
                f"{OPTION}: {self.location} needs {self._index.location} beside it, which does not "
                "exist: the name of a frame in each line, in the order of the rows"
            )

    def blocks(self) -> Iterator[Block]:
        """Yields all rows in order.

        Raises:
            LightlyPipelineError: It ends early, or has not as many rows as there are names.
        """
        with self._place.open() as file, self._index.open() as names:
            file.seek(self._header_bytes)
            for start in range(0, self._n_rows, _BATCH_ROWS):
                n_rows = min(_BATCH_ROWS, self._n_rows - start)
                content = _read(file, n_rows * self.dim * self._type.itemsize)
                if content is None:
                    raise LightlyPipelineError(
                        f"{self.location} ends before its {self._n_rows} rows"
                    )
                vectors = np.frombuffer(content, self._type).reshape(n_rows, self.dim)
                none = np.zeros(n_rows, dtype=bool)
                called = pa.array(self._names(names, start, n_rows), pa.string())
                yield Block(called, as_float32(vectors), none, none)
            if names.read().strip():
                raise LightlyPipelineError(
                    f"{self._index.location} has more names than the {self._n_rows} rows of "
                    f"{self.location}"
                )

    def where(self, row: int) -> str:
        """Returns the number of a row."""
        return f"row {row}"

    def key(self, number: int) -> str:
        """Returns the column of a number."""
        return f"column {number}"

    def _names(self, index: BinaryIO, start: int, n_rows: int) -> list[str]:
        names = []
        for row in range(start, start + n_rows):
            line = index.readline()
            if not row:
                line = line.removeprefix(_BOM)
            if not line.strip():
                raise LightlyPipelineError(
                    f"{self._index.location}: no name in line {row + 1}, though {self.location} "
                    f"has {self._n_rows} rows"
                )
            try:
                names.append(line.decode().rstrip("\r\n"))
            except UnicodeDecodeError:
                raise LightlyPipelineError(
                    f"{self._index.location}: line {row + 1} is no text in UTF-8: save the file as "
                    "such"
                ) from None
        return names


def _header(file: BinaryIO, location: str) -> tuple[int, int, np.dtype[Any]]:
    """Reads what a .npy file says of itself: rows, length of a row, type."""
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        version = np.lib.format.read_magic(file)
        shape, is_fortran, kind = read[version](file)
    except (ValueError, KeyError) as error:
        raise LightlyPipelineError(f"{location} is no .npy file: {error}") from None
    if len(shape) != 2 or not shape[1] or kind.kind not in "fiu" or is_fortran:
        order = ", in the order of columns" if is_fortran else ""
        raise LightlyPipelineError(
            f"{location} holds {kind} of shape {shape}{order}: a matrix of numbers with a row per "
            "frame is wanted, as np.save writes np.ascontiguousarray(vectors, np.float32)"
        )
    return shape[0], shape[1], kind


def _read(file: BinaryIO, n_bytes: int) -> bytes | None:
    """Returns so many bytes; None where the file ends before."""
    parts: list[bytes] = []
    while n_bytes:
        part = file.read(n_bytes)
        if not part:
            return None
        parts.append(part)
        n_bytes -= len(part)
    return b"".join(parts)
