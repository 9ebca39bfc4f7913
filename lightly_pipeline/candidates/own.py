"""What a selection asks of embeddings that come from a file of the user's instead of tables.

Plain data and a protocol; who reads such a file is `inputs.vectors`.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class OwnMatch(NamedTuple):
    """Where the frames of a video are in a file of vectors.

    Attributes:
        places: Shape (R,), int64: row of the file for each frame, -1 where it has none.
        masked: Shape (R,), bool: frames that the file says to ignore.
        selected: Shape (R,), bool: frames that the file says to choose first.
    """

    places: NDArray[np.int64]
    masked: NDArray[np.bool_]
    selected: NDArray[np.bool_]


class OwnVectors(Protocol):
    """Vectors by frame, read and checked.

    Attributes:
        dim: Length of a vector.
        embedding_id: Names their content: vectors are comparable exactly when they share it.
    """

    dim: int
    embedding_id: str

    def match(self, video: str, n_frames: int, indices: NDArray[np.int64]) -> OwnMatch:
        """Returns where frames are.

        Args:
            video: Path of their video relative to the INPUT root.
            n_frames: Of the whole video, which their names depend on.
            indices: Shape (R,): their numbers.
        """
        ...

    def read_into(self, places: NDArray[np.int64], target: NDArray[np.float32]) -> None:
        """Fills `target`, shape (len(places), dim) and C-contiguous, with rows of the file."""
        ...


@dataclass(frozen=True, slots=True)
class OwnPart:
    """The vectors of one video's frames.

    Attributes:
        vectors: All of the file.
        places: Shape (R,), int64: row of the file for each frame of the video that may be chosen.
        selected: Shape (R,), bool: which of them the file says to choose first.
        missing: Shape (M,), int64: frames that might be chosen if they had a vector.
        n_masked: How many the file says to ignore.
    """

    vectors: OwnVectors
    places: NDArray[np.int64]
    selected: NDArray[np.bool_]
    missing: NDArray[np.int64]
    n_masked: int
