"""`ApiWorkflowClient`: the original's class over a deployment of one's own."""

from typing import Any

from lightly_pipeline.api.absent import ABSENT
from lightly_pipeline.api.client_datasets import DatasetMethods
from lightly_pipeline.api.client_datasources import DatasourceMethods
from lightly_pipeline.api.client_embeddings import EmbeddingMethods
from lightly_pipeline.api.client_listings import ListingMethods
from lightly_pipeline.api.client_runs import RunMethods
from lightly_pipeline.api.client_uploads import UploadMethods
from lightly_pipeline.api.client_workers import WorkerMethods
from lightly_pipeline.scheduling.deployment import Deployment
from lightly_pipeline.scheduling.errors import MethodNotSupportedError


class ApiWorkflowClient(
    DatasetMethods,
    DatasourceMethods,
    RunMethods,
    WorkerMethods,
    EmbeddingMethods,
    ListingMethods,
    UploadMethods,
):
    """Creates datasets, schedules runs and reads their results, as the original's client does.

    Everything is kept in the deployment's state: the PostgreSQL database that
    LIGHTLY_PIPELINE_STATE names, or a folder, which LIGHTLY_PIPELINE_HOME names (by default
    `$DAGSTER_HOME/lightly_pipeline`, or `~/.lightly_pipeline`). Runs are executed by
    `lightly-pipeline worker` or a Dagster daemon with the same state, or by
    `wait_for_run(..., run_in_process=True)`. docs/from-lightly.md says of every method of the
    original what it does here.

    Args:
        token: Accepted and forgotten; there is nobody to show it to.
        dataset_id: The current dataset.
        embedding_id: Kept as an attribute, and not used.
        creator: Not used.

    Raises:
        InvalidConfigurationError: There is no dataset with this id.
        LightlyPipelineError: The state cannot be used.
    """

    def __init__(
        self,
        token: str | None = None,  # noqa: ARG002
        dataset_id: str | None = None,
        embedding_id: str | None = None,
        creator: str | None = None,  # noqa: ARG002
    ) -> None:
        self._deployment = Deployment()
        self._dataset_id = None
        self.embedding_id = embedding_id
        if dataset_id is not None:
            self.dataset_id = dataset_id

    def __getattr__(self, name: str) -> Any:
        if name not in ABSENT:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

        def absent(*_: Any, **__: Any) -> None:
            raise MethodNotSupportedError(
                f"{name}() is not part of lightly_pipeline: {ABSENT[name]}"
            )

        return absent

    def __repr__(self) -> str:
        return f"ApiWorkflowClient({str(self._deployment.address)!r})"
