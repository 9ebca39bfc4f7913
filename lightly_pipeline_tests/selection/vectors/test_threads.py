"""A selection computes in one thread, whatever the process does besides."""

import numpy as np
import pytest

from lightly_pipeline.selection import select
from lightly_pipeline.selection.vectors.threads import blas_threads, one_blas_thread

DIVERSITY = {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}


def test_matrix_products_stay_in_the_calling_thread_while_selecting() -> None:
    """Threads of OpenBLAS wait by spinning: 40 times the CPU time on a busy machine."""
    before = blas_threads()
    if before is None:
        pytest.skip("NumPy uses a BLAS that is not known here")
    seen: list[int | None] = []
    rows = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    config = {"n_samples": 100, "strategies": [DIVERSITY]}
    select(rows, config, progress=lambda *_: seen.append(blas_threads()))
    assert set(seen) == {1}
    assert blas_threads() == before


def test_threads_are_given_back_after_an_error() -> None:
    before = blas_threads()
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        raise ZeroDivisionError
    assert blas_threads() == before
