"""The datasets and datasources that clients created, kept in the deployment's state.

Records in and out; scheduled runs are in `queue.py`, secrets in `credentials.py`.
"""

import json
from collections.abc import Mapping

from sqlalchemy import Connection, RowMapping, delete, func, insert, or_, select, update

from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.scheduling import schema
from lightly_pipeline.scheduling.credentials import Credentials
from lightly_pipeline.scheduling.database import Database
from lightly_pipeline.scheduling.errors import ApiException
from lightly_pipeline.scheduling.models import (
    DatasetData,
    DatasourceData,
    DatasourcePurpose,
    ScheduledState,
)
from lightly_pipeline.scheduling.names import check_dataset_name, new_id

_DATASETS, _DATASOURCES = schema.datasets, schema.datasources
_PROCESSED = schema.processed_until


class Datasets:
    """The datasets of a deployment.

    Args:
        database: Where they are kept.
        credentials: Where their secrets are.
    """

    def __init__(self, database: Database, credentials: Credentials) -> None:
        self._database = database
        self._credentials = credentials

    def create(self, name: str, dataset_type: str) -> str:
        """Creates a dataset and returns its id.

        Raises:
            InvalidConfigurationError: The name is taken, or none.
        """
        check_dataset_name(name)
        dataset_id = new_id()
        with self._database.writing() as connection:
            taken = select(_DATASETS.c.id).where(_DATASETS.c.name == name)
            if connection.scalar(taken) is not None:
                raise InvalidConfigurationError(
                    f"a dataset with the name {name!r} already exists: set_dataset_id_by_name() "
                    "uses it, create_new_dataset_with_unique_name() makes another one"
                )
            # One that is created later has a later time, whatever the clock says.
            last = connection.scalar(select(func.max(_DATASETS.c.created_ms))) or 0
            now = max(self._database.now_ms(), last + 1)
            connection.execute(
                insert(_DATASETS).values(
                    id=dataset_id,
                    name=name,
                    type=str(dataset_type),
                    created_ms=now,
                    modified_ms=now,
                )
            )
        return dataset_id

    def all(self) -> list[DatasetData]:
        """Returns all datasets, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_DATASETS).order_by(_DATASETS.c.created_ms))
            return [_dataset(connection, row) for row in rows.mappings().all()]

    def get(self, dataset_id: str) -> DatasetData:
        """Returns a dataset.

        Raises:
            ApiException: There is none with this id.
        """
        with self._database.reading() as connection:
            found = select(_DATASETS).where(_DATASETS.c.id == dataset_id)
            row = connection.execute(found).mappings().one_or_none()
            if row is None:
                raise ApiException(f"there is no dataset with the id {dataset_id}")
            return _dataset(connection, row)

    def delete(self, dataset_id: str) -> None:
        """Removes a dataset, its credentials and its open runs; stored objects stay.

        Raises:
            ApiException: There is none with this id.
        """
        runs = schema.runs
        with self._database.writing() as connection:
            found = connection.execute(delete(_DATASETS).where(_DATASETS.c.id == dataset_id))
            if found.rowcount == 0:
                raise ApiException(f"there is no dataset with the id {dataset_id}")
            of_dataset = _DATASOURCES.c.dataset_id == dataset_id
            ids = connection.scalars(select(_DATASOURCES.c.id).where(of_dataset)).all()
            connection.execute(delete(_DATASOURCES).where(of_dataset))
            connection.execute(delete(_PROCESSED).where(_PROCESSED.c.dataset_id == dataset_id))
            connection.execute(
                update(runs)
                .where(runs.c.dataset_id == dataset_id, runs.c.state == ScheduledState.OPEN.value)
                .values(state=ScheduledState.CANCELED.value, modified_ms=self._database.now_ms())
            )
        for datasource_id in ids:
            self._credentials.remove(datasource_id)

    def processed_until(self, dataset_id: str) -> int:
        """Returns the time up to which a script has listed INPUT, Unix time in seconds; 0 before.

        Raises:
            ApiException: There is no dataset with this id.
        """
        self.get(dataset_id)
        with self._database.reading() as connection:
            found = select(_PROCESSED.c.timestamp).where(_PROCESSED.c.dataset_id == dataset_id)
            return connection.scalar(found) or 0

    def set_processed_until(self, dataset_id: str, timestamp: int) -> None:
        """Sets the time up to which a script has listed INPUT, Unix time in seconds.

        Raises:
            ApiException: There is no dataset with this id.
        """
        self.get(dataset_id)
        with self._database.writing() as connection:
            connection.execute(delete(_PROCESSED).where(_PROCESSED.c.dataset_id == dataset_id))
            connection.execute(
                insert(_PROCESSED).values(dataset_id=dataset_id, timestamp=int(timestamp))
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

        Raises:
            InvalidConfigurationError: There is nowhere to keep the secrets.
        """
        self.get(dataset_id)
        datasource_id = new_id()
        self._credentials.save(datasource_id, {k: v for k, v in secrets.items() if v})
        stored = json.dumps({key: value for key, value in options.items() if value})
        of_purpose = (
            _DATASOURCES.c.dataset_id == dataset_id,
            _DATASOURCES.c.purpose == purpose.value,
        )
        with self._database.writing() as connection:
            earlier = connection.scalar(select(_DATASOURCES.c.id).where(*of_purpose))
            connection.execute(delete(_DATASOURCES).where(*of_purpose))
            connection.execute(
                insert(_DATASOURCES).values(
                    dataset_id=dataset_id,
                    purpose=purpose.value,
                    id=datasource_id,
                    type=kind,
                    full_path=full_path,
                    options=stored,
                )
            )
            connection.execute(
                update(_DATASETS)
                .where(_DATASETS.c.id == dataset_id)
                .values(modified_ms=self._database.now_ms())
            )
        if earlier is not None:
            self._credentials.remove(earlier)

    def datasource(self, dataset_id: str, purpose: DatasourcePurpose) -> DatasourceData:
        """Returns the datasource that serves a purpose; INPUT_OUTPUT serves both.

        Raises:
            InvalidConfigurationError: There is none.
        """
        dataset = self.get(dataset_id)
        serves_both = _DATASOURCES.c.purpose == DatasourcePurpose.INPUT_OUTPUT.value
        with self._database.reading() as connection:
            rows = connection.execute(
                select(_DATASOURCES)
                .where(
                    _DATASOURCES.c.dataset_id == dataset_id,
                    or_(_DATASOURCES.c.purpose == purpose.value, serves_both),
                )
                .order_by(serves_both)
            )
            row = rows.mappings().first()
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


def _dataset(connection: Connection, row: RowMapping) -> DatasetData:
    ids = connection.scalars(
        select(_DATASOURCES.c.id)
        .where(_DATASOURCES.c.dataset_id == row["id"])
        .order_by(_DATASOURCES.c.purpose)
    )
    return DatasetData(
        id=row["id"],
        name=row["name"],
        type=row["type"],
        datasources=tuple(ids),
        created_at=row["created_ms"],
        last_modified_at=row["modified_ms"],
    )
