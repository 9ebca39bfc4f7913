"""What the client gives and takes: records and states under the original's names.

Values only. Where they are kept is `state.py`.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any


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


class RunState(StrEnum):
    """Where a run is; those of the original's states that occur here."""

    OPEN = "OPEN"
    STARTED = "STARTED"
    LOADING_DATASET = "LOADING_DATASET"
    EMBEDDING = "EMBEDDING"
    SAMPLING = "SAMPLING"
    UPLOADING_DATASET = "UPLOADING_DATASET"
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
class _Record:
    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class DatasetData(_Record):
    """A dataset.

    Attributes:
        id: 24 hexadecimal digits.
        name: As it was created.
        type: "Videos".
        datasources: Ids of its datasources.
        created_at: Unix time in milliseconds.
        last_modified_at: Unix time in milliseconds.
    """

    id: str
    name: str
    type: str
    datasources: tuple[str, ...]
    created_at: int
    last_modified_at: int


@dataclass(frozen=True, slots=True)
class DatasourceData(_Record):
    """A datasource without its credentials, which are kept apart.

    Attributes:
        id: 24 hexadecimal digits.
        purpose: What it is for.
        type: "S3", "S3DelegatedAccess", "OBS" or "LOCAL".
        full_path: URL or folder.
        options: Region, endpoint, role.
    """

    id: str
    purpose: DatasourcePurpose
    type: str
    full_path: str
    options: dict[str, str]


@dataclass(frozen=True, slots=True)
class DockerRunScheduledData(_Record):
    """A scheduled run.

    Attributes:
        id: 24 hexadecimal digits; the id of its run as well.
        dataset_id: Whose run it is.
        state: Whether it was taken.
        priority: Which is taken first.
        runs_on: Labels that a worker must all have.
        created_at: Unix time in milliseconds.
        last_modified_at: Unix time in milliseconds.
    """

    id: str
    dataset_id: str
    state: ScheduledState
    priority: Priority
    runs_on: tuple[str, ...]
    created_at: int
    last_modified_at: int


@dataclass(frozen=True, slots=True)
class DockerRunArtifactData(_Record):
    """A file that a run left.

    Attributes:
        id: Its path in the LIGHTLY datasource.
        type: The original's type; MANIFEST, SELECTION, EMBEDDINGS or OTHER for files of our own.
        file_name: Name to save it under.
    """

    id: str
    type: str
    file_name: str


@dataclass(frozen=True, slots=True)
class DockerRunData(_Record):
    """A run that was taken.

    Attributes:
        id: 24 hexadecimal digits; its files are in `.lightly/runs/<id>/`.
        dataset_id: Whose run it is.
        scheduled_id: Id of the scheduled run; the same.
        docker_version: Version of this package.
        state: Where the run is.
        message: How far it is, or why it failed.
        created_at: When it was taken, Unix time in milliseconds.
        last_modified_at: Unix time in milliseconds.
        find_artifacts: Lists the files it has left, when they are asked for.
    """

    id: str
    dataset_id: str
    scheduled_id: str
    docker_version: str
    state: RunState
    message: str
    created_at: int
    last_modified_at: int
    find_artifacts: Callable[[], tuple[DockerRunArtifactData, ...]] = field(
        repr=False, compare=False
    )

    @property
    def artifacts(self) -> tuple[DockerRunArtifactData, ...]:
        """The files it has left so far, from the LIGHTLY datasource."""
        return self.find_artifacts()

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "find_artifacts"}
        return {**own, "artifacts": [artifact.to_dict() for artifact in self.artifacts]}


@dataclass(frozen=True, slots=True)
class TagData(_Record):
    """A tag: the frames that one run chose.

    Attributes:
        id: 24 hexadecimal digits.
        dataset_id: Whose tag it is.
        prev_tag_id: Id of the tag before it, None for the first.
        name: "initial-tag" for the first.
        tot_size: Number of its frames.
        created_at: Unix time in milliseconds.
        run_id: The run that made it.
    """

    id: str
    dataset_id: str
    prev_tag_id: str | None
    name: str
    tot_size: int
    created_at: int
    run_id: str | None
