"""Arithmetic whose bits are the same on every machine: what encoders that ship are made of.

A sum of floats depends on its order, which differs from processor to processor, unless no addition
has to round. So numbers are brought to common steps beforehand.
"""

import math

import numpy as np
from numpy.typing import NDArray


def in_steps(
    numbers: NDArray[np.float32], largest: NDArray[np.float64] | np.float64, bits: int
) -> NDArray[np.float64]:
    """Returns the numbers as multiples of the largest, a power of two, by 2 ** -bits."""
    step = largest * 2.0**-bits
    rounded: NDArray[np.float64] = np.rint(numbers / step) * step
    return rounded


def unit_rows(rows: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float32]:
    """Returns rows (N, dim) brought to length 1; a row of zeros stays one."""
    doubles = rows.astype(np.float64)
    # `fsum` rounds once, at the end.
    squares = [math.fsum(row) for row in (doubles * doubles).tolist()]
    lengths = np.maximum(np.sqrt(squares), 1e-12)
    return (doubles / lengths[:, None]).astype(np.float32)
