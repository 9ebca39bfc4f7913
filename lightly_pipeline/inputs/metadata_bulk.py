"""Metadata of many frames and videos from one file: a line each, in any order.

A line says what a metadata file of its frame or video would say, and has to name it.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.rows import FrameNames, FrameRows
from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.bulk_files import (
    BulkFile,
    BulkLine,
    find_bulk,
    stem_of,
    without_collector,
)
from lightly_pipeline.inputs.bulk_names import NameCheck
from lightly_pipeline.inputs.metadata import METADATA_FOLDER, MetadataKey, Value, value_of
from lightly_pipeline.inputs.metadata_columns import ValueColumn
from lightly_pipeline.inputs.relevant import Cases

BULK_METADATA = f"{METADATA_FOLDER}metadata"


@dataclass(frozen=True, slots=True)
class BulkMetadata:
    """What a file for many frames says.

    Attributes:
        frames: Values of frames by key.
        videos: Rows of a video, and its values by key.
    """

    frames: Mapping[str, ValueColumn]
    videos: list[tuple[NDArray[np.int64], dict[str, Value]]] = field(default_factory=list)

    def set_videos(self, values: Mapping[str, ValueColumn]) -> None:
        """Sets what is said of videos."""
        for places, found in self.videos:
            for path, value in found.items():
                values[path].set(places, value)

    def set_frames(self, values: Mapping[str, ValueColumn]) -> None:
        """Sets what is said of frames."""
        for path, column in values.items():
            column.overlay(self.frames[path])


def read_bulk_metadata(
    store: Datasource, keys: Mapping[str, MetadataKey], rows: FrameRows
) -> BulkMetadata | None:
    """Returns what the file for many frames says of the keys; None where there is none.

    Raises:
        LightlyPipelineError: Lines are wrong, or name what an earlier one names: says how many,
            and the first of them with line and key.
    """
    bulk = find_bulk(store, BULK_METADATA)
    if bulk is None:
        return None
    reader = _Reader(bulk, keys, rows)
    with without_collector():
        for batch in bulk.batches(list(keys)):
            for line in batch:
                reader.take(line)
    reader.names.report()
    if reader.wrong.count:
        more = ", ..." if reader.wrong.count > len(reader.wrong.first) else ""
        raise LightlyPipelineError(
            f"{bulk.location}: {reader.wrong.count} {bulk.unit}s are wrong: "
            f"{'; '.join(reader.wrong.first)}{more}"
        )
    return reader.found


class _Reader:
    """Takes line after line."""

    def __init__(self, bulk: BulkFile, keys: Mapping[str, MetadataKey], rows: FrameRows) -> None:
        self._bulk, self._keys = bulk, keys
        self.found = BulkMetadata({p: ValueColumn.of(key, len(rows)) for p, key in keys.items()})
        self._videos: dict[str, list[NDArray[np.int64]]] = {}
        for video, places in rows.of_video():
            self._videos.setdefault(video.path, []).append(places)
        self._named_videos: dict[str, int] = {}
        self.names = NameCheck(bulk, FrameNames(rows), len(rows))
        self.wrong = Cases()

    def take(self, line: BulkLine) -> None:
        """Keeps what a line says, or what is wrong with it."""
        try:
            if line.problem:
                raise ValueError(line.problem)
            self._keep(line)
        except ValueError as error:
            called = f"{line.name}: " if line.name else ""
            self.wrong.add(f"{self._bulk.unit} {line.number}: {called}{error}")

    def _keep(self, line: BulkLine) -> None:
        if line.name in self._videos:
            if (first := self._named_videos.setdefault(line.name, line.number)) != line.number:
                raise ValueError(f"is there since {self._bulk.unit} {first}")
            found = {path: self._value(key, line) for path, key in self._keys.items()}
            self.found.videos.extend((places, found) for places in self._videos[line.name])
            return
        if places := self.names.rows_of(line, stem_of(line.name)):
            for path, key in self._keys.items():
                self.found.frames[path].set(places, self._value(key, line))

    def _value(self, key: MetadataKey, line: BulkLine) -> Value:
        value = value_of(key, line.document)
        # Categories repeat: one text for all frames that have it.
        return sys.intern(value) if isinstance(value, str) else value
