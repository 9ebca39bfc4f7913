"""Finds frames as records name them, by file and index, among embedded videos and shards.

Of an image the file is the image itself and the index 0, whatever shard it is in: so what was
chosen is known again when images are dealt anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.tables.shards import ImageShard

if TYPE_CHECKING:
    from lightly_pipeline.candidates.earlier import EmbeddedVideo


@dataclass(frozen=True, slots=True)
class Found:
    """Where a frame is.

    Attributes:
        video: Embedded; a shard, of an image.
        index: Of the frame there.
    """

    video: "EmbeddedVideo"
    index: int

    @property
    def file(self) -> StoredObject:
        """The file in INPUT that it is of."""
        video = self.video.video
        return video.images[self.index] if isinstance(video, ImageShard) else video

    @property
    def row(self) -> int:
        """Its place among the candidates of `video`."""
        row = self.video.row_of(self.index)
        assert row is not None
        return row


class Whereabouts:
    """Where frames are among some embedded videos.

    Args:
        videos: By path.
    """

    def __init__(self, videos: "Mapping[str, EmbeddedVideo]") -> None:
        self._videos = videos

    def find(self, path: str, frame_index: int) -> Found | None:
        """Returns where a frame is that may be a candidate; None where it is not.

        Args:
            path: Of the file in INPUT.
            frame_index: Position among its frames.
        """
        image = self._images.get(path)
        if image is not None:
            return image
        video = self._videos.get(path)
        if video is None or video.row_of(frame_index) is None:
            return None
        return Found(video, frame_index)

    @cached_property
    def _images(self) -> dict[str, Found]:
        return {
            video.video.images[index].path: Found(video, index)
            for video in self._videos.values()
            if isinstance(video.video, ImageShard)
            for index in video.indices.tolist()
        }
