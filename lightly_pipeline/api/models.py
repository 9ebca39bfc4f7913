"""What only the client gives back: records under the original's names.

Values only. Records and states that the deployment keeps are `scheduling.models`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from lightly_pipeline.scheduling.models import (
    Priority,
    Record,
    RunState,
    ScheduledState,
    WorkerState,
)


@dataclass(frozen=True, slots=True)
class DockerRunScheduledData(Record):
    """A scheduled run.

    Attributes:
        id: 24 hexadecimal digits; the id of its run as well.
        dataset_id: Whose run it is.
        state: Whether it was taken.
        priority: Which is taken first.
        runs_on: Labels that a worker must all have.
        created_at: Unix time in milliseconds.
        last_modified_at: Unix time in milliseconds.
        owner: Who has it, or had it at its end; None before it was taken.
        config_id: Id of its configuration; that of the run.
        user_id: None: there are no user accounts.
    """

    id: str
    dataset_id: str
    state: ScheduledState
    priority: Priority
    runs_on: tuple[str, ...]
    created_at: int
    last_modified_at: int
    owner: str | None
    config_id: str
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class DockerRunArtifactData(Record):
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
class DockerRunData(Record):
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
        config_id: Id of its configuration; that of the run.
        user_id: None: there are no user accounts.
        archived: False: runs are kept as they are.
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
    config_id: str
    user_id: str | None = None
    archived: bool = False

    @property
    def artifacts(self) -> tuple[DockerRunArtifactData, ...]:
        """The files it has left so far, from the LIGHTLY datasource."""
        return self.find_artifacts()

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "find_artifacts"}
        return {**own, "artifacts": [artifact.to_dict() for artifact in self.artifacts]}


@dataclass(frozen=True, slots=True)
class TagData(Record):
    """A tag: frames that one run chose, or that somebody named.

    Attributes:
        id: 24 hexadecimal digits.
        dataset_id: Whose tag it is.
        prev_tag_id: Id of the tag before it, or that was given as its parent; None for the first.
        name: "initial-tag" for the first.
        tot_size: Number of its frames.
        created_at: Unix time in milliseconds.
        run_id: The run that made it; None for a tag of file names.
        last_modified_at: When it was made: tags do not change.
        query_tag_id: None: no tag is a part of another.
        preselected_tag_id: None: see prev_tag_id.
        changes: None: tags do not change.
    """

    id: str
    dataset_id: str
    prev_tag_id: str | None
    name: str
    tot_size: int
    created_at: int
    run_id: str | None
    last_modified_at: int
    query_tag_id: str | None = None
    preselected_tag_id: str | None = None
    changes: None = None


@dataclass(frozen=True, slots=True)
class DatasetEmbeddingData(Record):
    """Embeddings that runs of a dataset used.

    Attributes:
        id: Under which the tables are kept.
        name: The same.
        is_processed: They are complete.
        created_at: When the newest selection among them was made, Unix time in milliseconds.
    """

    id: str
    name: str
    is_processed: bool
    created_at: int


@dataclass(frozen=True, slots=True)
class DockerWorkerRegistryEntryData(Record):
    """A worker.

    Attributes:
        id: 24 hexadecimal digits.
        name: Of a worker that nobody registered: its machine and process.
        state: OFFLINE, IDLE, BUSY, or CRASHED where it fell silent.
        labels: It takes runs whose labels are all among them.
        created_at: Unix time in milliseconds.
        last_modified_at: When it was last heard of, Unix time in milliseconds.
        docker_version: Version of this package that it runs or ran; None before it was started.
        worker_type: "FULL": there is no other.
        user_id: None: there are no user accounts.
        is_default: False: nobody is given a worker.
    """

    id: str
    name: str
    state: WorkerState
    labels: tuple[str, ...]
    created_at: int
    last_modified_at: int
    docker_version: str | None
    worker_type: str = "FULL"
    user_id: str | None = None
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class CreateEntityResponse(Record):
    """What was made.

    Attributes:
        id: 24 hexadecimal digits.
    """

    id: str
