"""Reads a file of vectors once, from end to end, and checks all that can be checked of it alone."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.relevant import Cases
from lightly_pipeline.inputs.vectors.blocks import Block, VectorFile, note_useless
from lightly_pipeline.inputs.vectors.names import FrameNames, without_ending
from lightly_pipeline.inputs.vectors.own import OwnVectors, Rows
from lightly_pipeline.inputs.vectors.place import OPTION
from lightly_pipeline.inputs.vectors.spool import Spool

_COMPARED_AT_ONCE = 8192


def read_vectors(
    file: VectorFile, *, normalize: bool = False, on_rows: Callable[[int], None] = lambda _: None
) -> OwnVectors:
    """Returns the vectors of a file.

    Args:
        file: Its header was read.
        normalize: Whether vectors are to be brought to unit length, which zero cannot be.
        on_rows: Told how many rows were read so far.

    Raises:
        LightlyPipelineError: It has no rows, or some of them are wrong: counts them and shows the
            first of each kind.
    """
    reading = _Reading(file, normalize=normalize)
    for block in file.blocks():
        reading.add(block)
        on_rows(reading.spool.n_rows)
    own = reading.result()
    # What Arrow keeps for a next time would stay beside the selection's matrix.
    pa.default_memory_pool().release_unused()
    return own


class _Reading:
    """What was read of a file so far."""

    def __init__(self, file: VectorFile, *, normalize: bool) -> None:
        self._normalize = normalize
        self._file, self.spool, self._names = file, Spool(file.dim), FrameNames()
        self._of_names, self._of_vectors = hashlib.sha256(), hashlib.sha256()
        self._videos: list[NDArray[np.int32]] = []
        self._frames: list[NDArray[np.int64]] = []
        self._masked: list[NDArray[np.bool_]] = []
        self._selected: list[NDArray[np.bool_]] = []

    def add(self, block: Block) -> None:
        note_useless(block, self._file, self.spool.n_rows, normalize=self._normalize)
        self.spool.append(block.vectors)
        self._of_vectors.update(block.vectors.data)
        self._of_names.update(_lines(block.names))
        videos, frames = self._names.add(block.names)
        self._videos.append(videos)
        self._frames.append(frames)
        self._masked.append(block.masked)
        self._selected.append(block.selected)

    def result(self) -> OwnVectors:
        """Returns the vectors.

        Raises:
            LightlyPipelineError: Something is wrong with them.
        """
        wrong = self._file.mistakes.found()
        if not wrong and not self.spool.n_rows:
            raise LightlyPipelineError(f"{self._file.location} has no rows")
        if wrong:
            self._refuse(wrong)
        self.spool.finish()
        rows, doubles = self._ordered()
        self._of_names.update(self._of_vectors.digest())
        return OwnVectors(
            self._file, self.spool, self._names, rows, self._of_names.hexdigest(), doubles
        )

    def _ordered(self) -> tuple[Rows, Cases]:
        """Returns what is there of each frame, in order, and what was there before.

        Raises:
            LightlyPipelineError: A frame has two vectors.
        """
        video, frame = np.concatenate(self._videos), np.concatenate(self._frames)
        masked, selected = np.concatenate(self._masked), np.concatenate(self._selected)
        # Equal ones stay in the order of the file.
        place = np.lexsort((frame, video))
        video, frame, masked, selected = video[place], frame[place], masked[place], selected[place]
        is_new = np.ones(len(place), dtype=bool)
        is_new[1:] = (video[1:] != video[:-1]) | (frame[1:] != frame[:-1])
        rows = Rows(video, frame, place, masked, selected)
        doubles = Cases()
        if is_new.all():
            return rows, doubles
        first = np.maximum.accumulate(np.where(is_new, np.arange(len(place)), 0))
        again = np.flatnonzero(~is_new)
        again = again[np.argsort(place[again], kind="stable")]
        different = self._differing(rows, first[again], again)
        if different.count:
            self._refuse(
                {"rows give a frame another vector, or other marks, than before": different}
            )
        for at in again:
            doubles.add(self._of_row(rows, int(at), int(first[at])))
        kept = Rows(video[is_new], frame[is_new], place[is_new], masked[is_new], selected[is_new])
        return kept, doubles

    def _differing(self, rows: Rows, first: NDArray[np.int64], again: NDArray[np.int64]) -> Cases:
        """Returns which rows are not what the first row of the same frame is."""
        cases = Cases()
        for start in range(0, len(again), _COMPARED_AT_ONCE):
            part = slice(start, start + _COMPARED_AT_ONCE)
            one, two = (
                self._vectors(rows.place[first[part]]),
                self._vectors(rows.place[again[part]]),
            )
            differs = (one != two).any(axis=1)
            differs |= rows.masked[first[part]] != rows.masked[again[part]]
            differs |= rows.selected[first[part]] != rows.selected[again[part]]
            for at in np.flatnonzero(differs) + start:
                cases.add(self._of_row(rows, int(again[at]), int(first[at])))
        return cases

    def _vectors(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        vectors = np.empty((len(places), self.spool.dim), dtype=np.float32)
        self.spool.read_into(places, vectors)
        return vectors

    def _of_row(self, rows: Rows, at: int, first: int) -> str:
        name = self._names.name(int(rows.video[at]), int(rows.frame[at]))
        where = self._file.where
        return f"{where(int(rows.place[at]))}: {name}, as {where(int(rows.place[first]))}"

    def _refuse(self, wrong: dict[str, Cases]) -> None:
        said = [
            f"{cases.count} {text}: {'; '.join(cases.first)}"
            + ("; ..." if cases.count > len(cases.first) else "")
            for text, cases in wrong.items()
        ]
        raise LightlyPipelineError(f"{OPTION}: {self._file.location}: {'. '.join(said)}")


def _lines(names: Any) -> bytes:
    return "".join(f"{name}\n" for name in without_ending(names).to_pylist()).encode()
