"""Rows of vectors in a file without a name, written in order and read in any.

They take no memory: a selection has them once, in its own matrix.
"""

import errno
import mmap
import tempfile

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.errors import LightlyPipelineError


class Spool:
    """A matrix of float32 on disk, in the folder for temporary files (TMPDIR).

    The file goes with the object, however the process ends.

    Args:
        dim: Length of a row.
    """

    def __init__(self, dim: int) -> None:
        self.dim, self.n_rows = dim, 0
        # Closed with the object.
        self._file = tempfile.TemporaryFile()  # noqa: SIM115

    def append(self, rows: NDArray[np.float32]) -> None:
        """Adds rows, shape (B, dim), C-contiguous.

        Raises:
            LightlyPipelineError: The disk is full.
        """
        try:
            self._file.write(rows.data)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise LightlyPipelineError(
                f"{tempfile.gettempdir()} has no room for {self.n_rows + len(rows)} embeddings of "
                f"{self.dim} numbers: set TMPDIR to a folder on a larger disk"
            ) from error
        self.n_rows += len(rows)

    def finish(self) -> None:
        """Says that all rows are there; they can be read from now on."""
        self._file.flush()

    def read_into(self, places: NDArray[np.int64], target: NDArray[np.float32]) -> None:
        """Fills `target`, shape (len(places), dim) and C-contiguous, with rows."""
        if not len(places):
            return
        # Mapped for this reading alone: pages that stayed would count as memory.
        content = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        rows = np.frombuffer(content, dtype=np.float32).reshape(self.n_rows, self.dim)
        first, last = int(places[0]), int(places[-1])
        if last - first + 1 == len(places) and (np.diff(places) == 1).all():
            target[:] = rows[first : last + 1]
        else:
            # In the mode "raise", NumPy would make the result twice.
            np.take(rows, places, axis=0, out=target, mode="clip")
