"""Uploads the images of a selection: fetch exactly those frames, encode, store.

One thread decodes each video, and those that are free parts of the long ones; a small pool encodes
behind them. What is there already is known in `stored.py`. The manifest is the caller's last word,
not written here.
"""

import hashlib
import threading
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.datasources import Datasource, StoredObject, Traffic, concurrently
from lightly_pipeline.errors import (
    DatasourceError,
    ObjectNotFoundError,
)
from lightly_pipeline.export.collisions import refuse_collisions
from lightly_pipeline.export.crops import store_crops
from lightly_pipeline.export.images import encode_image, resize_rgb, target_size
from lightly_pipeline.export.previews import FrameKey, Preview, PreviewPlan
from lightly_pipeline.export.stored import KnownImages, store_once
from lightly_pipeline.export.thumbnails import Thumbnails
from lightly_pipeline.layout import frame_path, table_folder
from lightly_pipeline.logs import logger_of
from lightly_pipeline.progress import ItemMeter, ProgressMeter, StepMeter
from lightly_pipeline.runs.records import (
    ChosenFrame,
    SelectionRecord,
    UploadedImage,
    VideoVersion,
)
from lightly_pipeline.tables.fetching import fetch_together
from lightly_pipeline.tables.handle import VideoTable
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline.threads import ContextThreadPool, Spare, raise_if_stopped
from lightly_pipeline.video import FrameRow

_logger = logger_of(__name__)


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What became of the chosen frames.

    Attributes:
        images: Stored images in the order of picks.
        previews: Small pictures by frame, where they were wanted and can be had.
        failed: Reason by rank, for frames that could not be decoded again.
        n_decoded_videos: Videos that had to be opened for it.
        traffic: What reading them has cost.
    """

    images: tuple[UploadedImage, ...]
    previews: dict[FrameKey, Preview]
    failed: dict[int, str]
    n_decoded_videos: int
    traffic: Traffic


def upload_images(
    source: Datasource,
    store: Datasource,
    record: SelectionRecord,
    *,
    n_threads: int,
    progress: ProgressMeter,
    plan: PreviewPlan | None = None,
    thumbnails: Thumbnails | None = None,
) -> UploadResult:
    """Stores an image for every chosen frame of `record`, and its thumbnail where wanted.

    Frames that were left out and have a preview are fetched with the chosen ones. Where the images
    of a video were there already, its left-out frames are fetched all the same, unless all images
    of the run were: a run that makes none opens no video. An attempt that ended early counts as the
    same run, so that trying again gives the same previews.

    Args:
        source: The INPUT datasource.
        store: The LIGHTLY datasource.
        record: The selection.
        n_threads: Videos at once.
        progress: Told how many images are stored.
        plan: Which previews are wanted.
        thumbnails: Stores thumbnails, where they are wanted.

    Raises:
        LightlyPipelineError: Two images would be one file on a store that ignores case.
        DatasourceError: A store failed, or a video was replaced since it was selected from.
    """
    refuse_collisions(store, record)
    chosen: dict[str, list[ChosenFrame]] = defaultdict(list)
    for frame in record.frames:
        chosen[frame.video].append(frame)
    meter = progress.begin("upload", "images", total=len(record.frames))
    with ContextThreadPool(n_threads) as videos, ContextThreadPool(n_threads) as encoders:
        # Each looks up the images that are known of its video.
        exports = list(
            concurrently(
                lambda video: _VideoExport(
                    source, store, record, video, encoders, n_threads, meter, plan, thumbnails
                ),
                dict.fromkeys([*chosen, *(plan.left_out if plan else ())]),
            )
        )
        done = [videos.submit(export.run, chosen[export.video], videos.spare) for export in exports]
        images = [image for future in done for image in future.result()]
        if any(export.is_maker for export in exports):
            left = [videos.submit(export.fetch_left_out, videos.spare) for export in exports]
            for future in left:
                future.result()
    failed = {rank: reason for export in exports for rank, reason in export.failed.items()}
    return UploadResult(
        tuple(sorted(images, key=lambda i: i.rank)),
        {key: preview for export in exports for key, preview in export.previews.items()},
        failed,
        n_decoded_videos=sum(export.decoded for export in exports),
        traffic=Traffic.sum(export.traffic for export in exports),
    )


class _VideoExport:
    """The images of one video, and the previews of its frames.

    Attributes:
        is_maker: Whether the run makes images of the video, now or in an attempt that ended early.
    """

    def __init__(
        self,
        source: Datasource,
        store: Datasource,
        record: SelectionRecord,
        video: str,
        encoders: ThreadPoolExecutor,
        n_pending: int,
        meter: StepMeter,
        plan: PreviewPlan | None,
        thumbnails: Thumbnails | None,
    ) -> None:
        self._source, self._store, self._record, self.video = source, store, record, video
        self._plan = plan
        left_out = plan.left_out.get(video) if plan else None
        self._left_out = set(left_out.indices) if left_out else set()
        self._version: VideoVersion = left_out.version if left_out else record.videos[video]
        self._table = VideoTable(
            store, table_folder(record.table_id, video), self._version.fingerprint
        )
        self._known = KnownImages(self._table, f"{record.image_format} resize={record.resize}")
        self._encoders = encoders
        self._pending = threading.BoundedSemaphore(n_pending + 1)
        self._meter = meter
        self._thumbnails = thumbnails
        self._lock = threading.Lock()
        self.failed: dict[int, str] = {}
        self.decoded = self.is_maker = False
        self.traffic = Traffic()
        self.previews: dict[FrameKey, Preview] = {}

    def run(self, frames: Sequence[ChosenFrame], spare: Spare) -> list[UploadedImage]:
        """Stores the images of these frames; returns them."""
        with self._meter.item(self.video, total=len(frames)) as item:
            return self._images(frames, item, spare)

    def _images(
        self, frames: Sequence[ChosenFrame], item: ItemMeter, spare: Spare
    ) -> list[UploadedImage]:
        images = []
        missing = []
        for frame in frames:
            known = self._known.find(frame)
            if known is None:
                missing.append(frame)
                continue
            image, content = known
            images.append(image)
            self.is_maker |= self._known.is_made_by(self._record.run_id, frame.frame_index)
            if self._plan and frame.rank < self._plan.n_chosen:
                self._keep(frame.frame_index, self._plan.of_image(content))
            if self._thumbnails:
                self._thumbnails.add(image.image, content)
        item.add(len(images))
        if missing:
            self.is_maker = True
            made = self._make(missing, item, spare)
            self._known.add(made, self._record.run_id)
            images += made
        return images

    def fetch_left_out(self, spare: Spare) -> None:
        """Makes the previews of left-out frames that no image was made with.

        A frame that cannot be had has none: the run does not need it.
        """
        if not self._left_out:
            return
        try:
            with self._meter.item(self.video) as item:
                self._make([], item, spare)
        except DatasourceError as error:
            _logger.info("%s: no preview of frames that were left out: %s", self.video, error)

    def _keep(self, frame_index: int, preview: Preview | None) -> None:
        if preview is not None:
            self.previews[self.video, frame_index] = preview

    def _image_path(self, frame: ChosenFrame, mark: str = "") -> str:
        return frame_path(
            frame.video,
            frame.frame_index,
            self._version.n_frames,
            self._record.image_format,
            self._record.resize,
            mark,
        )

    def _make(
        self, frames: Sequence[ChosenFrame], item: ItemMeter, spare: Spare
    ) -> list[UploadedImage]:
        self.decoded = True
        left_out, self._left_out = self._left_out, set()
        rows = {row.index: row for row in self._table.rows()}
        wanted = {frame.frame_index: frame for frame in frames}
        pending: list[Future[UploadedImage | None]] = []

        def take(index: int, rgb: NDArray[np.uint8]) -> None:
            raise_if_stopped()
            self._pending.acquire()
            job: Future[UploadedImage | None] = (
                self._encoders.submit(self._store_image, wanted[index], rows[index], rgb, item)
                if index in wanted
                else self._encoders.submit(self._show, index, rgb)
            )
            job.add_done_callback(lambda _: self._pending.release())
            pending.append(job)

        problems = fetch_together(
            self._source,
            StoredObject(self.video, self._version.size_bytes, self._version.etag),
            self._outcome(),
            list(rows.values()),
            sorted(wanted.keys() | left_out),
            take,
            self._note_traffic,
            spare,
        )
        images = [image for job in pending if (image := job.result()) is not None]
        missing = [frame for index, frame in wanted.items() if index in problems]
        if missing and left_out:
            # Without those that only a preview needs: they may be what is wrong.
            return images + self._make(missing, item, spare)
        for frame in missing:
            self.failed[frame.rank] = problems[frame.frame_index]
        return images

    def _show(self, frame_index: int, rgb: NDArray[np.uint8]) -> None:
        assert self._plan is not None
        size = target_size(rgb.shape[1], rgb.shape[0], self._record.resize)
        self._keep(frame_index, self._plan.of_array(rgb, size))

    def _note_traffic(self, traffic: Traffic) -> None:
        with self._lock:
            self.traffic = Traffic.sum((self.traffic, traffic))

    def _outcome(self) -> VideoOutcome:
        outcome = self._table.outcome()
        if outcome is None:
            raise ObjectNotFoundError(
                f"{self.video}: the frame table that run {self._record.run_id} selected from was "
                "replaced; start a new run"
            )
        return outcome

    def _store_image(
        self, frame: ChosenFrame, row: FrameRow, rgb: NDArray[np.uint8], item: ItemMeter
    ) -> UploadedImage:
        size = target_size(rgb.shape[1], rgb.shape[0], self._record.resize)
        resized = resize_rgb(rgb, size)
        content = encode_image(resized, self._record.image_format)
        path = self._known.restored(frame.frame_index, content) or store_once(
            self._store, lambda mark: self._image_path(frame, mark), content
        )
        if self._plan and frame.rank < self._plan.n_chosen:
            preview = self._plan.of_stored(resized, content, self._record.image_format)
            self._keep(frame.frame_index, preview)
        if self._thumbnails:
            self._thumbnails.add(path, content, resized)
        item.add(1)
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
            crops=store_crops(
                self._store, frame, self._version.n_frames, self._record.image_format, rgb
            ),
        )
