"""The client's methods about workers: who executes runs, and what for."""

from lightly_pipeline.api.client_base import ClientBase
from lightly_pipeline.api.client_runs import checked_labels
from lightly_pipeline.api.models import DockerWorkerRegistryEntryData


class WorkerMethods(ClientBase):
    """Workers of the deployment: those that were registered, and those that run.

    Dagster and scripts that execute runs themselves are no workers.
    """

    def register_compute_worker(
        self, name: str = "Default", labels: list[str] | None = None
    ) -> str:
        """Registers a worker, which is then started under its id.

        `lightly-pipeline worker --worker-id ID`, or with LIGHTLY_WORKER_ID in its environment,
        takes runs for the labels. Workers need not be registered.

        Args:
            name: At least three letters, digits, spaces, _ and -. Of a name that is registered
                the id is returned that it has, and nothing else changes.
            labels: It takes runs whose `runs_on` are all among them.

        Returns:
            The worker's id.

        Raises:
            InvalidConfigurationError: The name or the labels are none.
        """
        return self._deployment.workers.register(name, checked_labels(labels, "labels"))

    def get_compute_worker_ids(self) -> list[str]:
        """Returns the ids of all workers, oldest first."""
        return [worker.id for worker in self._deployment.workers.all()]

    def get_compute_workers(self) -> list[DockerWorkerRegistryEntryData]:
        """Returns all workers, oldest first."""
        return [
            DockerWorkerRegistryEntryData(
                id=worker.id,
                name=worker.name,
                state=worker.state,
                labels=worker.labels,
                created_at=worker.created_ms,
                last_modified_at=worker.modified_ms,
                docker_version=worker.version,
            )
            for worker in self._deployment.workers.all()
        ]

    def delete_compute_worker(self, worker_id: str) -> None:
        """Forgets a worker; one that runs goes on, and is not listed any more.

        Raises:
            ApiException: There is none with this id.
        """
        self._deployment.workers.delete(worker_id)
