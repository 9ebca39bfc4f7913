"""The table of one video as one object: where it lies, and which version it must be of.

What the files look like is in `outcome.py`, `frames.py` and `embeddings.py`; what makes them is in
`build.py`.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.datasources import Datasource, StoredObject
from lightly_pipeline.errors import DatasourceError
from lightly_pipeline.layout import table_folder
from lightly_pipeline.tables import attempt, embeddings, outcome
from lightly_pipeline.tables.attempt import Attempt, LiveAttempt
from lightly_pipeline.tables.fingerprint import video_fingerprint
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline.video import FrameRow


@dataclass(frozen=True, slots=True)
class VideoTable:
    """The table of a video in one version.

    Attributes:
        store: The LIGHTLY datasource.
        folder: Where its files are.
        fingerprint: What an outcome must have to be of this version.
    """

    store: Datasource
    folder: str
    fingerprint: str

    def outcome(self) -> VideoOutcome | None:
        """Returns the outcome of this version, or None when there is none."""
        return outcome.read_outcome(self.store, self.folder, self.fingerprint)

    def failure(self) -> str | None:
        """Returns why the last attempt at this version failed, or None when none did."""
        return attempt.read_failure(self.store, self.folder, self.fingerprint)

    def begin_attempt(self) -> Attempt:
        """Leaves the marker of an attempt and returns it."""
        return attempt.begin_attempt(self.store, self.folder, self.fingerprint)

    def beating(self, begun: Attempt) -> AbstractContextManager[LiveAttempt]:
        """Says now and then, while the context lasts, that an attempt goes on."""
        return attempt.beating(self.store, self.folder, begun)

    def end_attempt(self, failure: str | None = None) -> None:
        """Says that an attempt ended without an outcome but alive."""
        attempt.end_attempt(self.store, self.folder, self.fingerprint, failure=failure)

    def abandon(self, error: BaseException) -> None:
        """Says that an attempt ended with an error, which its caller raises."""
        try:
            self.end_attempt(str(error) if isinstance(error, DatasourceError | OSError) else None)
        except (DatasourceError, OSError) as second:
            # The failure at hand matters more than its marker.
            error.add_note(f"the end of the attempt could not be stored: {second}")

    def complete(self, result: VideoOutcome) -> None:
        """Declares the table complete."""
        outcome.write_outcome(self.store, self.folder, result)

    def rows(self) -> list[FrameRow]:
        """Returns all rows in index order: of every frame, or of a sample."""
        from lightly_pipeline.tables import frames

        return frames.read_rows(self.store, self.folder)

    def columns(self, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Returns columns by name, each of shape (n_rows,), in index order."""
        from lightly_pipeline.tables import frames

        return frames.read_columns(self.store, self.folder, names)

    def read_embeddings_into(self, target: NDArray[np.float32]) -> None:
        """Fills `target`, shape (n_rows, dim) and C-contiguous, with all embeddings.

        Raises:
            DatasourceError: The file's shape is another, or it ends early.
        """
        embeddings.read_into(self.store, self.folder, target)

    def embeddings_at(
        self, rows: NDArray[np.int64], *, n_rows: int, dim: int
    ) -> NDArray[np.float32]:
        """Returns single embeddings, shape (len(rows), dim).

        Args:
            rows: Rows of the table, in any order.
            n_rows: Rows of the whole table.
            dim: Length of an embedding.

        Raises:
            DatasourceError: The file's shape is another, or it ends early.
        """
        return embeddings.read_rows(self.store, self.folder, (n_rows, dim), rows)


def video_table(store: Datasource, embedding_id: str, video: StoredObject) -> VideoTable:
    """Returns the table of a video in the version that was listed.

    Args:
        store: The LIGHTLY datasource.
        embedding_id: Id under which the tables are stored.
        video: The version.
    """
    return VideoTable(
        store, table_folder(embedding_id, video.path), video_fingerprint(video, embedding_id)
    )
