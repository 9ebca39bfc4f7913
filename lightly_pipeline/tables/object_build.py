"""Makes the objects of videos: with the frame table, or in a pass of their own later.

A pass of its own is made for objects whose boxes came or changed after the frame table was made: of
those videos alone, and of their tasks alone. Every frame of it is compared with the table.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from lightly_pipeline.datasources import (
    Datasource,
    StoredObject,
    Traffic,
    concurrently,
)
from lightly_pipeline.datasources.documents import FEW
from lightly_pipeline.datasources.second_look import read_surely
from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.progress import ItemMeter
from lightly_pipeline.tables.boxes import BoxSource
from lightly_pipeline.tables.handle import VideoTable, video_table
from lightly_pipeline.tables.object_writing import ObjectPass, WantedObjects
from lightly_pipeline.tables.objects import ObjectTable
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline.tables.source import opened
from lightly_pipeline.video import FrameSampling

if TYPE_CHECKING:
    from lightly_pipeline.embedding import CheckedEncoder

_logger = logger_of(__name__)


@dataclass(frozen=True, slots=True)
class ObjectBuilder:
    """What making the objects of one dataset has in common.

    Attributes:
        source: The INPUT datasource.
        store: The LIGHTLY datasource.
        load_encoder: Gives the encoder of the frames, which is that of the objects.
        embedding_id: Id under which the tables are stored.
        sampling: Which frames of a video take part.
        sources: Where the boxes come from, a task each.
    """

    source: Datasource
    store: Datasource
    load_encoder: Callable[[], "CheckedEncoder"]
    embedding_id: str
    sampling: FrameSampling
    sources: tuple[BoxSource, ...]

    def expected(self, video: StoredObject) -> ObjectPass:
        """Returns what takes the objects of a video that has no frame table yet.

        They are those of the boxes that are there, as far as can be told before decoding.
        """
        wanted = self._wanted(video, None, ())
        return ObjectPass(wanted, self.load_encoder)

    def without(
        self, found: Iterable[tuple[StoredObject, VideoOutcome | None]]
    ) -> list[StoredObject]:
        """Returns those of some videos, with their outcomes, that have a table and lack objects."""
        known = [(video, outcome) for video, outcome in found if outcome is not None]
        if not self.sources:
            return []
        answers = concurrently(lambda made: bool(self.lacking(*made)), known, at_once=FEW)
        return [video for (video, _), is_lacking in zip(known, answers, strict=True) if is_lacking]

    def failure(self, video: StoredObject) -> str | None:
        """Returns why the last pass for the objects of a video failed, if it did."""
        if not self.sources:
            return None
        return _marker(video_table(self.store, self.embedding_id, video)).failure()

    def lacking(
        self, video: StoredObject, outcome: VideoOutcome, done: Collection[str] = ()
    ) -> list[WantedObjects]:
        """Returns the objects of a video that only a pass can make: not stored, or of other boxes.

        That a task has no box in the video is stored at once.

        Args:
            video: The version that was listed.
            outcome: Of its table.
            done: Tasks that need not be looked at.
        """
        if outcome.is_corrupt:
            return []
        current = {s.task for s in self.sources if self._is_current(s, video, outcome.n_frames)}
        missing = self._wanted(video, outcome.n_frames, current.union(done))
        empty = [task for task in missing if not task.boxes.pictures]
        ObjectPass(empty, self.load_encoder).complete(outcome.video, outcome.n_frames)
        return [task for task in missing if task.boxes.pictures]

    def _is_current(self, source: BoxSource, video: StoredObject, n_frames: int) -> bool:
        """Returns whether the stored objects are those of the boxes that there are now.

        Boxes are read only where what they come from was written again.
        """
        table = ObjectTable(video_table(self.store, self.embedding_id, video), source.task)
        outcome = table.outcome()
        if outcome is None:
            return False
        version = source.version_of(video.path, n_frames)
        if version and version == outcome.version:
            return True
        if source.boxes_of(video.path, n_frames).digest() != outcome.boxes:
            return False
        if version:
            table.complete(replace(outcome, version=version))
        return True

    def build(
        self,
        video: StoredObject,
        outcome: VideoOutcome,
        item: ItemMeter,
        done: Collection[str] = (),
    ) -> Traffic:
        """Makes the objects that a video lacks, in a pass over it if there are boxes.

        Args:
            video: The version that was listed.
            outcome: Of its table.
            item: Told how many frames were decoded.
            done: Tasks that need not be looked at.

        Returns:
            What reading the video has cost.

        Raises:
            DatasourceError: A store failed, or the video was replaced since it was listed.
        """
        wanted = self.lacking(video, outcome, done)
        if not wanted:
            return Traffic()
        table = video_table(self.store, self.embedding_id, video)
        marked = _marker(table)
        attempt = marked.begin_attempt()
        if attempt.isolated:
            _logger.warning(
                "%s: an earlier attempt at its objects ended without an outcome; decoding in a "
                "child process",
                video.path,
            )
        try:
            with marked.beating(attempt):
                isolated = outcome.isolated or attempt.isolated
                traffic = self._read_surely(
                    video, table, replace(outcome, isolated=isolated), wanted, item
                )
        except BaseException as error:
            marked.abandon(error)
            raise
        # No outcome makes this marker void.
        marked.end_attempt()
        return traffic

    def _wanted(
        self, video: StoredObject, n_frames: int | None, done: Collection[str]
    ) -> list[WantedObjects]:
        table = video_table(self.store, self.embedding_id, video)
        return [
            WantedObjects(ObjectTable(table, source.task), source.boxes_of(video.path, n_frames))
            for source in self.sources
            if source.task not in done
        ]

    def _read_surely(
        self,
        video: StoredObject,
        table: VideoTable,
        outcome: VideoOutcome,
        wanted: list[WantedObjects],
        item: ItemMeter,
    ) -> Traffic:
        """Reads again what looks otherwise, until that is known to be the store's content."""
        columns = table.columns(["index", "checksum"])
        proofs = dict(zip(columns["index"].tolist(), columns["checksum"].tolist(), strict=True))
        objects = ObjectPass(wanted, self.load_encoder, proofs)
        pictures = objects.pictures
        frames = proofs.keys() if pictures == "all" else proofs.keys() & pictures

        def decode(file: BinaryIO) -> tuple[None, bool]:
            item.restart()
            item.expect(outcome.n_rows)
            self._decode(file, outcome, objects, set(frames), item)
            return None, bool(objects.n_changed)

        _, traffic = read_surely(
            self.source, video, decode, otherwise=", so its objects were not embedded"
        )
        objects.complete(outcome.video, outcome.n_frames)
        return traffic

    def _decode(
        self,
        file: BinaryIO,
        outcome: VideoOutcome,
        objects: ObjectPass,
        left: set[int],
        item: ItemMeter,
    ) -> None:
        """Takes objects out of frames until none is `left`."""
        with objects.writing():
            try:
                with opened(
                    file,
                    isolated=outcome.isolated,
                    untagged_matrix=outcome.report["untagged_matrix"],
                    video_stream=outcome.report.get("video_stream"),
                ) as video:
                    frames = video.frames(None, self.sampling, objects.pictures)
                    for frame in objects.over(frames):
                        left.discard(frame.index)
                        item.add(1)
                        if not left:
                            break
            except CorruptVideoError as error:
                _logger.warning("%s: %s", outcome.video, error.reason)
            objects.miss(left)


def _marker(table: VideoTable) -> VideoTable:
    """Returns where the marker of an attempt at the objects of a video is left."""
    return VideoTable(table.store, f"{table.folder}/objects", table.fingerprint)
