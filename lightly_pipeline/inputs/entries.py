"""The entries of predictions of many frames as flat arrays, and the numbers per frame they give.

Every number of a frame depends on its own entries only, to the last bit: however many frames are
taken at once, they get the same. Formulas of single rows are in `scores.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.inputs import scores


class Entry(NamedTuple):
    """One entry of a prediction.

    Attributes:
        category: Position among the task's categories.
        probabilities: Of all categories, of sum 1; None where the category is certain.
        confidence: Its score.
        weight: Its share of the frame; 1 where entries are objects.
        keypoint_confidences: Of its keypoints.
    """

    category: int
    probabilities: list[float] | None
    confidence: float
    weight: float = 1.0
    keypoint_confidences: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Entries:
    """B entries of n frames, C categories.

    Attributes:
        n_frames: n.
        n_categories: C.
        frames: Shape (B,): the frame of each entry, from 0; ascending.
        categories: Shape (B,).
        confidences: Shape (B,).
        weights: Shape (B,).
        is_given: Shape (B,): which entries have probabilities.
        probabilities: Shape (is_given.sum(), C): theirs.
        keypoint_frames: Frame of each keypoint.
        keypoint_confidences: Score of each keypoint.
    """

    n_frames: int
    n_categories: int
    frames: NDArray[np.int64]
    categories: NDArray[np.int64]
    confidences: NDArray[np.float64]
    weights: NDArray[np.float64]
    is_given: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    keypoint_frames: NDArray[np.int64]
    keypoint_confidences: NDArray[np.float64]

    @classmethod
    def of(cls, by_frame: Sequence[Sequence[Entry]], n_categories: int) -> "Entries":
        """Returns the entries of frames, frame after frame."""
        every = list(chain.from_iterable(by_frame))
        frames = np.repeat(np.arange(len(by_frame)), [len(entries) for entries in by_frame])
        given = [e.probabilities for e in every if e.probabilities is not None]
        points = np.array([len(e.keypoint_confidences) for e in every], dtype=np.int64)
        return cls(
            n_frames=len(by_frame),
            n_categories=n_categories,
            frames=frames,
            categories=np.array([e.category for e in every], dtype=np.int64),
            confidences=np.array([e.confidence for e in every], dtype=np.float64),
            weights=np.array([e.weight for e in every], dtype=np.float64),
            is_given=np.array([e.probabilities is not None for e in every], dtype=bool),
            probabilities=np.array(given, dtype=np.float64).reshape(-1, n_categories),
            keypoint_frames=np.repeat(frames, points),
            keypoint_confidences=np.array(
                [c for e in every for c in e.keypoint_confidences], dtype=np.float64
            ),
        )

    def distribution(self) -> NDArray[np.float64]:
        """Returns the weighted sum of the probabilities of each frame's entries, shape (n, C)."""
        width = np.where(self.is_given, self.n_categories, 1)
        ends = np.cumsum(width)
        cells = np.empty(int(ends[-1]) if len(ends) else 0, dtype=np.int64)
        values = np.empty(len(cells))
        first = self.frames * self.n_categories
        certain = ~self.is_given
        cells[ends[certain] - 1] = first[certain] + self.categories[certain]
        values[ends[certain] - 1] = self.weights[certain]
        every = np.arange(self.n_categories)
        places = (ends - width)[self.is_given][:, None] + every
        cells[places] = first[self.is_given][:, None] + every
        values[places] = self.weights[self.is_given][:, None] * self.probabilities
        return self._sums(values, cells, self.n_categories)

    def counts(self) -> NDArray[np.float64]:
        """Returns the number of each frame's entries by category, shape (n, C)."""
        cells = self.frames * self.n_categories + self.categories
        return self._sums(np.ones(len(cells)), cells, self.n_categories)

    def score(self, name: str, task_type: str) -> NDArray[np.float64]:
        """Returns a score per frame, shape (n,).

        For `object_frequency` it is the effective count, to be mapped over all frames.
        """
        if name == scores.OBJECTNESS:
            return self._unsure(self.confidences, self.frames)
        if name == scores.MEAN_UNCERTAINTY:
            return self._unsure(self.keypoint_confidences, self.keypoint_frames)
        if name == scores.OBJECT_FREQUENCY:
            return scores.effective_counts(self.counts())
        values = np.zeros(len(self.frames))
        values[self.is_given] = scores.uncertainties(self.probabilities, name)
        if task_type == "semantic-segmentation":
            return _shares(
                self._sums(self.weights * values, self.frames),
                self._sums(self.weights, self.frames),
            )
        largest = np.zeros(self.n_frames)
        np.maximum.at(largest, self.frames, values)
        return largest

    def _unsure(
        self, confidences: NDArray[np.float64], frames: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Returns 1 minus the mean confidence of each frame, 0 where it has none."""
        n = self._sums(np.ones(len(frames)), frames)
        unsure: NDArray[np.float64] = np.where(
            n > 0, 1 - _shares(self._sums(confidences, frames), n), 0.0
        )
        return unsure

    def _sums(
        self, values: NDArray[np.float64], cells: NDArray[np.int64], n_columns: int = 0
    ) -> NDArray[np.float64]:
        """Returns sums by frame, or by frame and column; added up in the order of the entries."""
        n_cells = self.n_frames * (n_columns or 1)
        # Without entries it counts in integers.
        summed = np.bincount(cells, weights=values, minlength=n_cells).astype(np.float64)
        return summed.reshape(self.n_frames, n_columns) if n_columns else summed


def _shares(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns parts / wholes, 0 where a whole is 0."""
    return np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes > 0)
