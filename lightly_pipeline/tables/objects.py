"""The objects of one task in one video: a box and an embedding each, and their outcome.

Beside the frame table of the video, a folder per task. The files lie in a folder named after the
boxes they were made of, so none is ever overwritten with another; the outcome, which is written
last, names it. How objects are made is in `object_writing.py` and `object_build.py`.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lightly_pipeline.datasources import read_document, read_file
from lightly_pipeline.errors import DamagedDocumentError, ObjectNotFoundError
from lightly_pipeline.layout import objects_folder
from lightly_pipeline.logs import logger_of
from lightly_pipeline.tables import embeddings
from lightly_pipeline.tables.handle import VideoTable
from lightly_pipeline.video.boxes import PixelBoxes

_logger = logger_of(__name__)
BOXES_FILE = "boxes.parquet"
OUTCOME_FILE = "objects.json"
_BOX_COLUMNS = ("x", "y", "width", "height")
_SCHEMA = pa.schema(
    [
        pa.field("frame", pa.int64(), nullable=False),
        *(pa.field(name, pa.int32(), nullable=False) for name in _BOX_COLUMNS),
    ]
)
# Raised when the same boxes of the same frames give other objects.
_REVISION = 1
_ROWS_PER_GROUP = 64 * 1024


@dataclass(frozen=True, slots=True)
class ObjectsOutcome:
    """What the boxes of one task gave in one video.

    Attributes:
        video: Path of the video relative to the INPUT root.
        task: Name of the task.
        table: Fingerprint of the video's frame table, and of how objects are made of frames.
        boxes: Hash of the boxes that the objects were made of.
        version: Of where the boxes came from (`BoxSource.version_of`).
        files: Name of the folder of its files.
        n_objects: Rows of its files; there are no files without any.
        dim: Length of one embedding.
        skipped: Reason by location of what somebody wrote down and could not be used.
    """

    video: str
    task: str
    table: str
    boxes: str
    version: str = ""
    files: str = ""
    n_objects: int = 0
    dim: int = 0
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObjectTable:
    """The objects of a task in one version of a video.

    Attributes:
        table: Of the video.
        task: Name of the task.
    """

    table: VideoTable
    task: str

    @property
    def fingerprint(self) -> str:
        """What an outcome must have to be of this version of the video."""
        return f"{self.table.fingerprint}-{_REVISION}"

    @property
    def folder(self) -> str:
        """Where the outcome is, and below it the files."""
        return objects_folder(self.table.folder, self.task)

    def files_of(self, boxes: str) -> str:
        """Returns how the folder of the files is called that are made of boxes with a hash."""
        # Of another version of the video, the same boxes show something else.
        return hashlib.sha256(f"{self.fingerprint} {boxes}".encode()).hexdigest()[:16]

    def outcome(self) -> ObjectsOutcome | None:
        """Returns the outcome for this version of the video, of whichever boxes; None without."""

        def parsed(document: dict[str, Any]) -> ObjectsOutcome | None:
            outcome = ObjectsOutcome(**document)
            return outcome if outcome.table == self.fingerprint else None

        try:
            path = f"{self.folder}/{OUTCOME_FILE}"
            return read_document(self.table.store, path, parsed, "an outcome of objects")
        except ObjectNotFoundError:
            return None
        except DamagedDocumentError as error:
            _logger.warning("%s: the objects are embedded again", error)
            return None

    def complete(self, outcome: ObjectsOutcome) -> None:
        """Declares the table complete."""
        content = json.dumps(asdict(outcome), indent=1).encode()
        self.table.store.write(f"{self.folder}/{OUTCOME_FILE}", content)

    def frames(self, outcome: ObjectsOutcome) -> NDArray[np.int64]:
        """Returns the frame of each object, shape (n_objects,), ascending."""
        if not outcome.n_objects:
            return np.empty(0, dtype=np.int64)
        return np.asarray(self._read(outcome, ["frame"]).column("frame"))

    def boxes_of(
        self, outcome: ObjectsOutcome, frame_indices: Sequence[int]
    ) -> dict[int, PixelBoxes]:
        """Returns the boxes of those of some frames that have any."""
        if not outcome.n_objects:
            return {}
        read = self._read(outcome, _SCHEMA.names)
        frames = np.asarray(read.column("frame"))
        boxes = np.stack([np.asarray(read.column(name)) for name in _BOX_COLUMNS], axis=1)
        found = {i: boxes[slice(*span_of(frames, i))] for i in frame_indices}
        return {index: of_frame for index, of_frame in found.items() if len(of_frame)}

    def read_embeddings_into(self, outcome: ObjectsOutcome, target: NDArray[np.float32]) -> None:
        """Fills `target`, shape (n_objects, dim) and C-contiguous, with all embeddings.

        Raises:
            DatasourceError: The file's shape is another, or it ends early.
        """
        embeddings.read_into(self.table.store, f"{self.folder}/{outcome.files}", target)

    def embeddings_at(
        self, outcome: ObjectsOutcome, places: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Returns the embeddings of some objects, shape (len(places), dim).

        Raises:
            DatasourceError: The file's shape is another, or it ends early.
        """
        shape = (outcome.n_objects, outcome.dim)
        folder = f"{self.folder}/{outcome.files}"
        return embeddings.read_rows(self.table.store, folder, shape, places)

    def _read(self, outcome: ObjectsOutcome, names: Sequence[str]) -> pa.Table:
        def read(file: BinaryIO) -> pa.Table:
            return pq.ParquetFile(file, pre_buffer=True).read(columns=list(names))

        path = f"{self.folder}/{outcome.files}/{BOXES_FILE}"
        return read_file(self.table.store, path, read)


def span_of(frames: NDArray[np.int64], index: int) -> tuple[int, int]:
    """Returns the first object of a frame, and the first one after it."""
    first, last = np.searchsorted(frames, [index, index + 1])
    return int(first), int(last)


class BoxWriter:
    """Appends the boxes of frames to an open Parquet file, a row group at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._writer = pq.ParquetWriter(file, _SCHEMA, compression="zstd")
        self._frames: list[int] = []
        self._boxes: list[PixelBoxes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def append(self, index: int, boxes: PixelBoxes) -> None:
        """Adds the boxes of a frame; frames come in ascending order."""
        self._frames += [index] * len(boxes)
        self._boxes.append(boxes)
        if len(self._frames) >= _ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._frames:
            columns = [self._frames, *np.concatenate(self._boxes).T]
            self._writer.write_table(pa.table(columns, schema=_SCHEMA))
            self._frames.clear()
            self._boxes.clear()
