"""Fetches chosen frames of one stored video, the long ones by several readers at once.

How one reader does it is in `source.py`; what is worth a reader of its own in `video.plan`.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.datasources import Datasource, StoredObject, Traffic, traffic_of
from lightly_pipeline.datasources.kept_head import KeptHead
from lightly_pipeline.errors import CorruptVideoError, FrameChangedError
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline.tables.source import HEAD_ALONE, fetch_frames, opened
from lightly_pipeline.threads import SharedWork, Spare
from lightly_pipeline.video import FrameIndex, FrameRow
from lightly_pipeline.video.plan import fetch_parts


def fetch_together(
    source: Datasource,
    video: StoredObject,
    outcome: VideoOutcome,
    rows: Sequence[FrameRow],
    indices: Sequence[int],
    take: Callable[[int, NDArray[np.uint8]], None],
    on_traffic: Callable[[Traffic], None],
    spare: Spare,
) -> dict[int, str]:
    """Fetches exactly these frames, on this thread and on those that are free.

    Args:
        source: The INPUT datasource.
        video: The version that was indexed.
        outcome: Its outcome.
        rows: Of all its frames.
        indices: The wanted frames.
        take: Given the index and the RGB array (H, W, 3), uint8, of each, on any thread.
        on_traffic: Told what reading has cost, on any thread, perhaps several times.
        spare: Runs jobs on threads that have nothing else to do.

    Returns:
        Why, by index, for frames that could not be reproduced.

    Raises:
        ObjectChangedError: The video was replaced since.
    """
    parts = _parts(outcome, rows, indices, video.size_bytes)
    head = _head(source, video, outcome, on_traffic) if len(parts) > 1 else None
    problems: dict[int, str] = {}

    def fetch(part: Sequence[int]) -> None:
        left = set(part)
        try:
            frames = fetch_frames(source, video, outcome, rows, sorted(part), on_traffic, head)
            for index, rgb in frames:
                left.discard(index)
                take(index, rgb)
        except (FrameChangedError, CorruptVideoError) as error:
            problems.update(dict.fromkeys(left, str(error)))

    SharedWork(fetch, parts).run(spare)
    return problems


def _parts(
    outcome: VideoOutcome, rows: Sequence[FrameRow], wanted: Sequence[int], size_bytes: int
) -> list[list[int]]:
    # Of a file without an index, each reader would have to go through all of it.
    has_index = outcome.info["duration_s"] is not None
    if outcome.isolated or outcome.is_doubtful or not has_index:
        return [list(wanted)]
    index = FrameIndex.from_table(rows, outcome.report)
    return fetch_parts(index, outcome.info["container"], wanted, size_bytes)


def _head(
    source: Datasource,
    video: StoredObject,
    outcome: VideoOutcome,
    on_traffic: Callable[[Traffic], None],
) -> KeptHead:
    """Returns what opening the video reads."""
    head = KeptHead()
    with (
        source.open(video.path, etag=video.etag, ranges=HEAD_ALONE) as file,
        opened(
            head.recording(file),
            isolated=False,
            untagged_matrix=outcome.report["untagged_matrix"],
            video_stream=outcome.report.get("video_stream"),
        ),
    ):
        on_traffic(traffic_of(file))
    return head
