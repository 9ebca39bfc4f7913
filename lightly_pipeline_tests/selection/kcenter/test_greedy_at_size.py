"""Farthest-first at sizes where rounds, blocks and active sets work as they do for users."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from lightly_pipeline.selection.kcenter.greedy import farthest_first
from lightly_pipeline.selection.vectors.grid import GridEmbeddings, prepare_embeddings
from lightly_pipeline_tests.selection.certificate import first_wrong_step

pytestmark = pytest.mark.slow

Arrange = Callable[[np.ndarray], np.ndarray]


def video_like(n: int, dim: int, *, normalize: bool = True) -> GridEmbeddings:
    """Shots of 50 rows that walk at random around far centres."""
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(n, dim)).astype(np.float32) * 0.1
    for start in range(0, n, 50):
        shot = rows[start : start + 50]
        shot[:] = np.cumsum(shot, axis=0) + rng.normal(size=dim) * 2
    return prepare_embeddings(rows, normalize=normalize)


def in_order(rows: np.ndarray) -> np.ndarray:
    """As the frames of videos are."""
    return rows


def shuffled(rows: np.ndarray) -> np.ndarray:
    """Neighbours are all over the place, and so are the copies that every 10th row has."""
    mixed = rows[np.random.default_rng(6).permutation(len(rows))]
    mixed[5::10] = mixed[-5::-10]
    return mixed


ARRANGEMENTS: dict[str, Arrange] = {"in order": in_order, "shuffled": shuffled}


@pytest.mark.parametrize("compact", [False, True], ids=["float32", "compact"])
@pytest.mark.parametrize("normalize", [True, False], ids=["unit", "any length"])
@pytest.mark.parametrize("arrange", ARRANGEMENTS.values(), ids=ARRANGEMENTS.keys())
def test_every_pick_is_the_farthest_row(arrange: Arrange, normalize: bool, compact: bool) -> None:
    rows = arrange(video_like(40_000, 32, normalize=normalize).vectors)
    grid = prepare_embeddings(rows, normalize=normalize, compact=compact)
    picks = farthest_first(grid, 2000)
    assert first_wrong_step(grid.vectors, picks.indices) is None


@pytest.mark.parametrize("arrange", ARRANGEMENTS.values(), ids=ARRANGEMENTS.keys())
def test_every_pick_is_the_farthest_row_with_small_blocks(arrange: Arrange) -> None:
    grid = prepare_embeddings(arrange(video_like(20_000, 16).vectors))
    picks = farthest_first(grid, 6000)
    assert first_wrong_step(grid.vectors, picks.indices) is None


def test_the_certificate_finds_a_wrong_pick_and_a_swapped_pair() -> None:
    grid = video_like(5000, 16)
    right = farthest_first(grid, 300).indices
    wrong, swapped = right.copy(), right.copy()
    wrong[200] = next(row for row in range(5000) if row not in right)
    swapped[[100, 101]] = right[[101, 100]]
    assert first_wrong_step(grid.vectors, right) is None
    assert first_wrong_step(grid.vectors, wrong) == 200
    assert first_wrong_step(grid.vectors, swapped) == 100


@pytest.mark.parametrize("arrange", ARRANGEMENTS.values(), ids=ARRANGEMENTS.keys())
def test_a_large_datapool_counts_as_chosen(arrange: Arrange) -> None:
    grid = prepare_embeddings(arrange(video_like(10_000, 16).vectors))
    everything = farthest_first(grid, 3000).indices
    known, rest = everything[:2000], everything[2000:]
    picks = farthest_first(grid, 1000, preselected=np.random.default_rng(0).permutation(known))
    assert picks.indices.tolist() == rest.tolist()


def test_threads_change_nothing() -> None:
    module = "lightly_pipeline_tests.selection.kcenter.test_greedy_at_size"
    code = f"from {module} import digest; print(digest())"
    digests = {digest()}
    for threads in ("1", "4"):
        environment = {
            **os.environ,
            **dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"], threads),
        }
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        digests.add(done.stdout.strip())
    assert len(digests) == 1


def digest() -> str:
    """Returns a hash of a selection with all its distances."""
    picks = farthest_first(video_like(20_000, 64), 500)
    return hashlib.sha256(picks.indices.tobytes() + picks.squared_distances.tobytes()).hexdigest()
