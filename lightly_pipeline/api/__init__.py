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
    from lightly_pipeline.api.client import ApiWorkflowClient
    from lightly_pipeline.config import DatasetType
    from lightly_pipeline.errors import InvalidConfigurationError
    from lightly_pipeline.scheduling.errors import (
        ApiException,
        ArtifactNotExist,
        MethodNotSupportedError,
        TagDoesNotExistError,
    )
    from lightly_pipeline.scheduling.models import ComputeWorkerRunInfo, DatasourcePurpose, RunState

__all__ = [
    "ApiException",
    "ApiWorkflowClient",
    "ArtifactNotExist",
    "ComputeWorkerRunInfo",
    "DatasetType",
    "DatasourcePurpose",
    "InvalidConfigurationError",
    "MethodNotSupportedError",
    "RunState",
    "TagDoesNotExistError",
]

_HOMES = {
    "ApiException": "scheduling.errors",
    "ApiWorkflowClient": "api.client",
    "ArtifactNotExist": "scheduling.errors",
    "ComputeWorkerRunInfo": "scheduling.models",
    "DatasetType": "config",
    "DatasourcePurpose": "scheduling.models",
    "InvalidConfigurationError": "errors",
    "MethodNotSupportedError": "scheduling.errors",
    "RunState": "scheduling.models",
    "TagDoesNotExistError": "scheduling.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"lightly_pipeline.{_HOMES[name]}"), name)
