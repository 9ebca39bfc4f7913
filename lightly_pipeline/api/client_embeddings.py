"""The client's methods about embeddings that a script has in a CSV file of its own.

Columns are `filenames`, `embedding_0`, ..., `labels`. Embeddings that runs made are read by
`client_exports.py`.
"""

import csv
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from lightly_pipeline.api.client_exports import ExportMethods
from lightly_pipeline.errors import InvalidConfigurationError

EMBEDDINGS_FOLDER = ".lightly/embeddings/"
_NAMES, _VECTOR = "filenames", "embedding_"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9 ._-]*")


class EmbeddingMethods(ExportMethods):
    """Embeddings in files of the script, and which embeddings are the current ones."""

    embedding_id: str | None

    def set_embedding_id_to_latest(self) -> None:
        """Sets `embedding_id` to the id of the embeddings that the newest run used.

        Raises:
            InvalidConfigurationError: A RuntimeError, as there: no run has completed.
        """
        newest = next(iter(self.get_all_embedding_data()), None)
        if newest is None:
            raise InvalidConfigurationError("there are no embeddings: no run has completed")
        self.embedding_id = newest.id

    def append_embeddings(self, path_to_embeddings_csv: str, embedding_id: str) -> None:
        """Adds to a CSV file the embeddings that a run used of frames that it lacks.

        Args:
            path_to_embeddings_csv: The file; its own rows stay as they are, its columns, too.
            embedding_id: Whose; those of all frames that the newest run with them chose from.

        Raises:
            InvalidConfigurationError: A RuntimeError, as there: there are none of this id, or the
                file has other columns.
        """
        path = Path(path_to_embeddings_csv)
        with tempfile.TemporaryDirectory() as folder:
            stored = Path(folder) / "stored.csv"
            self.download_embeddings_csv_by_id(embedding_id, str(stored))
            with stored.open(newline="") as known, path.open(newline="") as own:
                reader, mine = csv.DictReader(known), csv.DictReader(own)
                columns = _checked_columns(mine, path)
                if _n_numbers(columns) != _n_numbers(reader.fieldnames or ()):
                    raise InvalidConfigurationError(
                        f"column mismatch: {path} has embeddings of {_n_numbers(columns)} numbers, "
                        f"{embedding_id} of {_n_numbers(reader.fieldnames or ())}"
                    )
                rows = {row[_NAMES]: row for row in mine}
                merged = [rows.pop(row[_NAMES], row) for row in reader]
            merged += rows.values()
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(merged)

    def upload_embeddings(self, path_to_embeddings_csv: str, name: str) -> None:
        """Copies a CSV file to `.lightly/embeddings/NAME.csv`, in place of one of that name.

        Args:
            path_to_embeddings_csv: The file.
            name: Its name there.

        Raises:
            InvalidConfigurationError: It has other columns, or there is no such name.
            DatasourceError: The store failed.
        """
        if not _NAME.fullmatch(name):
            raise InvalidConfigurationError(
                f"name {name!r}: use letters, digits, spaces and ._-, a letter or digit first"
            )
        path = Path(path_to_embeddings_csv)
        with path.open(newline="") as file:
            _checked_columns(csv.DictReader(file), path)
        store = self._lightly(self.dataset_id)
        target = f"{EMBEDDINGS_FOLDER}{name}.csv"
        with path.open("rb") as source, store.writer(target) as copy:
            shutil.copyfileobj(source, copy)


def _checked_columns(reader: "csv.DictReader[str]", path: Path) -> list[str]:
    columns = list(reader.fieldnames or ())
    if _NAMES not in columns or not _n_numbers(columns):
        raise InvalidConfigurationError(
            f"{path}: expected the columns {_NAMES}, {_VECTOR}0, {_VECTOR}1, ... and labels, found "
            f"{', '.join(columns[:5]) or 'none'}"
        )
    return columns


def _n_numbers(columns: Iterable[str]) -> int:
    return sum(column.startswith(_VECTOR) for column in columns)
