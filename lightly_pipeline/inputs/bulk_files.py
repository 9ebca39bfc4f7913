"""One file that speaks of many frames: JSON lines or Parquet, read in batches, as documents.

A line says what a file of a single frame says. What is in it is parsed by `metadata.py` and
`predictions.py`; rows of Parquet become documents in `parquet_rows.py`.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.files import MAX_FILE_BYTES, parse_json

IMAGE_ENDINGS = ("png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff")
NAME = "file_name"
JSON_LINES, PARQUET = ".jsonl", ".parquet"
_BLOCK_BYTES = 4 * 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class BulkLine(NamedTuple):
    """One line of a file.

    Attributes:
        number: From 1; of Parquet, the row's.
        name: What it speaks of, as it is written there; "" where that is wrong.
        document: What it says.
        problem: What is wrong with it; None where it can be used.
    """

    number: int
    name: str
    document: Any
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class BulkFile:
    """A file that speaks of many frames.

    Attributes:
        store: Where it lies.
        path: Its path there.
    """

    store: Datasource
    path: str

    @property
    def location(self) -> str:
        """The file, for people."""
        return self.store.location(self.path)

    @property
    def unit(self) -> str:
        """What its lines are called."""
        return "row" if self.path.endswith(PARQUET) else "line"

    def line(self, number: int) -> str:
        """Returns how one of its lines is called to people."""
        return f"{self.location} {self.unit} {number}"

    def missing_columns(self, wanted: Sequence[str]) -> list[str]:
        """Returns what of `wanted` no line can have: columns are only known of Parquet.

        Raises:
            LightlyPipelineError: It is not Parquet, or does not name what its rows speak of.
        """
        if not self.path.endswith(PARQUET):
            return []
        from lightly_pipeline.inputs.parquet_rows import missing_columns

        with self.store.open(self.path) as file:
            return missing_columns(file, wanted, self.location)

    def batches(self, columns: Sequence[str]) -> Iterator[list[BulkLine]]:
        """Yields its lines in order, some thousands at a time.

        Args:
            columns: What is read of Parquet besides the name: `predictions`, or keys of metadata.

        Raises:
            LightlyPipelineError: It is not what its ending says.
        """
        with self.store.open(self.path) as file:
            if self.path.endswith(PARQUET):
                from lightly_pipeline.inputs.parquet_rows import row_documents

                number = 0
                for documents in row_documents(file, columns, self.location):
                    yield [_line(number + place, d) for place, d in enumerate(documents, start=1)]
                    number += len(documents)
                return
            for first, lines in _lines(file, self.location):
                yield [
                    _parsed(number, line)
                    for number, line in enumerate(lines, start=first)
                    if line and not line.isspace()
                ]


def find_bulk(store: Datasource, stem: str) -> BulkFile | None:
    """Returns the file with this path but for its ending, or None where there is none.

    Raises:
        LightlyPipelineError: There are two, of either format.
    """
    there = [stem + ending for ending in (JSON_LINES, PARQUET) if store.stat(stem + ending)]
    if len(there) > 1:
        raise LightlyPipelineError(
            f"{' and '.join(map(store.location, there))} say the same in two ways: remove one"
        )
    return BulkFile(store, there[0]) if there else None


@contextmanager
def without_collector() -> Iterator[None]:
    """Keeps the collector of cycles from running, while documents are made by the million.

    They have no cycles; looking for some takes 40 % of the time of reading.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def stem_of(name: str) -> str:
    """Returns the name of an image without its ending; other names as they are.

    >>> stem_of("sub/b-07-mp4.png"), stem_of("sub/b.mp4")
    ('sub/b-07-mp4', 'sub/b.mp4')
    """
    stem, _, ending = name.rpartition(".")
    return stem if ending.lower() in IMAGE_ENDINGS else name


def _lines(file: Any, location: str) -> Iterator[tuple[int, list[bytes]]]:
    """Yields lines without their ends, and the number of the first of them."""
    number, rest = 1, b""
    while block := file.read(_BLOCK_BYTES):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        if len(rest) > MAX_FILE_BYTES:
            raise LightlyPipelineError(
                f"{location} line {number + len(lines)}: longer than {MAX_FILE_BYTES} bytes: write "
                "one document a line"
            )
        yield number, lines
        number += len(lines)
    if rest:
        yield number, [rest]


def _parsed(number: int, line: bytes) -> BulkLine:
    try:
        return _line(number, parse_json(line.removeprefix(_BYTE_ORDER_MARK)))
    except ValueError as error:
        return BulkLine(number, "", None, str(error))


def _line(number: int, document: Any) -> BulkLine:
    name = document.get(NAME) if isinstance(document, dict) else None
    if isinstance(name, str) and name:
        return BulkLine(number, name, document)
    if not isinstance(document, dict):
        return BulkLine(number, "", document, f"expected an object with {NAME}")
    return BulkLine(
        number, "", document, f"{NAME}: {name!r} is not the name of a frame's image, or of a video"
    )
