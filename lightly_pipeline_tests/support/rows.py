"""Rows of frames whose tables are not looked at."""

from collections.abc import Iterable

import numpy as np

from lightly_pipeline.candidates.rows import FrameRows, RowVideo, frame_rows
from lightly_pipeline.datasources import LocalDatasource, StoredObject
from lightly_pipeline.tables.handle import video_table


def row_video(path: str, n_frames: int) -> RowVideo:
    """A video whose table is not looked at."""
    store = LocalDatasource("/nowhere")
    return RowVideo(path, n_frames, video_table(store, "e", StoredObject(path, 1, "1")))


def all_frames(videos: Iterable[RowVideo]) -> FrameRows:
    return frame_rows((video, np.arange(video.n_frames)) for video in videos)
