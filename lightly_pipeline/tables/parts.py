"""What a segment of a long video leaves until the table of the whole is written.

One object for each segment, beside the table: its rows, its embeddings, and what decoding met. A
run that was killed goes on with those that are there. Deleting is not needed: once the table is
complete, they are overwritten with nothing.
"""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.datasources import concurrently
from lightly_pipeline.errors import ObjectNotFoundError
from lightly_pipeline.tables.embeddings import EMBEDDINGS_FILE
from lightly_pipeline.tables.frames import FRAMES_FILE, rows_of
from lightly_pipeline.tables.handle import VideoTable
from lightly_pipeline.video import FrameRow
from lightly_pipeline.video.segments import Segment, SegmentResult

_SEGMENT_FILE = "segment.json"


@dataclass(frozen=True, slots=True)
class Part:
    """A segment that is done.

    Attributes:
        result: What decoding it met.
        frames: Its rows as a Parquet file; indices count from its begin.
        embeddings: Its embeddings as a .npy file.
    """

    result: SegmentResult
    frames: bytes
    embeddings: bytes

    def rows(self) -> list[FrameRow]:
        """Returns its rows."""
        return rows_of(io.BytesIO(self.frames))

    def vectors(self) -> NDArray[np.float32]:
        """Returns its embeddings, shape (n_rows, dim)."""
        array: NDArray[np.float32] = np.load(io.BytesIO(self.embeddings), allow_pickle=False)
        return array


def write_part(table: VideoTable, segment: Segment, part: Part) -> None:
    """Stores what a segment gave."""
    document = {"of": _identity(table, segment), "result": part.result.as_dict()}
    content = io.BytesIO()
    # Not deflated, but with checksums.
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(_SEGMENT_FILE, json.dumps(document))
        archive.writestr(FRAMES_FILE, part.frames)
        archive.writestr(EMBEDDINGS_FILE, part.embeddings)
    table.store.write(_path(table, segment), content.getvalue())


def read_part(table: VideoTable, segment: Segment) -> Part | None:
    """Returns what a segment gave; None where that is not stored, or of another version."""
    try:
        content = table.store.read(_path(table, segment))
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            document = json.loads(archive.read(_SEGMENT_FILE))
            if document["of"] != _identity(table, segment):
                return None
            return Part(
                SegmentResult.from_dict(document["result"]),
                archive.read(FRAMES_FILE),
                archive.read(EMBEDDINGS_FILE),
            )
    except (ObjectNotFoundError, zipfile.BadZipFile, ValueError, KeyError, TypeError):
        return None


def read_results(table: VideoTable, segments: Sequence[Segment]) -> dict[int, SegmentResult]:
    """Returns what is stored of segments by their number, asking the store for several at once."""

    def result(segment: Segment) -> SegmentResult | None:
        part = read_part(table, segment)
        return part.result if part else None

    found = zip(segments, concurrently(result, segments), strict=True)
    return {segment.number: result for segment, result in found if result is not None}


def clear_parts(table: VideoTable, segments: Sequence[Segment]) -> None:
    """Overwrites what segments left."""
    for _ in concurrently(lambda s: table.store.write(_path(table, s), b""), segments):
        pass


def _path(table: VideoTable, segment: Segment) -> str:
    return f"{table.folder}/segments/{segment.number:04d}.zip"


def _identity(table: VideoTable, segment: Segment) -> list[object]:
    """Returns what has to be the same for a stored segment to be this one, as JSON has it."""
    begin, end = (list(edge) if edge else None for edge in (segment.begin, segment.end))
    return [table.fingerprint, begin, end]
