"""Files that speak of many frames, made of the documents that single files would hold."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def write_files(folder: Path, documents: Mapping[str, Any]) -> None:
    """Writes a JSON file per document, by its name without ending."""
    for name, document in documents.items():
        file = folder / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(document))


def write_lines(file: Path, documents: Iterable[Any]) -> None:
    """Writes JSON lines; texts stand as they are."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = (d if isinstance(d, str) else json.dumps(d) for d in documents)
    file.write_text("".join(f"{line}\n" for line in lines))


def write_parquet(
    file: Path, documents: Iterable[Mapping[str, Any]], schema: pa.Schema | None = None
) -> None:
    """Writes a row per document."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(documents), schema=schema), file)
