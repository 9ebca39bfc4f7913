"""Finds the video frames worth labelling.

Only the public names live here, loaded when first used so that importing the package costs
nothing: `Dataset`, `DatasetType`, `EncoderSpec`, `FrameInput`, `LocalDatasource`, `Objects`,
`ProgressMeter`, `RunResult`, `S3Datasource`, `VideoDataset`, `build_definitions`, `clean`,
`export_run`, `import_predictions` and `run`.
`__version__` is that of the installed package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightly_pipeline.config import DatasetType
    from lightly_pipeline.datasets import Dataset
    from lightly_pipeline.datasources import (
        AzureDatasource,
        GCSDatasource,
        LocalDatasource,
        S3Datasource,
    )
    from lightly_pipeline.defs.build import build_definitions
    from lightly_pipeline.defs.component import VideoDataset
    from lightly_pipeline.embedding import EncoderSpec
    from lightly_pipeline.handover.export import export_run
    from lightly_pipeline.intake.predictions import import_predictions
    from lightly_pipeline.pipeline import run
    from lightly_pipeline.progress import ProgressMeter
    from lightly_pipeline.runs.result import RunResult
    from lightly_pipeline.selection import Objects
    from lightly_pipeline.upkeep.cleaning import clean
    from lightly_pipeline.video import FrameInput

__all__ = [
    "AzureDatasource",
    "Dataset",
    "DatasetType",
    "EncoderSpec",
    "FrameInput",
    "GCSDatasource",
    "LocalDatasource",
    "Objects",
    "ProgressMeter",
    "RunResult",
    "S3Datasource",
    "VideoDataset",
    "build_definitions",
    "clean",
    "export_run",
    "import_predictions",
    "run",
]

_HOMES = {
    "Dataset": "lightly_pipeline.datasets",
    "DatasetType": "lightly_pipeline.config",
    "EncoderSpec": "lightly_pipeline.embedding",
    "FrameInput": "lightly_pipeline.video",
    "LocalDatasource": "lightly_pipeline.datasources",
    "Objects": "lightly_pipeline.selection",
    "ProgressMeter": "lightly_pipeline.progress",
    "RunResult": "lightly_pipeline.runs.result",
    "S3Datasource": "lightly_pipeline.datasources",
    "AzureDatasource": "lightly_pipeline.datasources",
    "GCSDatasource": "lightly_pipeline.datasources",
    "VideoDataset": "lightly_pipeline.defs.component",
    "build_definitions": "lightly_pipeline.defs.build",
    "clean": "lightly_pipeline.upkeep.cleaning",
    "export_run": "lightly_pipeline.handover.export",
    "import_predictions": "lightly_pipeline.intake.predictions",
    "run": "lightly_pipeline.pipeline",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _installed_version()
    if name == "api":
        return import_module("lightly_pipeline.api")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def _installed_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("lightly-pipeline")
    except PackageNotFoundError:
        return "0+not.installed"


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
