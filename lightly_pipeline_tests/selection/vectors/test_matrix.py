"""Large matrices lie on disk and behave like those in memory."""

import os
from pathlib import Path

import numpy as np
import pytest

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.selection import prepare_embeddings
from lightly_pipeline.selection.kcenter.greedy import farthest_first
from lightly_pipeline.selection.vectors import matrix


@pytest.fixture
def small_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which every matrix is too large; returns its folder for temporary files."""
    monkeypatch.setattr(matrix, "_memory_bytes", lambda: 1000)
    monkeypatch.setattr(matrix.tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_matrix_that_fits_is_in_memory() -> None:
    assert not isinstance(matrix.empty_matrix(100, 8), np.memmap)


def test_a_matrix_above_half_of_the_memory_is_on_disk_and_gives_the_same_picks(
    small_machine: Path,
) -> None:
    rows = np.random.default_rng(0).normal(size=(3000, 16)).astype(np.float32)
    mapped = matrix.empty_matrix(3000, 16)
    assert isinstance(mapped, np.memmap)
    mapped[:] = rows
    expected = farthest_first(prepare_embeddings(rows), 300).indices.tolist()
    assert farthest_first(prepare_embeddings(mapped), 300).indices.tolist() == expected


def test_the_file_on_disk_has_no_name_that_could_be_left_behind(small_machine: Path) -> None:
    mapped = matrix.empty_matrix(500, 4)
    mapped[:] = 1
    assert list(small_machine.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="finds the file by Linux's /proc")
def test_the_room_is_taken_before_anything_is_written(small_machine: Path) -> None:
    """Writing to a memory map on a disk that others filled meanwhile would kill the process."""
    mapped = matrix.empty_matrix(5000, 16)
    opened = {os.path.realpath(file): file for file in Path("/proc/self/fd").iterdir()}
    (ours,) = (file for place, file in opened.items() if place.startswith(str(small_machine)))
    assert 512 * ours.stat().st_blocks >= mapped.nbytes


def test_a_small_matrix_is_on_disk_where_that_is_wanted() -> None:
    assert isinstance(matrix.empty_matrix(10, 4, on_disk=True), np.memmap)
    assert matrix.empty_matrix(0, 4, on_disk=True).shape == (0, 4)


def test_reading_here_and_there_changes_nothing_that_is_read(small_machine: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(3000, 16)).astype(np.float32)
    mapped = matrix.empty_matrix(3000, 16)
    mapped[:] = rows
    for held in (mapped, mapped[10:], rows):
        with matrix.scattered_reads(held):
            assert np.array_equal(held[-5:], rows[-5:])


def test_a_disk_that_is_too_small_is_named(
    small_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LightlyPipelineError, match=r"TMPDIR"):
        matrix.empty_matrix(10**12, 128)
