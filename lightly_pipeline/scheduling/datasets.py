"""The datasets and datasources that clients created, kept in the deployment's state.

Records in and out; scheduled runs are in `queue.py`, secrets in `credentials.py`.
"""

import json
import sqlite3
from collections.abc import Mapping

from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.scheduling.credentials import remove_credentials, save_credentials
from lightly_pipeline.scheduling.database import Database, now_ms
from lightly_pipeline.scheduling.errors import ApiException
from lightly_pipeline.scheduling.models import DatasetData, DatasourceData, DatasourcePurpose
from lightly_pipeline.scheduling.names import check_dataset_name, new_id


class Datasets:
    """The datasets of a deployment.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, dataset_type: str) -> str:
        """Creates a dataset and returns its id.

        Raises:
            InvalidConfigurationError: The name is taken, or none.
        """
        check_dataset_name(name)
        dataset_id, now = new_id(), now_ms()
        try:
            with self._database.writing() as connection:
                connection.execute(
                    "INSERT INTO datasets VALUES (?, ?, ?, ?, ?)",
                    (dataset_id, name, dataset_type, now, now),
                )
        except sqlite3.IntegrityError:
            raise InvalidConfigurationError(
                f"a dataset with the name {name!r} already exists: set_dataset_id_by_name() uses "
                "it, create_new_dataset_with_unique_name() makes another one"
            ) from None
        return dataset_id

    def all(self) -> list[DatasetData]:
        """Returns all datasets, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM datasets ORDER BY rowid").fetchall()
            return [_dataset(connection, row) for row in rows]

    def get(self, dataset_id: str) -> DatasetData:
        """Returns a dataset.

        Raises:
            ApiException: There is none with this id.
        """
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT * FROM datasets WHERE id = ?", (dataset_id,)
            ).fetchone()
            if row is None:
                raise ApiException(f"there is no dataset with the id {dataset_id}")
            return _dataset(connection, row)

    def delete(self, dataset_id: str) -> None:
        """Removes a dataset, its credentials and its open runs; stored objects stay.

        Raises:
            ApiException: There is none with this id.
        """
        with self._database.writing() as connection:
            found = connection.execute("DELETE FROM datasets WHERE id = ?", (dataset_id,))
            if found.rowcount == 0:
                raise ApiException(f"there is no dataset with the id {dataset_id}")
            ids = [
                row["id"]
                for row in connection.execute(
                    "DELETE FROM datasources WHERE dataset_id = ? RETURNING id", (dataset_id,)
                ).fetchall()
            ]
            connection.execute("DELETE FROM processed_until WHERE dataset_id = ?", (dataset_id,))
            connection.execute(
                "UPDATE runs SET state = 'CANCELED', modified_ms = ? "
                "WHERE dataset_id = ? AND state = 'OPEN'",
                (now_ms(), dataset_id),
            )
        for datasource_id in ids:
            remove_credentials(self._database.home, datasource_id)

    def processed_until(self, dataset_id: str) -> int:
        """Returns the time up to which a script has listed INPUT, Unix time in seconds; 0 before.

        Raises:
            ApiException: There is no dataset with this id.
        """
        self.get(dataset_id)
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT timestamp FROM processed_until WHERE dataset_id = ?", (dataset_id,)
            ).fetchone()
        return 0 if row is None else int(row["timestamp"])

    def set_processed_until(self, dataset_id: str, timestamp: int) -> None:
        """Sets the time up to which a script has listed INPUT, Unix time in seconds.

        Raises:
            ApiException: There is no dataset with this id.
        """
        self.get(dataset_id)
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO processed_until VALUES (?, ?)", (dataset_id, int(timestamp))
            )

    def set_datasource(
        self,
        dataset_id: str,
        purpose: DatasourcePurpose,
        *,
        kind: str,
        full_path: str,
        options: Mapping[str, str | None],
        secrets: Mapping[str, str | None],
    ) -> None:
        """Gives a dataset its datasource for a purpose, in place of an earlier one.

        Args:
            dataset_id: The dataset.
            purpose: What the datasource is for.
            kind: The original's type.
            full_path: URL or folder.
            options: What may be read by anyone; None leaves an option out.
            secrets: What may not.
        """
        self.get(dataset_id)
        datasource_id = new_id()
        home = self._database.home
        save_credentials(home, datasource_id, {k: v for k, v in secrets.items() if v})
        stored = json.dumps({key: value for key, value in options.items() if value})
        with self._database.writing() as connection:
            earlier = connection.execute(
                "SELECT id FROM datasources WHERE dataset_id = ? AND purpose = ?",
                (dataset_id, purpose),
            ).fetchone()
            connection.execute(
                "INSERT OR REPLACE INTO datasources VALUES (?, ?, ?, ?, ?, ?)",
                (dataset_id, purpose, datasource_id, kind, full_path, stored),
            )
            connection.execute(
                "UPDATE datasets SET modified_ms = ? WHERE id = ?", (now_ms(), dataset_id)
            )
        if earlier is not None:
            remove_credentials(home, earlier["id"])

    def datasource(self, dataset_id: str, purpose: DatasourcePurpose) -> DatasourceData:
        """Returns the datasource that serves a purpose; INPUT_OUTPUT serves both.

        Raises:
            InvalidConfigurationError: There is none.
        """
        dataset = self.get(dataset_id)
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT * FROM datasources WHERE dataset_id = ? AND purpose IN (?, 'INPUT_OUTPUT') "
                "ORDER BY purpose = 'INPUT_OUTPUT'",
                (dataset_id, purpose),
            ).fetchone()
        if row is None:
            raise InvalidConfigurationError(
                f"dataset {dataset.name!r} has no {purpose} datasource: set it with "
                f"set_s3_config(..., purpose=DatasourcePurpose.{purpose}) or another set_..._config"
            )
        return DatasourceData(
            id=row["id"],
            purpose=DatasourcePurpose(row["purpose"]),
            type=row["type"],
            full_path=row["full_path"],
            options=json.loads(row["options"]),
        )


def _dataset(connection: sqlite3.Connection, row: sqlite3.Row) -> DatasetData:
    datasources = connection.execute(
        "SELECT id FROM datasources WHERE dataset_id = ? ORDER BY purpose", (row["id"],)
    ).fetchall()
    return DatasetData(
        id=row["id"],
        name=row["name"],
        type=row["type"],
        datasources=tuple(datasource["id"] for datasource in datasources),
        created_at=row["created_ms"],
        last_modified_at=row["modified_ms"],
    )
