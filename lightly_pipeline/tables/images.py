"""Makes the table of a shard: its images read, decoded, measured and embedded, in order.

What cannot be decoded is noted with its reason, and what was removed or replaced since it was
listed with its name; the others go on.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, BinaryIO

from lightly_pipeline.datasources import (
    ByteRange,
    Datasource,
    StoredObject,
    Traffic,
    confirmed,
    traffic_of,
)
from lightly_pipeline.datasources.second_look import READINGS
from lightly_pipeline.errors import (
    CorruptImageError,
    DatasourceError,
    ObjectChangedError,
    ObjectNotFoundError,
)
from lightly_pipeline.images.decoding import MAX_FILE_BYTES, read_rgb
from lightly_pipeline.images.frames import ImageFrames
from lightly_pipeline.images.isolated import IsolatedImages
from lightly_pipeline.progress import ItemMeter
from lightly_pipeline.tables.embeddings import EMBEDDINGS_FILE
from lightly_pipeline.tables.frames import FRAMES_FILE
from lightly_pipeline.tables.handle import VideoTable
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline.tables.shards import ImageShard
from lightly_pipeline.tables.writing import write_frames
from lightly_pipeline.threads import ContextThreadPool
from lightly_pipeline.video import DecodedFrame, FrameInput

if TYPE_CHECKING:
    from concurrent.futures import Future

    from lightly_pipeline.embedding import CheckedEncoder

FrameOf = Callable[[bytes, int], DecodedFrame]
"""Makes the frame of a file's bytes and an index; raises CorruptImageError."""
# A store is waited for while others are decoded; files are smaller than this, or one is too large.
_N_AHEAD = 8
_SHOWN = 5


def embed_images(
    source: Datasource,
    shard: ImageShard,
    table: VideoTable,
    encoder: "CheckedEncoder",
    blank: VideoOutcome,
    item: ItemMeter,
) -> VideoOutcome:
    """Writes the rows and embeddings of a shard, and returns its outcome.

    Args:
        source: The INPUT datasource.
        shard: The shard.
        table: Of it.
        encoder: Makes the embeddings.
        blank: Its outcome as far as it is known.
        item: Told how many images were decoded, and how many there will be.

    Raises:
        DatasourceError: A store failed.
    """
    item.expect(shard.n_taking_part)
    wanted = encoder.spec.frame_input
    assert wanted is not None
    with (
        frames_of_images(wanted, isolated=blank.isolated) as frame_of,
        table.store.writer(f"{table.folder}/{FRAMES_FILE}") as frames_file,
        table.store.writer(f"{table.folder}/{EMBEDDINGS_FILE}") as embeddings_file,
    ):
        reader = ShardReader(source, shard, frame_of)
        written = write_frames(reader.frames(), encoder, frames_file, embeddings_file, item.add)
    return replace(
        blank,
        n_frames=len(shard.images),
        n_rows=written.n_rows,
        n_embedded=written.n_embedded,
        dim=encoder.spec.dim,
        corrupt_samples=reader.corrupt,
        warnings=reader.warnings(),
        info={"container": "image files"},
        requests=reader.traffic.n_requests,
        bytes_read=reader.traffic.n_bytes,
    )


@contextmanager
def frames_of_images(wanted: FrameInput, *, isolated: bool) -> Iterator[FrameOf]:
    """Yields what decodes images on one thread, in this process or in children of it.

    Args:
        wanted: The small image that an encoder wants.
        isolated: Decode in a child process with a deadline and a memory bound.
    """
    if isolated:
        with IsolatedImages(wanted) as children:
            yield children.of
    else:
        frames = ImageFrames(wanted)
        yield lambda content, index: frames.of(read_rgb(content), index)


@dataclass
class ShardReader:
    """Reads the images of a shard.

    Attributes:
        source: The INPUT datasource.
        shard: The shard.
        frame_of: Decodes an image.
        corrupt: Reason by path of what gave no frame, as it is read.
        gone: Paths of what is not there any more as it was listed.
        traffic: What reading has cost.
    """

    source: Datasource
    shard: ImageShard
    frame_of: FrameOf
    corrupt: dict[str, str] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    traffic: Traffic = field(default_factory=Traffic)

    def frames(self) -> Iterator[DecodedFrame]:
        """Yields the frames of all images that take part and decode; indices are the shard's.

        Raises:
            DatasourceError: A store failed.
        """
        for index, image, content in self._contents():
            try:
                yield self._frame(index, image, content)
            except CorruptImageError as error:
                self.corrupt[image.path] = error.reason
            except (ObjectNotFoundError, ObjectChangedError):
                self.gone.append(image.path)

    def warnings(self) -> tuple[str, ...]:
        """Returns what the owner of the images should know."""
        if not self.gone:
            return ()
        shown = ", ".join(self.gone[:_SHOWN]) + (", ..." if len(self.gone) > _SHOWN else "")
        return (
            f"{len(self.gone)} images were removed or replaced since they were listed ({shown}): "
            "what is there now takes part after the next listing",
        )

    def _frame(self, index: int, image: StoredObject, content: bytes | None) -> DecodedFrame:
        if image.size_bytes > MAX_FILE_BYTES:
            raise CorruptImageError(f"larger than {MAX_FILE_BYTES} bytes")
        if content is None:
            raise ObjectNotFoundError(image.path)
        try:
            return self.frame_of(content, index)
        except CorruptImageError:
            return self._read_surely(index, image)

    def _read_surely(self, index: int, image: StoredObject) -> DecodedFrame:
        """Reads again what seems damaged, until that is known to be the store's content."""
        for _ in range(READINGS):
            with self._open(image) as file:
                content = file.read()
                try:
                    return self.frame_of(content, index)
                except CorruptImageError:
                    if confirmed(file):
                        raise
                finally:
                    self.traffic = Traffic.sum((self.traffic, traffic_of(file)))
        raise DatasourceError(
            f"cannot read {self.source.location(image.path)}: it differs each time it is read, or "
            "from the store's own checksum, so nothing was recorded of it: look at the network, "
            "the proxy and the store's disks, then run again"
        )

    def _contents(self) -> Iterator[tuple[int, StoredObject, bytes | None]]:
        """Yields what the files hold, some of which are read ahead; None of one that is gone."""
        ahead: deque[tuple[int, StoredObject, Future[tuple[bytes | None, Traffic]]]] = deque()
        with ContextThreadPool(_N_AHEAD) as pool:
            for index, image in self.shard.taking_part():
                ahead.append((index, image, pool.submit(self._read, image)))
                if len(ahead) > _N_AHEAD:
                    yield self._taken(*ahead.popleft())
            while ahead:
                yield self._taken(*ahead.popleft())

    def _taken(
        self, index: int, image: StoredObject, reading: "Future[tuple[bytes | None, Traffic]]"
    ) -> tuple[int, StoredObject, bytes | None]:
        content, traffic = reading.result()
        self.traffic = Traffic.sum((self.traffic, traffic))
        return index, image, content

    def _read(self, image: StoredObject) -> tuple[bytes | None, Traffic]:
        if image.size_bytes > MAX_FILE_BYTES:
            return b"", Traffic()
        try:
            with self._open(image) as file:
                return file.read(), traffic_of(file)
        except (ObjectNotFoundError, ObjectChangedError):
            return None, Traffic()

    def _open(self, image: StoredObject) -> BinaryIO:
        whole = [ByteRange(0, image.size_bytes)] if image.size_bytes else ()
        return self.source.open(image.path, etag=image.etag, ranges=whole)
