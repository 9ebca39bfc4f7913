"""Uploads the images of a selection: fetch exactly those frames, encode, store.

One thread decodes each video, a small pool encodes behind it. What is there already is known in
`stored.py`. The manifest is the caller's last word, not written here.
"""

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.datasources import Datasource, StoredObject, Traffic, concurrently
from lightly_pipeline.errors import (
    CorruptVideoError,
    FrameChangedError,
    LightlyPipelineError,
    ObjectNotFoundError,
)
from lightly_pipeline.export.images import encode_image, resize_rgb, target_size
from lightly_pipeline.export.stored import KnownImages, store_once
from lightly_pipeline.layout import frame_path, table_folder
from lightly_pipeline.progress import Progress
from lightly_pipeline.runs.records import (
    ChosenFrame,
    SelectionRecord,
    UploadedImage,
    VideoVersion,
)
from lightly_pipeline.tables.handle import VideoTable
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline.tables.source import fetch_frames
from lightly_pipeline.threads import ContextThreadPool
from lightly_pipeline.video import FrameRow


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What became of the chosen frames.

    Attributes:
        images: Stored images in the order of picks.
        failed: Reason by rank, for frames that could not be decoded again.
        n_decoded_videos: Videos that had to be opened for it.
        traffic: What reading them has cost.
    """

    images: tuple[UploadedImage, ...]
    failed: dict[int, str]
    n_decoded_videos: int
    traffic: Traffic


def upload_images(
    source: Datasource,
    store: Datasource,
    record: SelectionRecord,
    *,
    n_threads: int,
    progress: Progress,
) -> UploadResult:
    """Stores an image for every chosen frame of `record`.

    Raises:
        LightlyPipelineError: Two images would be one file on a store that ignores case.
        DatasourceError: A store failed, or a video was replaced since it was selected from.
    """
    _refuse_collisions(store, record)
    chosen: dict[str, list[ChosenFrame]] = defaultdict(list)
    for frame in record.frames:
        chosen[frame.video].append(frame)
    counter = _Counter(progress, len(record.frames))
    with _pool(n_threads) as videos, _pool(n_threads) as encoders:
        # Each looks up the images that are known of its video.
        exports = list(
            concurrently(
                lambda video: _VideoExport(
                    source, store, record, video, encoders, n_threads, counter
                ),
                chosen,
            )
        )
        done = [
            videos.submit(export.run, frames)
            for export, frames in zip(exports, chosen.values(), strict=True)
        ]
        images = [image for future in done for image in future.result()]
    failed = {rank: reason for export in exports for rank, reason in export.failed.items()}
    return UploadResult(
        tuple(sorted(images, key=lambda i: i.rank)),
        failed,
        n_decoded_videos=sum(export.decoded for export in exports),
        traffic=Traffic.sum(export.traffic for export in exports),
    )


@contextmanager
def _pool(n_threads: int) -> Iterator[ThreadPoolExecutor]:
    """Yields a pool that drops its queue on an error instead of working it off."""
    pool = ContextThreadPool(n_threads)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown(wait=True)


class _Counter:
    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        self._lock = threading.Lock()

    def add(self, n: int) -> None:
        with self._lock:
            self._done += n
            self._progress("upload", self._done, self._total, "images")


class _VideoExport:
    """The images of one video."""

    def __init__(
        self,
        source: Datasource,
        store: Datasource,
        record: SelectionRecord,
        video: str,
        encoders: ThreadPoolExecutor,
        n_pending: int,
        counter: _Counter,
    ) -> None:
        self._source, self._store, self._record, self._video = source, store, record, video
        self._version: VideoVersion = record.videos[video]
        self._table = VideoTable(
            store, table_folder(record.embedding_id, video), self._version.fingerprint
        )
        self._known = KnownImages(self._table, f"{record.image_format} resize={record.resize}")
        self._encoders = encoders
        self._pending = threading.BoundedSemaphore(n_pending + 1)
        self._counter = counter
        self.failed: dict[int, str] = {}
        self.decoded = False
        self.traffic = Traffic()

    def run(self, frames: Sequence[ChosenFrame]) -> list[UploadedImage]:
        images = []
        missing = []
        for frame in frames:
            image = self._known.find(frame.frame_index, frame.rank)
            if image is None:
                missing.append(frame)
            else:
                images.append(image)
        self._counter.add(len(images))
        if missing:
            made = self._make(missing)
            self._known.add(made)
            images += made
        return images

    def _image_path(self, frame: ChosenFrame, mark: str = "") -> str:
        return frame_path(
            frame.video,
            frame.frame_index,
            self._version.n_frames,
            self._record.image_format,
            self._record.resize,
            mark,
        )

    def _make(self, frames: Sequence[ChosenFrame]) -> list[UploadedImage]:
        self.decoded = True
        outcome = self._outcome()
        rows = {row.index: row for row in self._table.rows()}
        wanted = {frame.frame_index: frame for frame in frames}
        pending: list[Future[UploadedImage]] = []
        fetched = fetch_frames(
            self._source,
            StoredObject(self._video, self._version.size_bytes, self._version.etag),
            outcome,
            list(rows.values()),
            sorted(wanted),
            self._note_traffic,
        )
        problem: LightlyPipelineError | None = None
        try:
            for index, rgb in fetched:
                self._pending.acquire()
                job = self._encoders.submit(self._store_image, wanted.pop(index), rows[index], rgb)
                job.add_done_callback(lambda _: self._pending.release())
                pending.append(job)
        except (FrameChangedError, CorruptVideoError) as error:
            problem = error
        for frame in wanted.values():
            self.failed[frame.rank] = str(problem)
        return [job.result() for job in pending]

    def _note_traffic(self, traffic: Traffic) -> None:
        self.traffic = traffic

    def _outcome(self) -> VideoOutcome:
        outcome = self._table.outcome()
        if outcome is None:
            raise ObjectNotFoundError(
                f"{self._video}: the frame table that run {self._record.run_id} selected from was "
                "replaced; start a new run"
            )
        return outcome

    def _store_image(
        self, frame: ChosenFrame, row: FrameRow, rgb: NDArray[np.uint8]
    ) -> UploadedImage:
        size = target_size(rgb.shape[1], rgb.shape[0], self._record.resize)
        content = encode_image(resize_rgb(rgb, size), self._record.image_format)
        path = self._known.restored(frame.frame_index, content) or store_once(
            self._store, lambda mark: self._image_path(frame, mark), content
        )
        self._counter.add(1)
        return UploadedImage(
            rank=frame.rank,
            image=path,
            video=frame.video,
            frame_index=frame.frame_index,
            pts=row.pts,
            time_s=row.time_s,
            width=size[0],
            height=size[1],
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )


def _refuse_collisions(store: Datasource, record: SelectionRecord) -> None:
    spell: Callable[[str], str] = str.casefold if store.is_case_insensitive() else str
    seen: dict[str, str] = {}
    for frame in record.frames:
        n_frames = record.videos[frame.video].n_frames
        path = frame_path(frame.video, frame.frame_index, n_frames, record.image_format)
        other = seen.setdefault(spell(path), path)
        if other != path:
            raise LightlyPipelineError(
                f"the images {other} and {path} would be one file in {store.describe()}, which "
                "ignores case: rename one of the videos or use another LIGHTLY datasource"
            )
