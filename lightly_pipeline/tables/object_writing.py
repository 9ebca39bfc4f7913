"""Objects are cropped out of the frames of a pass, embedded, and written task by task.

Goes with any pass: that which makes the frame table, or one for objects alone. Objects are embedded
in batches of their own, in the order of the frames, so that a network gives them the same bits in
either.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.tables.boxes import VideoBoxes
from lightly_pipeline.tables.embeddings import EMBEDDINGS_FILE, EmbeddingWriter
from lightly_pipeline.tables.objects import BOXES_FILE, BoxWriter, ObjectsOutcome, ObjectTable
from lightly_pipeline.video import DecodedFrame, FrameRow
from lightly_pipeline.video.boxes import PixelBoxes
from lightly_pipeline.video.crops import small_crop
from lightly_pipeline.video.types import Pictures

if TYPE_CHECKING:
    from lightly_pipeline.embedding import CheckedEncoder

_OTHER_PICTURE = "the frame could not be decoded again as it was indexed"


@dataclass(frozen=True, slots=True)
class WantedObjects:
    """The objects of a task that have to be made.

    Attributes:
        table: Where they belong.
        boxes: What they are made of.
    """

    table: ObjectTable
    boxes: VideoBoxes


class ObjectPass:
    """Takes objects out of the frames of one pass over a video.

    Args:
        wanted: The objects, a task each.
        load_encoder: Gives the encoder; called only where there are boxes.
        proofs: Checksum by frame, where the frame table is there already: objects of a frame that
            looks otherwise are left out.

    Attributes:
        n_changed: Frames with boxes that look otherwise than they were indexed, or did not come.
    """

    def __init__(
        self,
        wanted: Sequence[WantedObjects],
        load_encoder: "Callable[[], CheckedEncoder]",
        proofs: Mapping[int, int] | None = None,
    ) -> None:
        self._wanted, self._load_encoder, self._proofs = wanted, load_encoder, proofs
        self._writers: list[_TaskWriter] = []
        self.n_changed = 0

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keeps the files of the objects open; entered again, they are written anew."""
        self.n_changed = 0
        with ExitStack() as files:
            self._writers = [
                _TaskWriter(task, self._load_encoder(), files)
                for task in self._wanted
                if task.boxes.pictures
            ]
            yield
            for writer in self._writers:
                writer.flush()

    @property
    def pictures(self) -> Pictures:
        """The frames whose full pictures are needed."""
        every = [task.boxes.pictures for task in self._wanted]
        named = [pictures for pictures in every if pictures != "all"]
        return "all" if len(named) < len(every) else frozenset().union(*named)

    def over(self, frames: Iterable[DecodedFrame]) -> Iterator[DecodedFrame]:
        """Yields the frames of the pass, once their objects were taken."""
        for frame in frames:
            self._take(frame)
            yield frame

    def miss(self, frame_indices: Iterable[int]) -> None:
        """Notes that frames of the table did not come."""
        for index in frame_indices:
            self._leave_out(index)

    def complete(self, video: str, n_frames: int) -> frozenset[str]:
        """Declares the objects complete, once their files are closed and the frame table is.

        Returns:
            The tasks whose boxes are those of a video of this length; the others are not complete.
        """
        written = {writer.task: writer for writer in self._writers}
        done = set()
        for task in self._wanted:
            counting = task.boxes.of_length(n_frames)
            if counting is None:
                continue
            skipped, name = dict(counting.skipped), task.table.task
            of_table = task.table.fingerprint
            outcome = ObjectsOutcome(video, name, of_table, counting.digest(), counting.version)
            if name in written:
                skipped |= written[name].left_out
                outcome = written[name].described(outcome)
            located = {task.boxes.locate(index): skipped[index] for index in sorted(skipped)}
            task.table.complete(replace(outcome, skipped=located))
            done.add(name)
        return frozenset(done)

    def _take(self, frame: DecodedFrame) -> None:
        index, row = frame.index, frame.row
        found = [(w, boxes) for w in self._writers if len(boxes := w.boxes_in(row))]
        if not found:
            return
        if self._proofs is not None and self._proofs.get(index) != row.checksum:
            self._leave_out(index)
            return
        crops = iter(frame.crops(np.concatenate([boxes for _, boxes in found])))
        for writer, boxes in found:
            writer.add(index, boxes, islice(crops, len(boxes)))

    def _leave_out(self, index: int) -> None:
        had_boxes = [writer.leave_out(index, _OTHER_PICTURE) for writer in self._writers]
        self.n_changed += any(had_boxes)


class _TaskWriter:
    """The objects of one task on their way into files."""

    def __init__(self, wanted: WantedObjects, encoder: "CheckedEncoder", files: ExitStack) -> None:
        self.task, self._boxes, self._encoder = wanted.table.task, wanted.boxes, encoder
        self._files = wanted.table.files_of(wanted.boxes.digest())
        self.left_out: dict[int, str] = {}
        spec = encoder.spec
        assert spec.frame_input is not None
        self._input = spec.frame_input
        shape = (spec.batch_size, self._input.height, self._input.width, 3)
        self._batch = np.empty(shape, dtype=np.uint8)
        self._n_filled = 0
        store, folder = wanted.table.table.store, f"{wanted.table.folder}/{self._files}"
        rows = files.enter_context(store.writer(f"{folder}/{BOXES_FILE}"))
        vectors = files.enter_context(store.writer(f"{folder}/{EMBEDDINGS_FILE}"))
        self._rows = files.enter_context(BoxWriter(rows))
        self._embeddings = files.enter_context(EmbeddingWriter(vectors, spec.dim))

    def boxes_in(self, row: FrameRow) -> PixelBoxes:
        """Returns the boxes of a frame; none where one of them is wrong, which is noted."""
        try:
            return self._boxes.at(row.index, row.width, row.height)
        except ValueError as error:
            self.left_out[row.index] = str(error)
            return np.empty((0, 4), dtype=np.int32)

    def add(self, index: int, boxes: PixelBoxes, crops: Iterable[NDArray[np.uint8]]) -> None:
        """Takes the objects of a frame."""
        self._rows.append(index, boxes)
        for crop in crops:
            self._batch[self._n_filled] = small_crop(crop, self._input)
            self._n_filled += 1
            if self._n_filled == len(self._batch):
                self.flush()

    def flush(self) -> None:
        """Embeds what waits in the batch."""
        if self._n_filled:
            self._embeddings.append(self._encoder.encode(self._batch[: self._n_filled]))
            self._n_filled = 0

    def leave_out(self, index: int, reason: str) -> bool:
        """Notes why a frame gives no objects; returns whether it has boxes."""
        if self._boxes.has(index):
            self.left_out.setdefault(index, reason)
        return self._boxes.has(index)

    def described(self, outcome: ObjectsOutcome) -> ObjectsOutcome:
        """Returns the outcome with what was written."""
        return replace(
            outcome,
            files=self._files,
            n_objects=self._embeddings.n_rows,
            dim=self._encoder.spec.dim,
        )
