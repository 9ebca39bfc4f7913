"""The frames that one run chose: which they are, and their embeddings.

The embeddings are kept with the run, so that a frame can still be compared when its video is gone.
Tags (`tags.py`) and the datapool (`datapool.py`) refer to such sets.
"""

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.datasources import Datasource, StoredObject
from lightly_pipeline.errors import DatasourceError
from lightly_pipeline.layout import run_path

EMBEDDINGS_FILE = "embeddings.npy"


@dataclass(frozen=True, slots=True)
class SourceVideo:
    """The version of a video that frames were chosen from."""

    size_bytes: int
    etag: str
    n_frames: int

    def is_version(self, video: StoredObject) -> bool:
        """Returns whether a listed video is still this version."""
        return (self.size_bytes, self.etag) == (video.size_bytes, video.etag)


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """One chosen frame.

    Attributes:
        video: Path of the video relative to the INPUT root.
        frame_index: Position among the video's decoded frames, from 0.
        image: Path of its image in the LIGHTLY datasource; of an image of INPUT its own, there.
        embedding_row: Its row in the embeddings of the run that chose it.
    """

    video: str
    frame_index: int
    image: str
    embedding_row: int

    @property
    def is_image(self) -> bool:
        """Whether it is an image of INPUT, which stays where it is."""
        return self.image == self.video


@dataclass(frozen=True, slots=True)
class ChosenSet:
    """What one run chose and stored.

    Attributes:
        run_id: The run.
        embedding_id: Id that its embeddings share with those they may be compared with.
        sequence_length: Frames per chosen sequence; 1 for single frames.
        videos: Versions of the videos by path.
        frames: In the order of picks, the frames of a sequence one after the other.
    """

    run_id: str
    embedding_id: str
    sequence_length: int
    videos: dict[str, SourceVideo]
    frames: tuple[StoredFrame, ...]

    def as_dict(self) -> dict[str, Any]:
        """Returns JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ChosenSet":
        """Returns the set that `as_dict` described."""
        return cls(
            run_id=values["run_id"],
            embedding_id=values["embedding_id"],
            sequence_length=values["sequence_length"],
            videos={path: SourceVideo(**video) for path, video in values["videos"].items()},
            frames=tuple(StoredFrame(**frame) for frame in values["frames"]),
        )


def write_embeddings(store: Datasource, run_id: str, embeddings: NDArray[np.float32]) -> None:
    """Keeps the embeddings of a run's chosen frames, shape (k, dim), as the encoder gave them."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(embeddings, dtype="<f4"))
    store.write(run_path(run_id, EMBEDDINGS_FILE), buffer.getvalue())


def read_embeddings(store: Datasource, chosen: ChosenSet) -> NDArray[np.float32]:
    """Returns the embeddings of a set's frames, shape (len(frames), dim), not normalised.

    Raises:
        ObjectNotFoundError: The run's embeddings are gone.
        DatasourceError: The file is not what the run wrote.
    """
    path = run_path(chosen.run_id, EMBEDDINGS_FILE)
    try:
        rows: NDArray[np.float32] = np.load(io.BytesIO(store.read(path)), allow_pickle=False)
        return rows[[frame.embedding_row for frame in chosen.frames]]
    except (ValueError, IndexError) as error:
        raise DatasourceError(
            f"{store.location(path)} does not hold the embeddings of run {chosen.run_id}: {error}"
        ) from None
