"""What the readers of all formats have in common: blocks of rows, columns by name, flags.

The columns are those of Lightly's CSV: `filenames`, `embedding_0` and so on, `labels`, and
`masked` and `selected`, which may be missing.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.relevant import Cases

FILENAMES, LABELS, MASKED, SELECTED = "filenames", "labels", "masked", "selected"
LIST = "embedding"
_SHOWN = 40
_NUMBERED = re.compile(r"embedding_(0|[1-9][0-9]*)")
_FLAGS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True, "": False}


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a file, one after the other.

    Attributes:
        names: Arrow strings, shape (B,).
        vectors: Shape (B, dim), float32, C-contiguous.
        masked: Shape (B,), bool: frames to ignore.
        selected: Shape (B,), bool: frames to choose first.
    """

    names: Any
    vectors: NDArray[np.float32]
    masked: NDArray[np.bool_]
    selected: NDArray[np.bool_]


@dataclass(slots=True)
class Mistakes:
    """What is wrong with a file, found while its blocks are read; a block has good rows only.

    Attributes:
        ragged: Rows of another number of values.
        no_numbers: Values that are no numbers.
        not_finite: Rows with NaN or an infinite number.
        zero: Rows that cannot be brought to unit length.
    """

    ragged: Cases = field(default_factory=Cases)
    no_numbers: Cases = field(default_factory=Cases)
    not_finite: Cases = field(default_factory=Cases)
    zero: Cases = field(default_factory=Cases)

    def found(self) -> dict[str, Cases]:
        """Returns those that there are, by what is said of them."""
        kinds = {
            "rows have another number of values than the others": self.ragged,
            "values are no numbers": self.no_numbers,
            "rows have numbers that are not finite": self.not_finite,
            "rows are all zero, and cannot be brought to unit length": self.zero,
        }
        return {text: cases for text, cases in kinds.items() if cases.count}


class VectorFile(Protocol):
    """A file whose header was read, and whose rows are not read yet.

    Attributes:
        location: The file, for people.
        dim: Length of a vector.
        unknown: Columns that are passed over.
        mistakes: Filled while blocks are read.
    """

    location: str
    dim: int
    unknown: tuple[str, ...]
    mistakes: Mistakes

    def blocks(self) -> Iterator[Block]:
        """Yields all good rows in order.

        Raises:
            LightlyPipelineError: It cannot be read on.
        """
        ...

    def where(self, row: int) -> str:
        """Returns how a person finds a row that a block had, counted from 0 over all blocks."""
        ...

    def key(self, number: int) -> str:
        """Returns how one number of a vector is called."""
        ...


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table.

    Attributes:
        embedding: Names of the columns of numbers in order; one name where vectors are lists.
        is_list: Whether they are.
        flags: Which of `masked` and `selected` there are.
        unknown: Those that nothing is known of.
    """

    embedding: tuple[str, ...]
    is_list: bool
    flags: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def wanted(self) -> list[str]:
        """All that is read."""
        return [FILENAMES, *self.embedding, *self.flags]


def columns_of(names: Sequence[str], location: str, *, may_be_list: bool = False) -> Columns:
    """Returns what the columns of a table are.

    Args:
        names: In the order of the file.
        location: The file, for messages.
        may_be_list: Whether a column `embedding` may hold whole vectors.

    Raises:
        LightlyPipelineError: Some are missing, there twice, or their numbers have gaps.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise LightlyPipelineError(f"{location}: column {twice[0]!r} is there twice")
    there = ", ".join(name[:_SHOWN] for name in names[:5]) + (", ..." if len(names) > 5 else "")
    if FILENAMES not in names:
        raise LightlyPipelineError(
            f"{location}: no column {FILENAMES}, which says whose vectors they are; it has {there}"
        )
    numbers = sorted(int(found[1]) for name in names if (found := _NUMBERED.fullmatch(name)))
    is_list = may_be_list and LIST in names and not numbers
    if not numbers and not is_list:
        lists = f", or one column {LIST} of lists" if may_be_list else ""
        raise LightlyPipelineError(
            f"{location}: no columns embedding_0, embedding_1, ...{lists}; it has {there}"
        )
    gaps = [place for place, number in enumerate(numbers) if place != number]
    if gaps:
        raise LightlyPipelineError(
            f"{location}: no column embedding_{gaps[0]}, though there is "
            f"embedding_{numbers[-1]}: numbers go from 0 on without gaps"
        )
    embedding = (LIST,) if is_list else tuple(f"embedding_{number}" for number in numbers)
    flags = tuple(name for name in (MASKED, SELECTED) if name in names)
    known = {FILENAMES, LABELS, *embedding, *flags}
    return Columns(embedding, is_list, flags, tuple(name for name in names if name not in known))


def is_set(text: str) -> bool:
    """Returns whether a mark says yes."""
    return _FLAGS.get(text.strip().lower(), False)


def flags_of(batch: Any, name: str, wrong: Cases, where: Callable[[int], str]) -> NDArray[np.bool_]:
    """Returns a column of 0 and 1 as booleans; False for all where there is none.

    Args:
        batch: An Arrow record batch.
        name: Of the column.
        wrong: Told what is neither.
        where: Says where a row of the batch is.
    """
    if name not in batch.schema.names:
        return np.zeros(batch.num_rows, dtype=bool)
    column = batch.column(batch.schema.names.index(name))
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).fill_null("").dictionary_encode()
    texts = [str(text).strip().lower() for text in column.dictionary.to_pylist()]
    codes = np.asarray(column.indices)
    is_wrong = np.array([text not in _FLAGS for text in texts], dtype=bool)
    for row in np.flatnonzero(is_wrong[codes]) if is_wrong.any() else ():
        wrong.add(f"{where(int(row))}: {name} is {texts[codes[row]]!r}, not 0 or 1")
    meaning = np.array([_FLAGS.get(text, False) for text in texts] or [False], dtype=bool)
    marks: NDArray[np.bool_] = meaning[codes]
    return marks


def note_useless(block: Block, file: VectorFile, first_row: int, *, normalize: bool) -> None:
    """Tells a file's mistakes which rows of a block cannot be compared; masked ones need not be.

    Args:
        block: The rows.
        file: Of the block.
        first_row: How many rows came before it.
        normalize: Whether vectors are to be brought to unit length.
    """
    sizes = np.abs(block.vectors).sum(axis=1, dtype=np.float64)
    useless = ~np.isfinite(sizes) | (normalize & (sizes == 0))
    for row in np.flatnonzero(useless & ~block.masked):
        where = file.where(first_row + int(row))
        if sizes[row] == 0:
            file.mistakes.zero.add(where)
            continue
        number = int(np.flatnonzero(~np.isfinite(block.vectors[row]))[0])
        value = block.vectors[row, number]
        file.mistakes.not_finite.add(f"{where}: {file.key(number)} is {value}")


def as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """Returns numbers as float32, C-contiguous; what is too large for that becomes infinite."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32)
