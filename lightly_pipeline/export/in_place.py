"""Chosen images of an image dataset stay in INPUT; each is read once for what is said of it.

That is its hash for the manifest, and small pictures for the report and as thumbnails. Nothing is
copied.
"""

import hashlib
from dataclasses import dataclass

from lightly_pipeline.datasources import Datasource, Traffic, concurrently, traffic_of
from lightly_pipeline.datasources.documents import FEW
from lightly_pipeline.errors import (
    ArchivedObjectError,
    CorruptImageError,
    DatasourceError,
    ObjectChangedError,
    ObjectNotFoundError,
)
from lightly_pipeline.export.previews import Preview, PreviewPlan
from lightly_pipeline.export.thumbnails import Thumbnails
from lightly_pipeline.export.upload import UploadResult
from lightly_pipeline.images.decoding import read_rgb, upright_size
from lightly_pipeline.logs import logger_of
from lightly_pipeline.progress import ProgressMeter
from lightly_pipeline.runs.records import ChosenFrame, SelectionRecord, UploadedImage, VideoVersion

_logger = logger_of(__name__)
_GONE = (ObjectNotFoundError, ObjectChangedError, ArchivedObjectError, CorruptImageError)


def refer_to_images(
    source: Datasource,
    record: SelectionRecord,
    *,
    progress: ProgressMeter,
    plan: PreviewPlan | None = None,
    thumbnails: Thumbnails | None = None,
) -> UploadResult:
    """Looks at every chosen image of `record`, and makes its preview and thumbnail where wanted.

    Args:
        source: The INPUT datasource.
        record: The selection.
        progress: Told how many images were looked at.
        plan: Which previews are wanted.
        thumbnails: Stores thumbnails, where they are wanted.

    Returns:
        With the images that are there as they were listed, and why others are not.

    Raises:
        DatasourceError: A store failed.
    """
    reader = _Reader(source, record, plan, thumbnails)
    meter = progress.begin("upload", "images", total=len(record.frames))
    images, failed, previews = [], {}, {}
    traffic = Traffic()
    for frame, seen in zip(
        record.frames, concurrently(reader.chosen, record.frames, at_once=FEW), strict=True
    ):
        meter.add(1)
        traffic = Traffic.sum((traffic, seen.traffic))
        if seen.image is None:
            failed[frame.rank] = seen.problem
        else:
            images.append(seen.image)
        if seen.preview is not None:
            previews[frame.video, frame.frame_index] = seen.preview
    left_out = plan.left_out if plan else {}
    for path, preview in zip(left_out, concurrently(reader.left_out, left_out), strict=True):
        if preview is not None:
            previews[path, 0] = preview
    return UploadResult(tuple(images), previews, failed, len(images), traffic)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen of a chosen image."""

    image: UploadedImage | None
    preview: Preview | None
    problem: str
    traffic: Traffic


class _Reader:
    def __init__(
        self,
        source: Datasource,
        record: SelectionRecord,
        plan: PreviewPlan | None,
        thumbnails: Thumbnails | None,
    ) -> None:
        self._source, self._record, self._plan = source, record, plan
        self._thumbnails = thumbnails

    def chosen(self, frame: ChosenFrame) -> _Seen:
        """Returns what there is to say of a chosen image."""
        try:
            content, traffic = self._read(frame.video, self._record.videos[frame.video])
            width, height = upright_size(content)
            preview = self._pictures(frame, content)
        except _GONE as error:
            return _Seen(None, None, str(error), Traffic())
        image = UploadedImage(
            rank=frame.rank,
            image=frame.video,
            video=frame.video,
            frame_index=frame.frame_index,
            pts=None,
            time_s=None,
            width=width,
            height=height,
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        return _Seen(image, preview, "", traffic)

    def left_out(self, path: str) -> Preview | None:
        """Returns the preview of an image that was not chosen, where it can be had."""
        assert self._plan is not None
        try:
            content, _ = self._read(path, self._plan.left_out[path].version)
            return self._preview(content)
        except (DatasourceError, CorruptImageError) as error:
            _logger.info("%s: no preview of an image that was left out: %s", path, error)
            return None

    def _read(self, path: str, version: VideoVersion) -> tuple[bytes, Traffic]:
        with self._source.open(path, etag=version.etag) as file:
            return file.read(), traffic_of(file)

    def _pictures(self, frame: ChosenFrame, content: bytes) -> Preview | None:
        """Stores the thumbnail of an image, and returns its preview; each where it is wanted."""
        if self._thumbnails is not None and not self._thumbnails.is_there(frame.video):
            self._thumbnails.add_pixels(frame.video, read_rgb(content))
        wants_preview = self._plan is not None and frame.rank < self._plan.n_chosen
        return self._preview(content) if wants_preview else None

    def _preview(self, content: bytes) -> Preview | None:
        assert self._plan is not None
        rgb = read_rgb(content)
        return self._plan.of_array(rgb, (rgb.shape[1], rgb.shape[0]))
