"""The boxes of a prediction task, video by video: from a file per frame, or one for many.

What a file says is in `boxes.py`; what is made of boxes is the tables' business.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xxhash

from lightly_pipeline.candidates.rows import FRAME_STEM
from lightly_pipeline.datasources import Datasource, StoredObject
from lightly_pipeline.inputs.boxes import parse_boxes
from lightly_pipeline.inputs.files import in_threads, or_problem, read_json
from lightly_pipeline.inputs.prediction_files import prediction_lines
from lightly_pipeline.inputs.predictions import Task
from lightly_pipeline.layout import frame_name
from lightly_pipeline.tables.boxes import VideoBoxes
from lightly_pipeline.video.boxes import Boxes


@dataclass(slots=True)
class _Files:
    """What there is of one video's frames under names whose numbers are of one length.

    Attributes:
        numbers: Of the frames that have a file.
        lines: By number: boxes of a line in the file for many frames, or what is wrong with it.
        places: By number: where that line is, for people.
        version: Differs when a file or line is added, removed or written again.
    """

    numbers: set[int] = field(default_factory=set)
    lines: dict[int, Boxes | str] = field(default_factory=dict)
    places: dict[int, str] = field(default_factory=dict)
    version: int = 0

    def add(self, number: int, item: StoredObject) -> None:
        # A sum does not depend on the order of the listing.
        written = f"{number} {item.size_bytes} {item.etag}"
        self.version += xxhash.xxh3_128_intdigest(written.encode())
        self.numbers.add(number)

    def add_line(self, number: int, found: Boxes | str, place: str) -> None:
        if number in self.lines:
            return
        content = found.encode() if isinstance(found, str) else found.astype("<f8").tobytes()
        self.version += xxhash.xxh3_128_intdigest(f"{number} line ".encode() + content)
        self.lines[number], self.places[number] = found, place

    @property
    def n_frames(self) -> int:
        return len(self.numbers | self.lines.keys())


_Names = dict[tuple[str, str], dict[int, _Files]]
"""Files by how their names begin and end, and by the number of digits between."""


@dataclass(frozen=True, slots=True)
class PredictedBoxes:
    """The boxes that a task's predictions give; a `BoxSource`.

    Attributes:
        store: The LIGHTLY datasource.
        schema: Of the task.
    """

    store: Datasource
    schema: Task
    _listed: list[_Names] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def task(self) -> str:
        """Name of the task."""
        return self.schema.name

    def boxes_of(self, video: str, n_frames: int | None) -> VideoBoxes:
        """Returns the boxes in a video; a bad file is skipped, and said to be.

        Before the number of frames is known, its digits in names of files are those that most files
        of the video have.

        Raises:
            DatasourceError: The store failed.
        """
        begins, ends = _around_number(video)
        by_digits = self._names().get((begins, ends), {})
        digits = len(str(n_frames)) if n_frames is not None else _most_common(by_digits)
        files = by_digits.get(digits, _Files())

        def path(index: int) -> str:
            return f"{self.schema.folder}{begins}-{index:0{digits}d}-{ends}.json"

        def read(index: int) -> Boxes | str:
            line = files.lines.get(index)
            if index not in files.numbers and line is not None:
                return line
            found = or_problem(lambda: parse_boxes(read_json(self.store, path(index)), self.schema))
            return line if isinstance(found, str) and isinstance(line, np.ndarray) else found

        def locate(index: int) -> str:
            is_file = index in files.numbers or index not in files.places
            return self.store.location(path(index)) if is_file else files.places[index]

        by_frame: dict[int, Boxes] = {}
        skipped: dict[int, str] = {}
        known = files.numbers | files.lines.keys()
        wanted = [i for i in sorted(known) if n_frames is None or i < n_frames]
        for index, found in in_threads(read, wanted):
            if isinstance(found, str):
                skipped[index] = found
            elif len(found):
                by_frame[index] = found
        return VideoBoxes(
            by_frame,
            skipped=skipped,
            locate=locate,
            digits=digits if wanted else None,
            version=self._version(files),
        )

    def version_of(self, video: str, n_frames: int) -> str:
        """Returns what the files of a video differ by, without reading them."""
        files = self._names().get(_around_number(video), {}).get(len(str(n_frames)), _Files())
        return self._version(files)

    def _version(self, files: _Files) -> str:
        schema = self.schema
        known = f"{schema.task_type} {schema.category_ids}"
        return f"{files.version:x}-{xxhash.xxh3_64_hexdigest(known.encode())}"

    def _names(self) -> _Names:
        """Returns which frames have files or lines; listed and read once."""
        with self._lock:
            if not self._listed:
                names: _Names = {}
                for item in self.store.list(self.schema.folder):
                    name = item.path.removeprefix(self.schema.folder)
                    if name.endswith(".json"):
                        files, number = _of_name(names, name.removesuffix(".json"))
                        files.add(number, item)
                for place, name, document in prediction_lines(self.store, self.schema):
                    files, number = _of_name(names, name)
                    files.add_line(number, self._boxes_in(document), place)
                self._listed.append(names)
            return self._listed[0]

    def _boxes_in(self, document: Any) -> Boxes | str:
        try:
            return parse_boxes(document, self.schema)
        except ValueError as error:
            return str(error)


def _of_name(names: _Names, name: str) -> tuple[_Files, int]:
    """Returns where a frame of this name is noted, and its number; nowhere for other names."""
    parts = FRAME_STEM.fullmatch(name)
    if parts is None:
        return _Files(), 0
    by_digits = names.setdefault((parts[1], parts[3]), {})
    return by_digits.setdefault(len(parts[2]), _Files()), int(parts[2])


def _around_number(video: str) -> tuple[str, str]:
    """Returns what stands before and behind the number in the names of a video's frames."""
    parts = FRAME_STEM.fullmatch(frame_name(video, 0, 1, "png").removesuffix(".png"))
    return (parts[1], parts[3]) if parts is not None else ("", "")


def _most_common(by_digits: Mapping[int, _Files]) -> int:
    return max(by_digits, key=lambda digits: (by_digits[digits].n_frames, -digits), default=1)
