"""The configuration in Lightly's shape, strict and with messages for people.

Models, merging and reading of files; what an option does is the business of who executes it.
"""

from lightly_pipeline.config.checks import CheckLimits
from lightly_pipeline.config.dataset import DatasetDeclaration, DatasetType, Place
from lightly_pipeline.config.files import read_yaml
from lightly_pipeline.config.lightly import LightlyConfig
from lightly_pipeline.config.pipeline import ApproximateDiversityConfig, PipelineConfig
from lightly_pipeline.config.run import DEFAULT_SELECTION, RunBlocks, RunConfig, load_config_file
from lightly_pipeline.config.selection import (
    SelectionConfig,
    SelectionInput,
    SelectionStrategy,
    StrategyEntry,
)
from lightly_pipeline.config.worker import InputExpiration, WorkerConfig

__all__ = [
    "DEFAULT_SELECTION",
    "ApproximateDiversityConfig",
    "CheckLimits",
    "DatasetDeclaration",
    "DatasetType",
    "InputExpiration",
    "LightlyConfig",
    "PipelineConfig",
    "Place",
    "RunBlocks",
    "RunConfig",
    "SelectionConfig",
    "SelectionInput",
    "SelectionStrategy",
    "StrategyEntry",
    "WorkerConfig",
    "load_config_file",
    "read_yaml",
]
