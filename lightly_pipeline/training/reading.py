"""Reads the frames of videos, or of images, into the sample that a model is trained on.

By the rules by which tables are made: the same sampling, damaged frames left out where they are not
to be chosen, a child process for a video that has killed an earlier attempt, and a second look at
what seems damaged. No table is written.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from lightly_pipeline.datasources import Datasource, StoredObject
from lightly_pipeline.datasources.second_look import read_surely
from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.layout import TRAINING_FOLDER, path_digest
from lightly_pipeline.logs import logger_of
from lightly_pipeline.progress import ItemMeter
from lightly_pipeline.tables.fingerprint import video_fingerprint
from lightly_pipeline.tables.handle import VideoTable
from lightly_pipeline.tables.shards import ImageShard
from lightly_pipeline.tables.source import opened
from lightly_pipeline.training.sample import FrameSample
from lightly_pipeline.video import FrameInput, FrameSampling
from lightly_pipeline.video.types import UntaggedMatrix

if TYPE_CHECKING:
    from lightly_pipeline.tables.attempt import Attempt

_logger = logger_of(__name__)
# Attempts to read are told apart from those to make tables.
_ATTEMPTS_ID = "training"
# Frames are counted in parts: each frame alone would be told to everybody who listens.
_COUNTED = 32


@dataclass(frozen=True, slots=True)
class FrameReader:
    """What reading the videos of one dataset has in common.

    Attributes:
        source: The INPUT datasource.
        store: The LIGHTLY datasource.
        sample: Takes the frames.
        edge: Of what is kept of a frame, in pixels.
        sampling: Which frames of a video take part.
        untagged_matrix: How pictures without colour tags are understood.
        video_stream: Which of several video streams is read; FFmpeg's choice by default.
        with_damaged: Whether damaged frames take part.
    """

    source: Datasource
    store: Datasource
    sample: FrameSample
    edge: int
    sampling: FrameSampling
    untagged_matrix: UntaggedMatrix
    video_stream: int | None
    with_damaged: bool

    @property
    def wanted(self) -> FrameInput:
        """What is kept of a frame."""
        return FrameInput(self.edge, self.edge, "area")

    def read(self, video: StoredObject, item: ItemMeter) -> str | None:
        """Reads a video, or a shard of images.

        Args:
            video: The version that was listed.
            item: Told how many frames were decoded.

        Returns:
            Why it gave no frame; None where it gave some. With an error the sample has none of it.

        Raises:
            DatasourceError: A store failed, or the video was replaced since it was listed.
        """
        with self._attempt(video) as attempt:
            if isinstance(video, ImageShard):
                return self._of_images(video, item, isolated=attempt.isolated)
            return self._read_surely(video, item, isolated=attempt.isolated)

    @contextmanager
    def _attempt(self, video: StoredObject) -> Iterator["Attempt"]:
        digest = path_digest(video.path)
        folder = f"{TRAINING_FOLDER}attempts/{digest[:2]}/{digest}"
        marker = VideoTable(self.store, folder, video_fingerprint(video, _ATTEMPTS_ID))
        attempt = marker.begin_attempt()
        if attempt.isolated:
            _logger.warning("%s: an earlier attempt died; reading in a child process", video.path)
        try:
            with marker.beating(attempt):
                yield attempt
        except BaseException as error:
            self.sample.forget(video.path)
            marker.abandon(error)
            raise
        # What has killed a process stays marked, so that the next training does not try it, too.
        if not attempt.isolated:
            marker.end_attempt()

    def _read_surely(self, video: StoredObject, item: ItemMeter, *, isolated: bool) -> str | None:
        is_again = False

        def decode(file: BinaryIO) -> tuple[str | None, bool]:
            nonlocal is_again
            item.restart()
            if is_again:
                self.sample.forget(video.path)
            is_again = True
            try:
                return None, self._decode(file, video, item, isolated=isolated)
            except CorruptVideoError as error:
                return error.reason, True

        reason, _ = read_surely(
            self.source, video, decode, otherwise=", or from the store's own checksum"
        )
        return reason

    def _decode(
        self, file: BinaryIO, video: StoredObject, item: ItemMeter, *, isolated: bool
    ) -> bool:
        """Takes the frames of a video; returns whether anything in it seemed damaged."""
        with opened(
            file,
            isolated=isolated,
            untagged_matrix=self.untagged_matrix,
            video_stream=self.video_stream,
        ) as content:
            is_first, n_uncounted = True, 0
            for frame in content.frames(self.wanted, self.sampling):
                if is_first:
                    # A child process says only now what the container says.
                    info = content.info
                    item.expect(self.sampling.expected_frames(info.duration_s, info.fps))
                    is_first = False
                if frame.small is not None and (self.with_damaged or not frame.row.damaged):
                    self.sample.offer(video.path, frame.index, frame.small)
                n_uncounted += 1
                if n_uncounted == _COUNTED:
                    item.add(n_uncounted)
                    n_uncounted = 0
            report = content.report
        item.add(n_uncounted)
        return bool(report.damaged or report.corrupt_samples(video.path))

    def _of_images(self, shard: ImageShard, item: ItemMeter, *, isolated: bool) -> str | None:
        from lightly_pipeline.tables.images import ShardReader, frames_of_images

        item.expect(shard.n_taking_part)
        n_taken = 0
        with frames_of_images(self.wanted, isolated=isolated) as frame_of:
            reader = ShardReader(self.source, shard, frame_of)
            for frame in reader.frames():
                assert frame.small is not None
                # By the name of the image: which shard it is dealt to depends on what came before.
                self.sample.offer(shard.images[frame.index].path, 0, frame.small)
                item.add(1)
                n_taken += 1
        for path, reason in reader.corrupt.items():
            _logger.warning("%s: not trained on: %s", path, reason)
        return None if n_taken else "no image of it could be decoded"
