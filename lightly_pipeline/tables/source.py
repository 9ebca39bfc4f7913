"""How a stored video becomes frames: in this process, or in a child when that killed one before.

Chooses the way and hands over to `lightly_pipeline.video`; what is done with the frames is the
caller's business.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.datasources import (
    ByteRange,
    Datasource,
    StoredObject,
    Traffic,
    confirmed,
    traffic_of,
)
from lightly_pipeline.datasources.kept_head import KeptHead
from lightly_pipeline.datasources.local_files import naming_full_disk
from lightly_pipeline.datasources.second_look import READINGS
from lightly_pipeline.errors import CorruptVideoError, FrameChangedError
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline.video import DecodeLimits, FrameIndex, FrameRow, Video, open_video
from lightly_pipeline.video.isolated import IsolatedVideo
from lightly_pipeline.video.plan import byte_ranges
from lightly_pipeline.video.types import UntaggedMatrix

CHILD_MEMORY_BYTES = 4 * 1024**3
LIMITS = DecodeLimits()
HEAD_ALONE = (ByteRange(0, 1),)
"""For opening a file alone: what that reads lies at its beginning, its end, or both."""


def beside_head(ranges: Sequence[ByteRange], head: KeptHead) -> Sequence[ByteRange]:
    """Returns ranges to open a file with whose head is kept: that is not asked for again."""
    if not ranges:
        return ranges
    left = [ByteRange(max(start, head.n_first), end) for start, end in ranges if end > head.n_first]
    return left if left and left[0].start == 0 else [*HEAD_ALONE, *left]


@contextmanager
def opened(
    file: BinaryIO,
    *,
    isolated: bool,
    untagged_matrix: UntaggedMatrix,
    video_stream: int | None = None,
    index: FrameIndex | None = None,
) -> Iterator[Video | IsolatedVideo]:
    """Opens a video for decoding.

    Args:
        file: A reader of the video; it stays open.
        isolated: Decode in a child process with a deadline and a memory bound.
        untagged_matrix: How pictures without colour tags are understood.
        video_stream: Which of several video streams is read; FFmpeg's choice by default.
        index: Of the whole video, for fetching frames.

    Raises:
        CorruptVideoError: The content is not a video.
        ObjectChangedError: The video was replaced since it was listed.
    """
    if not isolated:
        with open_video(
            file,
            index=index,
            limits=LIMITS,
            untagged_matrix=untagged_matrix,
            video_stream=video_stream,
        ) as opened_video:
            yield opened_video
        return
    with tempfile.TemporaryDirectory(prefix="lightly-pipeline-") as folder:
        copy = Path(folder, "video")
        with naming_full_disk(f"{copy} (TMPDIR)"), copy.open("wb") as target:
            shutil.copyfileobj(file, target, 1024 * 1024)
        with IsolatedVideo(
            copy,
            deadline_s=LIMITS.allowed_time_s(copy.stat().st_size),
            memory_bytes=CHILD_MEMORY_BYTES,
            index=index,
            limits=LIMITS,
            untagged_matrix=untagged_matrix,
            video_stream=video_stream,
        ) as child:
            yield child


def fetch_frames(
    source: Datasource,
    video: StoredObject,
    outcome: VideoOutcome,
    rows: Sequence[FrameRow],
    indices: Sequence[int],
    on_traffic: Callable[[Traffic], None],
    head: KeptHead | None = None,
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yields (frame index, RGB array (H, W, 3) uint8) of exactly these frames as it reaches them.

    Args:
        source: The INPUT datasource.
        video: The version that was indexed.
        outcome: Its outcome.
        rows: Of all its frames.
        indices: The wanted frames.
        on_traffic: Told at the end what reading has cost.
        head: What opening the file reads, where that is known.

    Raises:
        FrameChangedError: Some frames could not be reproduced; the others were yielded before.
        ObjectChangedError: The video was replaced since.
    """
    index = FrameIndex.from_table(rows, outcome.report)
    ranges: Sequence[ByteRange] = ()
    if not outcome.isolated:
        ranges = byte_ranges(index, outcome.info["container"], indices, video.size_bytes)
        ranges = beside_head(ranges, head) if head is not None else ranges
    wanted, traffic = set(indices), Traffic()
    try:
        for reading in range(READINGS):
            with source.open(video.path, etag=video.etag, ranges=ranges) as file:
                try:
                    with opened(
                        file if head is None else head.serving(file),
                        isolated=outcome.isolated,
                        untagged_matrix=outcome.report["untagged_matrix"],
                        video_stream=outcome.report.get("video_stream"),
                        index=index,
                    ) as opened_video:
                        for frame in opened_video.fetch(sorted(wanted), ordered=False):
                            wanted.discard(frame.index)
                            yield frame.index, frame.to_rgb()
                    return
                except (FrameChangedError, CorruptVideoError):
                    if reading == READINGS - 1 or confirmed(file):
                        raise
                finally:
                    traffic = Traffic.sum([traffic, traffic_of(file)])
    finally:
        on_traffic(traffic)
