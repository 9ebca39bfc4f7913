"""What a strategy is made from: its entry in the configuration, and the rows that take part."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.config import SelectionInput, SelectionStrategy
from lightly_pipeline.progress import Progress
from lightly_pipeline.selection.columns import Columns
from lightly_pipeline.selection.vectors.grid import GridEmbeddings
from lightly_pipeline.selection.vectors.parts import Parts


@dataclass(frozen=True, slots=True)
class Participants:
    """The rows that take part in a selection: candidates and preselected ones.

    Attributes:
        rows: Shape (n,), int64: their numbers among all rows.
        embeddings: Theirs only.
        columns: What strategies read, for all rows.
        objects: Of these rows, by task.
        normalize: Whether the embeddings were brought to unit length, and queries are to be.
        progress: Called with the number of rows done where one is looked at after the other.
    """

    rows: NDArray[np.int64]
    embeddings: GridEmbeddings
    columns: Columns
    objects: Mapping[str, Parts]
    normalize: bool
    progress: Progress


@dataclass(frozen=True, slots=True)
class StrategyTask:
    """One strategy that is to be made.

    Attributes:
        label: How it is called to the user, such as "WEIGHTS of METADATA lightly.snr".
        source: Its input.
        options: Its options.
        among: The rows that take part.
    """

    label: str
    source: SelectionInput
    options: SelectionStrategy
    among: Participants

    @property
    def parts(self) -> Parts:
        """What is compared of each row: its objects with a task, else the row itself."""
        if self.source.task:
            return self.among.objects[self.source.task]
        return Parts(self.among.embeddings)

    @property
    def numbers(self) -> NDArray[np.float64]:
        """The input as a number per row that takes part, shape (n,)."""
        return self.among.columns.numbers(self.source)[self.among.rows]
