"""Vectors in CSV, Lightly's form: a line per frame, read in blocks by Arrow.

Arrow does not say in which line something is wrong: then the file is read once more, line by line.
Empty lines are nothing.
"""

import csv
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.vectors.blocks import (
    FILENAMES,
    MASKED,
    SELECTED,
    Block,
    Columns,
    Mistakes,
    columns_of,
    flags_of,
    is_set,
)
from lightly_pipeline.inputs.vectors.place import Place

_BOM = b"\xef\xbb\xbf"
_MAX_HEADER_BYTES = 16 * 1024 * 1024
_BLOCK_BYTES = 4 * 1024 * 1024
_FLAG = pa.dictionary(pa.int32(), pa.string())


class CsvFile:
    """A `VectorFile` in CSV.

    Args:
        place: The file.

    Raises:
        LightlyPipelineError: It has no header of this kind.
    """

    def __init__(self, place: Place) -> None:
        self._place, self.location, self.mistakes = place, place.location, Mistakes()
        with place.open() as file:
            self._names = _header(file, self.location)
            self._header_bytes = file.tell()
        self._columns: Columns = columns_of(self._names, self.location)
        self.dim, self.unknown = len(self._columns.embedding), self._columns.unknown
        self._is_ragged = False
        self._empty_lines: list[int] | None = None

    def blocks(self) -> Iterator[Block]:
        """Yields all good rows in order.

        Raises:
            LightlyPipelineError: It cannot be read on.
        """
        n_rows = 0
        with self._place.open() as file:
            file.seek(self._header_bytes)
            if not file.read(1):
                return
            file.seek(self._header_bytes)
            try:
                for batch in self._batches(file):
                    yield self._block(batch, n_rows)
                    n_rows += batch.num_rows
            except pa.ArrowInvalid as error:
                self._read_slowly()
                if not self.mistakes.found():
                    raise LightlyPipelineError(f"{self.location}: {error}") from error
            if self._is_ragged:
                self._read_slowly()

    def where(self, row: int) -> str:
        """Returns the line of a row."""
        if self._empty_lines is None:
            self._empty_lines = [line for line, raw in self._lines() if not raw.strip()]
        line = row + 2
        for empty in self._empty_lines:
            if empty > line:
                break
            line += 1
        return f"line {line}"

    def key(self, number: int) -> str:
        """Returns the column of a number."""
        return self._columns.embedding[number]

    def _batches(self, file: BinaryIO) -> Any:
        types = dict.fromkeys(self._columns.embedding, pa.float32())
        types |= {FILENAMES: pa.string()} | dict.fromkeys(self._columns.flags, _FLAG)
        return pa_csv.open_csv(
            file,
            pa_csv.ReadOptions(
                use_threads=False,
                block_size=max(_BLOCK_BYTES, 32 * self._header_bytes),
                column_names=self._names,
            ),
            pa_csv.ParseOptions(invalid_row_handler=self._pass_over),
            pa_csv.ConvertOptions(
                column_types=types,
                include_columns=self._columns.wanted,
                null_values=[],
                strings_can_be_null=False,
            ),
        )

    def _pass_over(self, row: Any) -> str:
        """Goes on after a line that has not as many values as there are columns."""
        self._is_ragged |= bool(row.text.strip())
        return "skip"

    def _block(self, batch: Any, first_row: int) -> Block:
        vectors = np.empty((batch.num_rows, self.dim), dtype=np.float32)
        for number in range(self.dim):
            vectors[:, number] = batch.column(number + 1).to_numpy(zero_copy_only=False)

        def where(row: int) -> str:
            return self.where(first_row + row)

        wrong = self.mistakes.no_numbers
        return Block(
            batch.column(0),
            vectors,
            flags_of(batch, MASKED, wrong, where),
            flags_of(batch, SELECTED, wrong, where),
        )

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Yields the lines after the header with their numbers."""
        with self._place.open() as file:
            file.seek(self._header_bytes)
            yield from enumerate(file, start=2)

    def _read_slowly(self) -> None:
        """Notes what is wrong, line by line, in the place of what was noted before."""
        self.mistakes = Mistakes()
        for line, raw in self._lines():
            if not raw.strip():
                continue
            values = next(csv.reader([self._decoded(line, raw)]))
            if len(values) == len(self._names):
                self._note_values(line, dict(zip(self._names, values, strict=True)))
                continue
            self.mistakes.ragged.add(
                f"line {line}: {len(values)} values for {len(self._names)} columns"
            )

    def _decoded(self, line: int, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise LightlyPipelineError(
                f"{self.location}: line {line} is no text in UTF-8: save the file as such"
            ) from None

    def _note_values(self, line: int, values: Mapping[str, str]) -> None:
        is_masked = is_set(values.get(MASKED, ""))
        for name in self._columns.embedding:
            try:
                number = float(values[name])
            except ValueError:
                self.mistakes.no_numbers.add(f"line {line}: {name} is {values[name]!r}")
                return
            if not isfinite(number) and not is_masked:
                self.mistakes.not_finite.add(f"line {line}: {name} is {number}")
                return


def _header(file: BinaryIO, location: str) -> list[str]:
    """Reads the first line and returns the names in it."""
    raw = file.readline(_MAX_HEADER_BYTES)
    if not raw:
        raise LightlyPipelineError(f"{location} is empty")
    try:
        text = raw.removeprefix(_BOM).decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise LightlyPipelineError(f"{location} is no text in UTF-8: save it as such")
    return [name.strip() for name in next(csv.reader([text]), [])]
