"""Room for the embeddings of all frames in one matrix: in memory, or on disk where they are many.

Makes the empty matrix, and tells the system how it is going to be read. The selection works on
either alike: it reads a block of rows when it needs it, some ten times over the whole matrix for
10,000 picks.
"""

import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.logs import logger_of

_logger = logger_of(__name__)
# Larger matrices go to disk: the rest of the machine's memory is for everything else.
_MEMORY_SHARE = 0.5
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def empty_matrix(n_rows: int, dim: int, *, on_disk: bool = False) -> NDArray[np.float32]:
    """Returns an uninitialised matrix of shape (n_rows, dim), float32, C-contiguous, writable.

    One larger than half of the machine's memory (of the container's, where it has a limit) is a
    memory map of a file in the folder for temporary files (TMPDIR). The file has no name and goes
    with the matrix, however the process ends.

    Args:
        n_rows: Rows.
        dim: Columns.
        on_disk: Use a file however small the matrix is.

    Raises:
        LightlyPipelineError: The disk has not enough room.
        OSError: Others took it meanwhile.
    """
    n_bytes = 4 * n_rows * dim
    if not n_bytes or (not on_disk and n_bytes <= _MEMORY_SHARE * _memory_bytes()):
        return np.empty((n_rows, dim), dtype=np.float32)
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        raise LightlyPipelineError(
            f"{n_rows} embeddings of {dim} numbers take {n_bytes / 1e9:.1f} GB in a file, and "
            f"{folder} has only {free / 1e9:.1f} GB left: set TMPDIR to a folder on a larger disk"
        )
    _logger.info("%d embeddings (%.1f GB) are kept in a file in %s", n_rows, n_bytes / 1e9, folder)
    with tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            # Takes the room now: writing to a map on a disk that became full kills the process.
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        return np.memmap(file, np.float32, "w+", shape=(n_rows, dim))


@contextmanager
def scattered_reads(matrix: NDArray[np.float32]) -> Iterator[None]:
    """Reads single rows of a memory-mapped matrix without those around them, where the system can.

    Otherwise it reads ahead some 30 rows for each.
    """
    base: Any = matrix
    while isinstance(base, np.ndarray):
        base = base.base
    if not isinstance(base, mmap.mmap) or not hasattr(mmap, "MADV_RANDOM"):
        yield
        return
    base.madvise(mmap.MADV_RANDOM)
    try:
        yield
    finally:
        base.madvise(mmap.MADV_NORMAL)


def _memory_bytes() -> int:
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(machine, int(_CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):
        return machine
