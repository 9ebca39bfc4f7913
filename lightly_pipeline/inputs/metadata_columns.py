"""The values of one metadata key, a row per frame, while they are gathered from several places."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.inputs.metadata import MetadataKey, Value


@dataclass(frozen=True, slots=True)
class ValueColumn:
    """The values of a key.

    Attributes:
        key: The schema's entry.
        values: Shape (N,): float64 with NaN, or objects with None, where there is no value.
    """

    key: MetadataKey
    values: NDArray[Any]

    @classmethod
    def of(cls, key: MetadataKey, n_rows: int, value: Value = None) -> "ValueColumn":
        """Returns a column that holds one value throughout."""
        if key.is_numeric:
            return cls(key, np.full(n_rows, np.nan if value is None else value, dtype=np.float64))
        return cls(key, np.full(n_rows, value, dtype=object))

    def set(self, places: NDArray[np.int64] | list[int], value: Value) -> None:
        """Sets the value of some rows; None leaves them as they are."""
        if value is not None:
            self.values[places[0] if len(places) == 1 else places] = value

    def overlay(self, upper: "ValueColumn") -> None:
        """Takes over every value that another column of the key has."""
        has = ~np.isnan(upper.values) if self.key.is_numeric else upper.values != None  # noqa: E711
        self.values[has] = upper.values[has]
