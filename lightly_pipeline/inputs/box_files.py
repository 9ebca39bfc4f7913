"""The boxes of a prediction task, video by video: read from a file per frame.

What a file says is in `boxes.py`; what is made of boxes is the tables' business.
"""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import xxhash

from lightly_pipeline.datasources import Datasource, StoredObject
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.boxes import parse_boxes
from lightly_pipeline.inputs.files import in_threads, read_json
from lightly_pipeline.inputs.predictions import Task
from lightly_pipeline.layout import frame_name
from lightly_pipeline.tables.boxes import VideoBoxes
from lightly_pipeline.video.boxes import Boxes

_FRAME = re.compile(r"(.*)-([0-9]+)-([^-/.]*)", re.DOTALL)


@dataclass(slots=True)
class _Files:
    """The files of one video whose names have numbers of one length.

    Attributes:
        numbers: Of the frames that have one.
        version: Differs when a file is added, removed or written again.
    """

    numbers: list[int] = field(default_factory=list)
    version: int = 0

    def add(self, number: int, item: StoredObject) -> None:
        # A sum does not depend on the order of the listing.
        written = f"{number} {item.size_bytes} {item.etag}"
        self.version += xxhash.xxh3_128_intdigest(written.encode())
        self.numbers.append(number)


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
            try:
                return parse_boxes(read_json(self.store, path(index)), self.schema)
            except (ValueError, LightlyPipelineError) as error:
                return str(error)

        by_frame: dict[int, Boxes] = {}
        skipped: dict[int, str] = {}
        wanted = [i for i in sorted(files.numbers) if n_frames is None or i < n_frames]
        for index, found in in_threads(read, wanted):
            if isinstance(found, str):
                skipped[index] = found
            elif len(found):
                by_frame[index] = found
        return VideoBoxes(
            by_frame,
            skipped=skipped,
            locate=lambda index: self.store.location(path(index)),
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
        """Returns which frames have files; listed once."""
        with self._lock:
            if not self._listed:
                names: _Names = {}
                for item in self.store.list(self.schema.folder):
                    name = item.path.removeprefix(self.schema.folder)
                    parts = _FRAME.fullmatch(name.removesuffix(".json"))
                    if parts is not None and name.endswith(".json"):
                        by_digits = names.setdefault((parts[1], parts[3]), {})
                        files = by_digits.setdefault(len(parts[2]), _Files())
                        files.add(int(parts[2]), item)
                self._listed.append(names)
            return self._listed[0]


def _around_number(video: str) -> tuple[str, str]:
    """Returns what stands before and behind the number in the names of a video's frames."""
    parts = _FRAME.fullmatch(frame_name(video, 0, 1, "png").removesuffix(".png"))
    return (parts[1], parts[3]) if parts is not None else ("", "")


def _most_common(by_digits: Mapping[int, _Files]) -> int:
    return max(by_digits, key=lambda digits: (len(by_digits[digits].numbers), -digits), default=1)
