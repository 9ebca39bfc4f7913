"""The client of the original's documentation, for a deployment of one's own.

A script written for the original changes its import lines to
`from lightly_pipeline.api import ApiWorkflowClient, DatasetType, DatasourcePurpose` and stays as
it is otherwise. What the client creates is kept in the deployment's state folder and executed by
`lightly-pipeline worker`, by the Dagster daemon, or by the script itself: see `scheduling`.
Nothing here decides how a run works: that is `pipeline`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightly_pipeline.api.client import (
        ApiWorkflowClient,
    )
    from lightly_pipeline.api.client_uploads import (
        InvalidCustomMetadataWarning,
    )
    from lightly_pipeline.api.models import (
        CreateEntityResponse,
        DockerRunArtifactData,
        DockerRunData,
        DockerRunScheduledData,
        DockerWorkerRegistryEntryData,
        TagData,
    )
    from lightly_pipeline.api.names import (
        STATE_SCHEDULED_ID_NOT_FOUND,
        DockerRunArtifactType,
        DockerRunScheduledPriority,
        DockerRunScheduledState,
        DockerRunState,
        DockerWorkerState,
        SelectionConfigV4,
        SelectionConfigV4Entry,
        SelectionConfigV4EntryInput,
        SelectionConfigV4EntryStrategy,
        SelectionInputPredictionsName,
        SelectionInputType,
        SelectionStrategyThresholdOperation,
        SelectionStrategyType,
    )
    from lightly_pipeline.api.uploads import (
        ConfigurationEntry,
        ConfigurationValueDataType,
        PredictionSingletonClassification,
        PredictionSingletonInstanceSegmentation,
        PredictionSingletonKeypointDetection,
        PredictionSingletonObjectDetection,
        PredictionSingletonSemanticSegmentation,
        PredictionTaskSchema,
        PredictionTaskSchemaCategory,
        TaskType,
    )
    from lightly_pipeline.config import (
        DatasetType,
    )
    from lightly_pipeline.errors import (
        InvalidConfigurationError,
    )
    from lightly_pipeline.scheduling.errors import (
        ApiException,
        ArtifactNotExist,
        MethodNotSupportedError,
        TagDoesNotExistError,
    )
    from lightly_pipeline.scheduling.models import (
        ComputeWorkerRunInfo,
        DatasetData,
        DatasourceData,
        DatasourcePurpose,
        RunState,
    )

__all__ = [
    "STATE_SCHEDULED_ID_NOT_FOUND",
    "ApiException",
    "ApiWorkflowClient",
    "ArtifactNotExist",
    "ComputeWorkerRunInfo",
    "ConfigurationEntry",
    "ConfigurationValueDataType",
    "CreateEntityResponse",
    "DatasetData",
    "DatasetType",
    "DatasourceData",
    "DatasourcePurpose",
    "DockerRunArtifactData",
    "DockerRunArtifactType",
    "DockerRunData",
    "DockerRunScheduledData",
    "DockerRunScheduledPriority",
    "DockerRunScheduledState",
    "DockerRunState",
    "DockerWorkerRegistryEntryData",
    "DockerWorkerState",
    "InvalidConfigurationError",
    "InvalidCustomMetadataWarning",
    "MethodNotSupportedError",
    "PredictionSingletonClassification",
    "PredictionSingletonInstanceSegmentation",
    "PredictionSingletonKeypointDetection",
    "PredictionSingletonObjectDetection",
    "PredictionSingletonSemanticSegmentation",
    "PredictionTaskSchema",
    "PredictionTaskSchemaCategory",
    "RunState",
    "SelectionConfigV4",
    "SelectionConfigV4Entry",
    "SelectionConfigV4EntryInput",
    "SelectionConfigV4EntryStrategy",
    "SelectionInputPredictionsName",
    "SelectionInputType",
    "SelectionStrategyThresholdOperation",
    "SelectionStrategyType",
    "TagData",
    "TagDoesNotExistError",
    "TaskType",
]

_HOMES = {
    "ApiException": "scheduling.errors",
    "ApiWorkflowClient": "api.client",
    "ArtifactNotExist": "scheduling.errors",
    "ComputeWorkerRunInfo": "scheduling.models",
    "ConfigurationEntry": "api.uploads",
    "ConfigurationValueDataType": "api.uploads",
    "CreateEntityResponse": "api.models",
    "DatasetData": "scheduling.models",
    "DatasetType": "config",
    "DatasourceData": "scheduling.models",
    "DatasourcePurpose": "scheduling.models",
    "DockerRunArtifactData": "api.models",
    "DockerRunArtifactType": "api.names",
    "DockerRunData": "api.models",
    "DockerRunScheduledData": "api.models",
    "DockerRunScheduledPriority": "api.names",
    "DockerRunScheduledState": "api.names",
    "DockerRunState": "api.names",
    "DockerWorkerRegistryEntryData": "api.models",
    "DockerWorkerState": "api.names",
    "InvalidConfigurationError": "errors",
    "InvalidCustomMetadataWarning": "api.client_uploads",
    "MethodNotSupportedError": "scheduling.errors",
    "PredictionSingletonClassification": "api.uploads",
    "PredictionSingletonInstanceSegmentation": "api.uploads",
    "PredictionSingletonKeypointDetection": "api.uploads",
    "PredictionSingletonObjectDetection": "api.uploads",
    "PredictionSingletonSemanticSegmentation": "api.uploads",
    "PredictionTaskSchema": "api.uploads",
    "PredictionTaskSchemaCategory": "api.uploads",
    "RunState": "scheduling.models",
    "STATE_SCHEDULED_ID_NOT_FOUND": "api.names",
    "SelectionConfigV4": "api.names",
    "SelectionConfigV4Entry": "api.names",
    "SelectionConfigV4EntryInput": "api.names",
    "SelectionConfigV4EntryStrategy": "api.names",
    "SelectionInputPredictionsName": "api.names",
    "SelectionInputType": "api.names",
    "SelectionStrategyThresholdOperation": "api.names",
    "SelectionStrategyType": "api.names",
    "TagData": "api.models",
    "TagDoesNotExistError": "scheduling.errors",
    "TaskType": "api.uploads",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"lightly_pipeline.{_HOMES[name]}"), name)
