"""Objects of rows: the vectors that strategies with a `task` compare, many to a row.

Where objects come from is not known here. What strategies make of them is in `strategies/`, what
DIVERSITY compares of a row is in `vectors/parts.py`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.selection.vectors.grid import GridEmbeddings, prepare_embeddings
from lightly_pipeline.selection.vectors.matrix import empty_matrix
from lightly_pipeline.selection.vectors.parts import Parts, members

_BLOCK_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of one task, M of them in N rows.

    Attributes:
        vectors: Shape (M, d), float32: an embedding each, those of a row together, in the order of
            the rows. They are copied, into a file where they are a memory map; to spare that, pass
            what `prepare_embeddings` made of them.
        starts: Shape (N + 1,), int64: row i has the objects starts[i] to starts[i + 1].

    Example:
        >>> two, none, one = [[1.0, 0.0], [0.0, 1.0]], [], [[1.0, 1.0]]
        >>> objects = Objects(np.array([*two, *none, *one], np.float32), np.array([0, 2, 2, 3]))
        >>> objects.take(np.array([2, 1, 0])).starts.tolist()
        [0, 1, 1, 3]
    """

    vectors: NDArray[np.float32] | GridEmbeddings
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        """Returns N."""
        return len(self.starts) - 1

    def take(self, rows: NDArray[np.int64]) -> "Objects":
        """Returns the objects of some rows: a copy, in a file where these are in one."""
        numbers = members(self.starts, rows)
        starts = np.concatenate([[0], np.cumsum(np.diff(self.starts)[rows])]).astype(np.int64)
        if isinstance(self.vectors, GridEmbeddings):
            return Objects(self.vectors.take(numbers), starts)
        return Objects(_copied(self.vectors, numbers), starts)


def parts_of(objects: Objects, rows: NDArray[np.int64], *, normalize: bool) -> Parts:
    """Returns the objects of some rows on the grid.

    Args:
        objects: Of all rows.
        rows: Shape (n,), ascending.
        normalize: Bring objects to unit length; prepared ones stay as they are.

    Raises:
        LightlyPipelineError: Objects are NaN, infinite or zero, or of too different lengths.
    """
    is_part = len(rows) < len(objects)
    if isinstance(objects.vectors, GridEmbeddings):
        objects = objects.take(rows) if is_part else objects
        assert isinstance(objects.vectors, GridEmbeddings)
        return Parts(objects.vectors, objects.starts)
    if not is_part:
        rows = np.arange(len(objects))
    own = objects.take(rows)
    assert not isinstance(own.vectors, GridEmbeddings)
    return Parts(prepare_embeddings(own.vectors, normalize=normalize), own.starts)


def check(objects: Any, n_rows: int, name: str) -> Objects:
    """Returns objects whose arrays fit each other and the rows.

    Raises:
        LightlyPipelineError: They are no Objects, or of the wrong shape or kind.
    """
    if not isinstance(objects, Objects):
        raise LightlyPipelineError(
            f"{name}: objects of a task are given as Objects(vectors, starts), not as "
            f"{type(objects).__name__}"
        )
    vectors = objects.vectors
    if isinstance(vectors, GridEmbeddings):
        vectors = vectors.vectors
    if getattr(vectors, "ndim", 0) != 2 or vectors.dtype != np.float32 or not vectors.shape[1]:
        raise LightlyPipelineError(
            f"{name}: vectors of objects must be a float32 array of shape (objects, dimensions)"
        )
    starts = np.asarray(objects.starts)
    if starts.shape != (n_rows + 1,) or starts.dtype.kind not in "iu":
        raise LightlyPipelineError(
            f"{name}: starts of objects have shape {starts.shape}, but there are {n_rows} "
            f"embeddings: give whole numbers of shape ({n_rows + 1},), from 0 to the number of "
            "objects"
        )
    starts = starts.astype(np.int64)
    if starts[0] != 0 or starts[-1] != len(vectors) or (np.diff(starts) < 0).any():
        raise LightlyPipelineError(
            f"{name}: starts of objects must rise from 0 to the {len(vectors)} objects there are"
        )
    return Objects(objects.vectors, starts)


def _copied(vectors: NDArray[np.float32], numbers: NDArray[np.int64]) -> NDArray[np.float32]:
    """Returns a copy of some vectors, in a file where they are in one."""
    on_disk = isinstance(vectors, np.memmap)
    copy = empty_matrix(len(numbers), vectors.shape[1], on_disk=on_disk)
    for start in range(0, len(numbers), _BLOCK_ROWS):
        part = slice(start, start + _BLOCK_ROWS)
        copy[part] = vectors[numbers[part]]
    return copy
