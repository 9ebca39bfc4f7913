"""The original's names for what is called otherwise here, for scripts that import them.

Names only: of values that a script compares with, and of the models that it may build a
`selection_config` from.
"""

from enum import StrEnum

from lightly_pipeline.config.selection import (
    SelectionConfig,
    SelectionInput,
    SelectionStrategy,
    StrategyEntry,
)
from lightly_pipeline.scheduling.models import Priority, RunState, ScheduledState, WorkerState

STATE_SCHEDULED_ID_NOT_FOUND = RunState.CANCELED_OR_NOT_EXISTING.value

DockerRunState = RunState
DockerRunScheduledState = ScheduledState
DockerRunScheduledPriority = Priority
DockerWorkerState = WorkerState

SelectionConfigV4 = SelectionConfig
SelectionConfigV4Entry = StrategyEntry
SelectionConfigV4EntryInput = SelectionInput
SelectionConfigV4EntryStrategy = SelectionStrategy


class DockerRunArtifactType(StrEnum):
    """What a file is that a run left."""

    LOG = "LOG"
    MEMLOG = "MEMLOG"
    CHECKPOINT = "CHECKPOINT"
    REPORT_PDF = "REPORT_PDF"
    REPORT_JSON = "REPORT_JSON"
    REPORT_V2_JSON = "REPORT_V2_JSON"
    CORRUPTNESS_CHECK_INFORMATION = "CORRUPTNESS_CHECK_INFORMATION"
    SEQUENCE_INFORMATION = "SEQUENCE_INFORMATION"
    RELEVANT_FILENAMES = "RELEVANT_FILENAMES"


class SelectionInputType(StrEnum):
    """What frames are compared by."""

    EMBEDDINGS = "EMBEDDINGS"
    SCORES = "SCORES"
    METADATA = "METADATA"
    PREDICTIONS = "PREDICTIONS"
    RANDOM = "RANDOM"


class SelectionInputPredictionsName(StrEnum):
    """Which number is taken from predictions."""

    CLASS_DISTRIBUTION = "CLASS_DISTRIBUTION"
    CATEGORY_COUNT = "CATEGORY_COUNT"


class SelectionStrategyType(StrEnum):
    """What is aimed for."""

    DIVERSITY = "DIVERSITY"
    WEIGHTS = "WEIGHTS"
    THRESHOLD = "THRESHOLD"
    BALANCE = "BALANCE"
    SIMILARITY = "SIMILARITY"
    TYPICALITY = "TYPICALITY"


class SelectionStrategyThresholdOperation(StrEnum):
    """Which values stay."""

    SMALLER = "SMALLER"
    SMALLER_EQUAL = "SMALLER_EQUAL"
    BIGGER = "BIGGER"
    BIGGER_EQUAL = "BIGGER_EQUAL"
