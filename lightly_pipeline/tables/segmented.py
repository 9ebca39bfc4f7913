"""Makes the table of a long video out of segments: several at once where threads are free.

Each segment has a reader and a decoder of its own, and is stored when it is done, so that a run
that was killed goes on from there; at the end the segments are written as one table. The table is
that of one pass, to the last bit, or there is none: then the caller makes one pass. Where segments
begin and what makes them join is `video.segments`' business.
"""

import io
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from lightly_pipeline.datasources import ByteRange, Datasource, StoredObject, Traffic, traffic_of
from lightly_pipeline.datasources.kept_head import KeptHead
from lightly_pipeline.errors import CorruptVideoError, DatasourceError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.tables.attempt import LiveAttempt
from lightly_pipeline.tables.embeddings import EMBEDDINGS_FILE, EmbeddingWriter
from lightly_pipeline.tables.frames import FRAMES_FILE, FrameTableWriter
from lightly_pipeline.tables.handle import VideoTable
from lightly_pipeline.tables.parts import Part, clear_parts, read_part, read_results, write_part
from lightly_pipeline.tables.source import HEAD_ALONE, LIMITS, beside_head
from lightly_pipeline.tables.writing import Written, write_frames
from lightly_pipeline.threads import SharedWork, Spare
from lightly_pipeline.video import DecodeReport, VideoInfo, reasons
from lightly_pipeline.video.headers.seen import Unclear
from lightly_pipeline.video.segments import (
    Segment,
    SegmentLength,
    SegmentResult,
    check_join,
    joined_report,
)
from lightly_pipeline.video.types import UntaggedMatrix

if TYPE_CHECKING:
    from lightly_pipeline.embedding import CheckedEncoder

_logger = logger_of(__name__)


class SegmentedTable(NamedTuple):
    """What making a table of segments gave.

    Attributes:
        info: What the container says.
        report: As one pass would have it.
        written: Rows of the table.
    """

    info: VideoInfo
    report: DecodeReport
    written: Written


class SegmentedVideo:
    """One version of a video, as segments.

    Args:
        source: The INPUT datasource.
        video: The version.
        table: Where its table will be.
        encoder: Gives a frame the same embedding in every batch.
        untagged_matrix: How pictures without colour tags are understood.
        video_stream: Which of several video streams is read; FFmpeg's choice by default.

    Attributes:
        segments: Empty until `find` found some.
        traffic: What reading has cost so far.
    """

    def __init__(
        self,
        source: Datasource,
        video: StoredObject,
        table: VideoTable,
        encoder: "CheckedEncoder",
        untagged_matrix: UntaggedMatrix,
        video_stream: int | None,
    ) -> None:
        self._source, self._video, self._table = source, video, table
        self._encoder, self._video_stream = encoder, video_stream
        self._untagged: UntaggedMatrix = untagged_matrix
        self._head = KeptHead()
        self._info: VideoInfo | None = None
        self._lock = threading.Lock()
        self.segments: Sequence[Segment] = ()
        self.traffic = Traffic()

    @property
    def info(self) -> VideoInfo:
        """What the container says; known once segments were looked for."""
        assert self._info is not None
        return self._info

    def find(self, length: SegmentLength) -> bool:
        """Looks for segments in the container's index; returns whether there are several."""
        from lightly_pipeline.video.container import open_stream
        from lightly_pipeline.video.segment import find_segments

        if self._video.size_bytes < 2 * length.n_bytes:
            return False
        with self._open(HEAD_ALONE) as file:
            try:
                kept = self._head.recording(file)
                with open_stream(kept, LIMITS, video_stream=self._video_stream) as opened:
                    self._info = opened.info
                    self.segments = find_segments(opened, length)
            except CorruptVideoError:
                # One pass will say so.
                return False
            finally:
                self._note_traffic(file)
        return len(self.segments) > 1

    def decode(self, segment: Segment, on_frames: Callable[[int], None]) -> SegmentResult:
        """Decodes and embeds a segment, and stores what that gave.

        Raises:
            Unclear: It is not certain that one pass would give the same.
            DatasourceError: A store failed, or the video was replaced since it was listed.
        """
        from lightly_pipeline.video.container import open_stream
        from lightly_pipeline.video.segment import SegmentPass, segment_frames

        frames, embeddings = io.BytesIO(), io.BytesIO()
        with self._open(self._ranges(segment)) as file:
            try:
                kept = self._head.serving(file)
                with open_stream(
                    kept, LIMITS, seeks=True, video_stream=self._video_stream
                ) as opened:
                    decoding = SegmentPass(opened, LIMITS, self._untagged, segment)
                    wanted = self._encoder.spec.frame_input
                    decoded = segment_frames(decoding, opened, wanted, self._untagged)
                    write_frames(decoded, self._encoder, frames, embeddings, on_frames)
                    result = decoding.result()
            except CorruptVideoError as error:
                raise Unclear(error.reason) from None
            finally:
                self._note_traffic(file)
        write_part(self._table, segment, Part(result, frames.getvalue(), embeddings.getvalue()))
        return result

    def stored(self) -> dict[int, SegmentResult]:
        """Returns the results of segments that are done, by number."""
        return read_results(self._table, self.segments)

    def join(self, results: Sequence[SegmentResult]) -> SegmentedTable:
        """Writes the segments as one table.

        Raises:
            Unclear: They do not make up the whole.
        """
        report = joined_report(results, LIMITS.max_frames)
        store, folder = self._table.store, self._table.folder
        n_before = 0
        with (
            store.writer(f"{folder}/{FRAMES_FILE}") as frames_file,
            store.writer(f"{folder}/{EMBEDDINGS_FILE}") as embeddings_file,
            FrameTableWriter(frames_file) as table,
            EmbeddingWriter(embeddings_file, self._encoder.spec.dim) as embeddings,
        ):
            for segment in self.segments:
                part = read_part(self._table, segment)
                if part is None:
                    raise Unclear(reasons.SEGMENT_LOST())
                for row in part.rows():
                    table.append(replace(row, index=row.index + n_before))
                embeddings.append(part.vectors())
                n_before = embeddings.n_rows
        return SegmentedTable(
            self.info, report, Written(n_before, 0, n_before if self._encoder.spec.dim else 0)
        )

    def clear(self) -> None:
        """Overwrites what the segments left, which nothing needs any more."""
        try:
            clear_parts(self._table, self.segments)
        except (DatasourceError, OSError) as error:
            # They only take room.
            _logger.debug("%s: segments are left: %s", self._video.path, error)

    def _ranges(self, segment: Segment) -> Sequence[ByteRange]:
        return beside_head(segment.byte_ranges(self._video.size_bytes), self._head)

    def _open(self, ranges: Sequence[ByteRange]) -> BinaryIO:
        return self._source.open(self._video.path, etag=self._video.etag, ranges=ranges)

    def _note_traffic(self, file: BinaryIO) -> None:
        with self._lock:
            self.traffic = Traffic.sum([self.traffic, traffic_of(file)])


def decode_segments(
    video: SegmentedVideo,
    attempt: LiveAttempt,
    on_frames: Callable[[int], None],
    spare: Spare,
) -> list[SegmentResult]:
    """Decodes the segments that are not done yet, on this thread and on those that are free.

    Args:
        video: Its segments are known.
        attempt: Told which segments are being decoded.
        on_frames: Told how many more frames were decoded.
        spare: Runs jobs on threads that have nothing else to do.

    Raises:
        Unclear: One pass has to be made.
        DatasourceError: A store failed, or the video was replaced since it was listed.
    """
    return _Decoding(video, attempt, on_frames).run(spare)


class _Decoding:
    """The segments of one video: those that are done, and those that are left to do."""

    def __init__(
        self, video: SegmentedVideo, attempt: LiveAttempt, on_frames: Callable[[int], None]
    ) -> None:
        self._video, self._attempt, self._on_frames = video, attempt, on_frames
        self._done = video.stored()
        left = [s for s in video.segments if s.number not in self._done]
        self._work = SharedWork(self._decode, left)
        self._lock = threading.Lock()

    def run(self, spare: Spare) -> list[SegmentResult]:
        self._work.run(spare)
        return [self._done[segment.number] for segment in self._video.segments]

    def _decode(self, segment: Segment) -> None:
        """Decodes a segment, and looks at once whether it joins its neighbours."""
        with self._attempt.decoding(segment.number):
            result = self._video.decode(segment, self._count)
        with self._lock:
            self._done[segment.number] = result
            before = self._done.get(segment.number - 1)
            after = self._done.get(segment.number + 1)
        if before is not None:
            check_join(before, result)
        if after is not None:
            check_join(result, after)

    def _count(self, n_frames: int) -> None:
        """Counts frames; ends the decoding of one segment where another has failed."""
        if self._work.error is not None:
            raise Unclear(reasons.OTHER_SEGMENT())
        self._on_frames(n_frames)
