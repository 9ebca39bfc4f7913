"""Makes the table of one video, or shard of images: frame rows and embeddings as they are decoded.

Objects whose boxes are there before come from the same decode; `object_build.py` makes the others.

Resumable and idempotent: a table with the wanted fingerprint is never made again. Which videos
there are and how many are worked on at once is the pipeline's business.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, BinaryIO

from lightly_pipeline.datasources import (
    Datasource,
    StoredObject,
    Traffic,
    concurrently,
)
from lightly_pipeline.datasources.retries import counting_retries
from lightly_pipeline.datasources.second_look import read_surely
from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.progress import ItemMeter
from lightly_pipeline.tables.attempt import LiveAttempt
from lightly_pipeline.tables.boxes import BoxSource
from lightly_pipeline.tables.embeddings import EMBEDDINGS_FILE
from lightly_pipeline.tables.frames import FRAMES_FILE
from lightly_pipeline.tables.handle import VideoTable, video_table
from lightly_pipeline.tables.object_build import ObjectBuilder
from lightly_pipeline.tables.object_writing import ObjectPass
from lightly_pipeline.tables.outcome import VideoOutcome, described, log_outcome
from lightly_pipeline.tables.segmented import SegmentedVideo, decode_segments
from lightly_pipeline.tables.shards import ImageShard
from lightly_pipeline.tables.source import opened
from lightly_pipeline.tables.writing import write_frames
from lightly_pipeline.threads import Spare, none_spare
from lightly_pipeline.video import (
    ALL_FRAMES,
    DecodedFrame,
    FrameInput,
    FrameSampling,
    Video,
    reasons,
)
from lightly_pipeline.video.headers.seen import Unclear
from lightly_pipeline.video.segments import SegmentLength
from lightly_pipeline.video.types import Pictures, UntaggedMatrix

if TYPE_CHECKING:
    from lightly_pipeline.embedding import CheckedEncoder
    from lightly_pipeline.video.isolated import IsolatedVideo

_logger = logger_of(__name__)


@dataclass(frozen=True, slots=True)
class TableBuilder:
    """Everything that building the tables of one dataset has in common.

    Attributes:
        source: The INPUT datasource.
        store: The LIGHTLY datasource.
        load_encoder: Gives the encoder; called only when a table has to be made.
        embedding_id: Id under which the tables are stored.
        untagged_matrix: How pictures without colour tags are understood.
        sampling: Which frames of a video take part.
        video_stream: Which of several video streams is read; FFmpeg's choice by default.
        embed_changed: Frames that differ by no more than this from the last one that was embedded
            have its vector; None embeds all.
        segment_length: How long the segments of a long video are.
        sources: Where the boxes of objects come from, a task each.
    """

    source: Datasource
    store: Datasource
    load_encoder: Callable[[], "CheckedEncoder"]
    embedding_id: str
    untagged_matrix: UntaggedMatrix
    sampling: FrameSampling = ALL_FRAMES
    video_stream: int | None = None
    embed_changed: float | None = None
    segment_length: SegmentLength = field(default_factory=SegmentLength)
    sources: tuple[BoxSource, ...] = ()

    @property
    def objects(self) -> ObjectBuilder:
        """What makes the objects."""
        return ObjectBuilder(
            self.source,
            self.store,
            self.load_encoder,
            self.embedding_id,
            self.sampling,
            self.sources,
        )

    def table(self, video: StoredObject) -> VideoTable:
        """Returns where the table of this version of the video is, or will be."""
        return video_table(self.store, self.embedding_id, video)

    def existing(self, video: StoredObject) -> VideoOutcome | None:
        """Returns the outcome of this version of the video, if it was processed before."""
        return self.table(video).outcome()

    def existing_many(self, videos: Sequence[StoredObject]) -> list[VideoOutcome | None]:
        """Returns `existing` of every video, asking the store for many at once."""
        return list(concurrently(self.existing, videos))

    def failures(self, videos: Sequence[StoredObject]) -> list[str | None]:
        """Returns `failure` of every video, asking the store for many at once."""
        return list(concurrently(self.failure, videos))

    def failure(self, video: StoredObject) -> str | None:
        """Returns why the last attempt at this version of the video failed, if it did."""
        return self.table(video).failure() or self.objects.failure(video)

    def build(
        self, video: StoredObject, item: ItemMeter, spare: Spare = none_spare
    ) -> VideoOutcome:
        """Decodes and embeds a video, and stores its table and outcome.

        Args:
            video: The version that was listed.
            item: Told how many frames were decoded, and how many there will be.
            spare: Runs jobs on threads that have nothing else to do: segments of a long video.

        Returns:
            The outcome; a corrupt video has one, too.

        Raises:
            DatasourceError: A store failed, or the video was replaced since it was listed.
        """
        table = self.table(video)
        attempt = table.begin_attempt()
        if attempt.isolated:
            _logger.warning(
                "%s: an earlier attempt ended without an outcome; decoding in a child process",
                video.path,
            )
        started = time.monotonic()
        blank = VideoOutcome(
            video=video.path, fingerprint=table.fingerprint, isolated=attempt.isolated
        )
        segmented: SegmentedVideo | None = None
        try:
            with table.beating(attempt) as live, counting_retries() as retries:
                if isinstance(video, ImageShard):
                    from lightly_pipeline.tables.images import embed_images

                    encoder = self.load_encoder()
                    outcome = embed_images(self.source, video, table, encoder, blank, item)
                else:
                    objects = self.objects.expected(video)
                    segmented = self._segmented(video, table, blank, objects)
                    outcome = self._of_video(
                        video, table, segmented, live, blank, item, spare, objects
                    )
        except BaseException as error:
            table.abandon(error)
            raise
        outcome = replace(
            outcome,
            seconds=round(time.monotonic() - started, 3),
            retries=retries.causes,
            waited_s=retries.waited_s,
        )
        table.complete(outcome)
        if segmented is not None:
            segmented.clear()
        log_outcome(outcome)
        if self.sources and not outcome.is_corrupt:
            done = objects.complete(video.path, outcome.n_frames)
            outcome = outcome.with_traffic(self.objects.build(video, outcome, item, done))
        return outcome

    def add_objects(
        self, video: StoredObject, outcome: VideoOutcome, item: ItemMeter
    ) -> VideoOutcome:
        """Makes the objects that a video lacks whose frame table is there.

        Returns:
            The outcome, with what reading the video has cost just now.

        Raises:
            DatasourceError: A store failed, or the video was replaced since it was listed.
        """
        traffic = self.objects.build(video, outcome, item)
        just_now = replace(outcome, requests=0, bytes_read=0, retries={}, waited_s=0.0)
        return just_now.with_traffic(traffic)

    def _of_video(
        self,
        video: StoredObject,
        table: VideoTable,
        segmented: SegmentedVideo | None,
        live: LiveAttempt,
        blank: VideoOutcome,
        item: ItemMeter,
        spare: Spare,
        objects: ObjectPass,
    ) -> VideoOutcome:
        if segmented is not None:
            blank = self._by_segments(segmented, live, blank, item, spare)
        if blank.report:
            return blank
        return self._read_surely(video, table.folder, blank, item, objects)

    def _segmented(
        self, video: StoredObject, table: VideoTable, blank: VideoOutcome, objects: ObjectPass
    ) -> SegmentedVideo | None:
        """Returns a long video as segments; None where it is to be decoded in one pass."""
        encoder = self.load_encoder()
        takes_all = self.sampling == ALL_FRAMES and self.embed_changed is None
        if blank.isolated or not takes_all or objects.pictures:
            return None
        segmented = SegmentedVideo(
            self.source, video, table, encoder, self.untagged_matrix, self.video_stream
        )
        is_long = segmented.find(self.segment_length)
        return segmented if is_long and encoder.same_anywhere else None

    def _by_segments(
        self,
        video: SegmentedVideo,
        attempt: LiveAttempt,
        blank: VideoOutcome,
        item: ItemMeter,
        spare: Spare,
    ) -> VideoOutcome:
        """Returns the outcome of a video by its segments, or a blank one that says why not."""
        item.expect(self.sampling.expected_frames(video.info.duration_s, video.info.fps))
        try:
            made = video.join(decode_segments(video, attempt, item.add, spare))
        except Unclear as doubt:
            # A crash from here on is not one of a segment.
            attempt.beat()
            outcome = replace(blank, warnings=(reasons.ONE_PASS(why=doubt),))
        else:
            dim = self.load_encoder().spec.dim
            outcome = described(blank, made.info, made.report, made.written, dim)
        traffic = video.traffic
        return replace(outcome, requests=traffic.n_requests, bytes_read=traffic.n_bytes)

    def _read_surely(
        self,
        video: StoredObject,
        folder: str,
        blank: VideoOutcome,
        item: ItemMeter,
        objects: ObjectPass,
    ) -> VideoOutcome:
        """Reads again what seems damaged, until that is known to be the store's content."""

        def decode(file: BinaryIO) -> tuple[VideoOutcome, bool]:
            item.restart()
            try:
                outcome = self._decode(file, folder, blank, item, objects)
            except CorruptVideoError as error:
                outcome = replace(blank, corrupt_reason=error.reason)
            return outcome, outcome.is_doubtful

        outcome, traffic = read_surely(
            self.source,
            video,
            decode,
            otherwise=", or from the store's own checksum, so nothing was recorded of it",
        )
        before = Traffic(blank.requests, blank.bytes_read)
        traffic = Traffic.sum([before, traffic])
        return replace(outcome, requests=traffic.n_requests, bytes_read=traffic.n_bytes)

    def _decode(
        self,
        file: BinaryIO,
        folder: str,
        blank: VideoOutcome,
        item: ItemMeter,
        objects: ObjectPass,
    ) -> VideoOutcome:
        encoder = self.load_encoder()
        with (
            opened(
                file,
                isolated=blank.isolated,
                untagged_matrix=self.untagged_matrix,
                video_stream=self.video_stream,
            ) as opened_video,
            self.store.writer(f"{folder}/{FRAMES_FILE}") as frames_file,
            self.store.writer(f"{folder}/{EMBEDDINGS_FILE}") as embeddings_file,
            objects.writing(),
        ):
            frames = objects.over(
                self._frames(opened_video, encoder.spec.frame_input, objects.pictures, item)
            )
            written = write_frames(
                frames, encoder, frames_file, embeddings_file, item.add, self.embed_changed
            )
            info, report = opened_video.info, opened_video.report
        return described(blank, info, report, written, encoder.spec.dim)

    def _frames(
        self,
        video: "Video | IsolatedVideo",
        wanted: FrameInput | None,
        pictures: Pictures,
        item: ItemMeter,
    ) -> Iterator[DecodedFrame]:
        """Yields the frames of a video, once it is told how many there will be."""
        frames = iter(video.frames(wanted, self.sampling, pictures))
        first = next(frames, None)
        # A child process says only now what the container says.
        item.expect(self.sampling.expected_frames(video.info.duration_s, video.info.fps))
        if first is not None:
            yield first
        yield from frames
