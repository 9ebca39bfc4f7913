"""The embedding file of one video: a plain .npy array that grows while decoding goes on.

Writes batches of rows, and streams many videos' files into one matrix. Normalising and rounding
belong to the selection: the file holds what the encoder gave.
"""

from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.datasources import Datasource, read_file
from lightly_pipeline.errors import DamagedDocumentError

EMBEDDINGS_FILE = "embeddings.npy"
# A header of fixed length can be written again at the end, when the number of rows is known.
_HEADER_BYTES = 128


class EmbeddingWriter:
    """Appends float32 rows to an open, seekable file and completes the header on exit."""

    def __init__(self, file: BinaryIO, dim: int) -> None:
        self._file = file
        self._dim = dim
        self.n_rows = 0
        file.write(_header(0, dim))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._file.seek(0)
            self._file.write(_header(self.n_rows, self._dim))

    def append(self, embeddings: NDArray[np.float32]) -> None:
        """Adds rows of shape (B, dim), float32."""
        self._file.write(np.ascontiguousarray(embeddings, dtype="<f4").tobytes())
        self.n_rows += len(embeddings)


def read_into(store: Datasource, folder: str, target: NDArray[np.float32]) -> None:
    """Fills `target`, shape (n_frames, dim) and C-contiguous, from the file in `folder`.

    Raises:
        DamagedDocumentError: The file's shape is not that of `target`, or it ends early.
    """
    path = f"{folder}/{EMBEDDINGS_FILE}"

    def read(file: BinaryIO) -> None:
        _check_header(file, target.shape[0], target.shape[1], store.location(path))
        _read_exactly(file, memoryview(target.data).cast("B"), store.location(path))

    read_file(store, path, read)


def read_rows(
    store: Datasource, folder: str, shape: tuple[int, int], indices: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Returns single rows of the file in `folder`, shape (len(indices), dim).

    Args:
        store: The LIGHTLY datasource.
        folder: Of the table.
        shape: Of the whole file: frames and dim.
        indices: Rows that are wanted, in any order.

    Raises:
        DamagedDocumentError: The file's shape is another, or it ends early.
    """
    path = f"{folder}/{EMBEDDINGS_FILE}"
    rows = np.empty((len(indices), shape[1]), dtype=np.float32)

    def read(file: BinaryIO) -> None:
        _check_header(file, *shape, store.location(path))
        for place in np.argsort(indices, kind="stable"):
            file.seek(_HEADER_BYTES + int(indices[place]) * rows.itemsize * shape[1])
            _read_exactly(file, memoryview(rows[place].data).cast("B"), store.location(path))

    read_file(store, path, read)
    return rows


def _check_header(file: BinaryIO, n_rows: int, dim: int, location: str) -> None:
    if file.read(_HEADER_BYTES) != _header(n_rows, dim):
        raise DamagedDocumentError(
            f"{location} does not hold {n_rows} embeddings of {dim} numbers, as its outcome says: "
            "run `lightly-pipeline rebuild`, which has the next run make it again"
        )


def _read_exactly(file: BinaryIO, buffer: memoryview, location: str) -> None:
    done = 0
    while done < len(buffer):
        chunk = file.read(min(len(buffer) - done, 8 * 1024 * 1024))
        if not chunk:
            raise DamagedDocumentError(f"{location} ends after {done} of {len(buffer)} bytes")
        buffer[done : done + len(chunk)] = chunk
        done += len(chunk)


def _header(n_rows: int, dim: int) -> bytes:
    """Returns a version 1.0 .npy header of `_HEADER_BYTES` bytes (numpy.lib.format)."""
    description = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({n_rows}, {dim}), }}"
    text = description.ljust(_HEADER_BYTES - 11) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("ascii")
