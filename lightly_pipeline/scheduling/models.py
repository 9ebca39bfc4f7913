"""What a deployment keeps: records and states under the original's names.

Values only. Where datasets are kept is `datasets.py`, where runs are `queue.py`; what only the
client gives back is `api.models`.
"""

from dataclasses import asdict, dataclass
from enum import Enum, StrEnum
from typing import Any

THUMBNAIL_SUFFIX_OPTION = "thumbnail_suffix"
"""Of a datasource's options, that which is not about reaching it."""


class DatasourcePurpose(StrEnum):
    """What a datasource is for: INPUT is read, LIGHTLY written; INPUT_OUTPUT is both in one."""

    INPUT_OUTPUT = "INPUT_OUTPUT"
    INPUT = "INPUT"
    LIGHTLY = "LIGHTLY"


class Priority(StrEnum):
    """Which scheduled run is taken first."""

    LOW = "LOW"
    MID = "MID"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        """Higher is taken earlier; 0 is MID."""
        return list(Priority).index(self) - 1


class ScheduledState(StrEnum):
    """Whether a scheduled run was taken."""

    OPEN = "OPEN"
    LOCKED = "LOCKED"
    DONE = "DONE"
    CANCELED = "CANCELED"


class Claim(Enum):
    """What became of an attempt to take a run."""

    TAKEN = "taken"
    BUSY = "another run of the dataset is in progress"
    GONE = "somebody else has it, or it has ended"


class WorkerState(StrEnum):
    """What a worker does."""

    OFFLINE = "OFFLINE"
    CRASHED = "CRASHED"
    IDLE = "IDLE"
    BUSY = "BUSY"


class RunState(StrEnum):
    """Where a run is: the original's states, of which those in the middle never occur here."""

    OPEN = "OPEN"
    STARTED = "STARTED"
    LOADING_DATASET = "LOADING_DATASET"
    EMBEDDING = "EMBEDDING"
    SAMPLING = "SAMPLING"
    UPLOADING_DATASET = "UPLOADING_DATASET"
    GENERATING_REPORT = "GENERATING_REPORT"
    UPLOADING_REPORT = "UPLOADING_REPORT"

    INITIALIZING = "INITIALIZING"
    LOADING_METADATA = "LOADING_METADATA"
    LOADING_PREDICTION = "LOADING_PREDICTION"
    CHECKING_CORRUPTNESS = "CHECKING_CORRUPTNESS"
    INITIALIZING_OBJECT_CROPS = "INITIALIZING_OBJECT_CROPS"
    COMPUTING_METADATA = "COMPUTING_METADATA"
    TRAINING = "TRAINING"
    EMBEDDING_OBJECT_CROPS = "EMBEDDING_OBJECT_CROPS"
    PRETAGGING = "PRETAGGING"
    COMPUTING_ACTIVE_LEARNING_SCORES = "COMPUTING_ACTIVE_LEARNING_SCORES"
    EMBEDDING_FULL_IMAGES = "EMBEDDING_FULL_IMAGES"
    SAVING_RESULTS = "SAVING_RESULTS"
    UPLOADED_REPORT = "UPLOADED_REPORT"
    UPLOADING_ARTIFACTS = "UPLOADING_ARTIFACTS"
    UPLOADED_ARTIFACTS = "UPLOADED_ARTIFACTS"

    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CRASHED = "CRASHED"
    ABORTED = "ABORTED"
    CANCELED_OR_NOT_EXISTING = "CANCELED_OR_NOT_EXISTING"


_END_STATES = frozenset(
    {
        RunState.COMPLETED,
        RunState.FAILED,
        RunState.CRASHED,
        RunState.ABORTED,
        RunState.CANCELED_OR_NOT_EXISTING,
    }
)


@dataclass(frozen=True, slots=True)
class ComputeWorkerRunInfo:
    """Where a run is, and the last it said.

    Attributes:
        state: The run's state.
        message: How far it is, or why it failed.
    """

    state: RunState
    message: str

    def in_end_state(self) -> bool:
        """Returns whether the run has ended."""
        return self.state in _END_STATES

    def ended_successfully(self) -> bool:
        """Returns whether the run ended well.

        Raises:
            ValueError: It has not ended.
        """
        if not self.in_end_state():
            raise ValueError("the run is still in progress")
        return self.state is RunState.COMPLETED


@dataclass(frozen=True, slots=True)
class Record:
    """Values with names."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class DatasetData(Record):
    """A dataset.

    Attributes:
        id: 24 hexadecimal digits.
        name: As it was created.
        type: "Videos".
        datasources: Ids of its datasources.
        created_at: Unix time in milliseconds.
        last_modified_at: Unix time in milliseconds.
        user_id: None: there are no user accounts.
    """

    id: str
    name: str
    type: str
    datasources: tuple[str, ...]
    created_at: int
    last_modified_at: int
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class DatasourceData(Record):
    """A datasource without its credentials, which are kept apart.

    Attributes:
        id: 24 hexadecimal digits.
        purpose: What it is for.
        type: "S3", "S3DelegatedAccess", "OBS", "GCS", "AZURE" or "LOCAL".
        full_path: URL or folder.
        options: Region, endpoint, role, and where thumbnails go.
    """

    id: str
    purpose: DatasourcePurpose
    type: str
    full_path: str
    options: dict[str, str]
