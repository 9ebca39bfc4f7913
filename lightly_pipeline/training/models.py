"""The models that LIGHTLY holds: which one was trained last with which options, and by which run.

A model is the checkpoint of the run that trained it. Every run that trained or used one says so in
a file of its own, and one document for each set of options names the model that counts. A training
that was interrupted is kept beside that document. How a model is trained is in `loop.py`.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from lightly_pipeline.datasources import Datasource, StoredObject, read_document
from lightly_pipeline.errors import DamagedDocumentError, ObjectNotFoundError
from lightly_pipeline.layout import CHECKPOINT_FILE, MODEL_FILE, TRAINING_FOLDER, run_path
from lightly_pipeline.logs import logger_of

_logger = logger_of(__name__)
_STATE_FILE = "state.ckpt"


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model, and what is known of its training.

    Attributes:
        name: Of the network.
        checkpoint: Path in LIGHTLY.
        sha256: Of the checkpoint.
        training_id: Of the options.
        videos_id: Of the videos that it was trained on.
        n_videos: How many these are.
        n_frames: How many of their frames took part.
        losses: Of its epochs.
        seconds: How long reading and training took.
        run_id: Of the run that trained it.
    """

    name: str
    checkpoint: str
    sha256: str
    training_id: str
    videos_id: str
    n_videos: int
    n_frames: int
    losses: tuple[float, ...]
    seconds: float
    run_id: str

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainedModel":
        """Returns the model that a document describes."""
        return cls(**{**values, "losses": tuple(values["losses"])})

    @property
    def epochs(self) -> int:
        """How many it was trained for."""
        return len(self.losses)

    def summary(self) -> dict[str, Any]:
        """Returns what is told of it beside the results of a run."""
        return {
            "name": self.name,
            "epochs": self.epochs,
            "first_loss": round(self.losses[0], 4),
            "final_loss": round(self.losses[-1], 4),
            "frames": self.n_frames,
            "trained_by_run": self.run_id,
            "sha256": self.sha256,
        }


def training_id(*identities: str) -> str:
    """Returns the name of a set of options.

    >>> len(training_id("options", "frames"))
    16
    """
    return hashlib.sha256(json.dumps(identities).encode()).hexdigest()[:16]


def videos_id(videos: Iterable[StoredObject]) -> str:
    """Returns a hash of which videos there are, and in which versions."""
    versions = sorted(
        (
            video.path.encode("utf-8", "surrogateescape").hex(),
            video.size_bytes,
            video.etag,
            # Of a shard of images not all need to take part.
            sorted(getattr(video, "left_out", ())),
        )
        for video in videos
    )
    return hashlib.sha256(json.dumps(versions).encode()).hexdigest()[:16]


def read_model(store: Datasource, training_id: str) -> TrainedModel | None:
    """Returns the model that was trained last with some options; None where there is none."""
    return _read(store, _path(training_id, MODEL_FILE))


def model_of_run(store: Datasource, run_id: str) -> TrainedModel | None:
    """Returns the model that a run trained or used; None where it did neither."""
    return _read(store, run_path(run_id, MODEL_FILE))


def keep_model(store: Datasource, model: TrainedModel, content: bytes) -> None:
    """Stores a model that was just trained, and names it as the one that counts."""
    store.write(model.checkpoint, content)
    note_use(store, model, model.run_id)
    # Last: who finds it finds the checkpoint, too.
    store.write(_path(model.training_id, MODEL_FILE), _document(model))
    # Overwritten rather than deleted: LIGHTLY credentials need no delete permission.
    store.write(_path(model.training_id, _STATE_FILE), b"")


def note_use(store: Datasource, model: TrainedModel, run_id: str) -> None:
    """Says in the files of a run which model it trained or used."""
    store.write(run_path(run_id, MODEL_FILE), _document(model))


def checkpoint_path(run_id: str) -> str:
    """Returns where a run keeps the model that it trained."""
    return run_path(run_id, CHECKPOINT_FILE)


def keep_state(store: Datasource, training_id: str, videos_id: str, state: bytes) -> None:
    """Stores a training that goes on, in the place of what was kept before."""
    store.write(_path(training_id, _STATE_FILE), _head(videos_id, state) + state)


def read_state(store: Datasource, training_id: str, videos_id: str) -> bytes | None:
    """Returns the state of a training on the same videos; None without one that is whole."""
    try:
        content = store.read(_path(training_id, _STATE_FILE))
    except ObjectNotFoundError:
        return None
    head, _, state = content.partition(b"\n")
    return state if content and head + b"\n" == _head(videos_id, state) else None


def _head(videos_id: str, state: bytes) -> bytes:
    return f"{videos_id} {hashlib.sha256(state).hexdigest()}\n".encode()


def _path(training_id: str, name: str) -> str:
    return f"{TRAINING_FOLDER}{training_id}/{name}"


def _document(model: TrainedModel) -> bytes:
    return (json.dumps(asdict(model), indent=1) + "\n").encode()


def _read(store: Datasource, path: str) -> TrainedModel | None:
    try:
        return read_document(store, path, TrainedModel.from_dict, "what is known of a model")
    except ObjectNotFoundError:
        return None
    except DamagedDocumentError as error:
        _logger.warning("%s: as if there were no model", error)
        return None
