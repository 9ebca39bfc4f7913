"""The values that strategies read, for all rows of a selection.

Plain data, and the two ways it follows when rows change: some rows only, or groups of rows.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.sequences import (
    Groups,
    pooled_categories,
    pooled_means,
    pooled_sums,
)
from lightly_pipeline.selection import Categories
from lightly_pipeline.selection.columns import QueryKey
from lightly_pipeline.selection.objects import Objects


@dataclass(frozen=True, slots=True)
class SelectionInputs:
    """What a selection takes besides embeddings, N rows.

    Attributes:
        metadata: Shape (N,) by key: numbers, or categories as objects.
        scores: Shape (N,) by (task, score).
        categories: By task.
        objects: By task.
        queries: Shape (Q, dim) by `QueryKey`.
        skipped: Reason by location of the prediction files that could not be used.
        n_without_prediction: By task, rows that no usable file speaks of.
    """

    metadata: dict[str, NDArray[Any]] = field(default_factory=dict)
    scores: dict[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)
    categories: dict[str, Categories] = field(default_factory=dict)
    objects: dict[str, Objects] = field(default_factory=dict)
    queries: dict[QueryKey, NDArray[np.float32]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    n_without_prediction: dict[str, int] = field(default_factory=dict)

    def take(self, rows: NDArray[np.int64]) -> "SelectionInputs":
        """Returns the values of some rows."""
        return replace(
            self,
            metadata={key: values[rows] for key, values in self.metadata.items()},
            scores={key: values[rows] for key, values in self.scores.items()},
            categories={
                task: Categories(c.names, c.distribution[rows], c.counts[rows])
                for task, c in self.categories.items()
            },
            objects={task: objects.take(rows) for task, objects in self.objects.items()},
        )

    def pooled(self, groups: Groups) -> "SelectionInputs":
        """Returns one value per group: means of numbers, the commonest category, summed classes.

        A group has the objects of all its rows.
        """
        return replace(
            self,
            metadata={
                key: pooled_categories(values, groups)
                if values.dtype == object
                else pooled_means(values, groups)
                for key, values in self.metadata.items()
            },
            scores={key: pooled_means(values, groups) for key, values in self.scores.items()},
            categories={
                task: Categories(
                    c.names, pooled_sums(c.distribution, groups), pooled_sums(c.counts, groups)
                )
                for task, c in self.categories.items()
            },
            objects={task: _pooled(objects, groups) for task, objects in self.objects.items()},
        )


def _pooled(objects: Objects, groups: Groups) -> Objects:
    members = objects.take(groups.rows)
    return Objects(members.vectors, members.starts[groups.starts])
