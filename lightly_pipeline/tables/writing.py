"""Decoded frames become rows and embeddings in two open files, batch by batch.

Which files those are, of a table or of one segment of a video, is the caller's business.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.tables.changes import ChangeFilter
from lightly_pipeline.tables.embeddings import EmbeddingWriter
from lightly_pipeline.tables.frames import FrameTableWriter
from lightly_pipeline.video import DecodedFrame

if TYPE_CHECKING:
    from lightly_pipeline.embedding import CheckedEncoder

# How often the progress is told about decoded frames.
_REPORT_EVERY = 16
# Rows of one vector that are written at once.
_ROWS_AT_ONCE = 4096


class Written(NamedTuple):
    """How many rows were written, how many of damaged frames, and how many frames were embedded."""

    n_rows: int
    n_damaged: int
    n_embedded: int


class _Batch(NamedTuple):
    """Small images, shape (B, H, W, 3), and of how many frames in a row each is the embedding's."""

    images: NDArray[np.uint8]
    n_frames: list[int]


def write_frames(
    frames: Iterable[DecodedFrame],
    encoder: "CheckedEncoder",
    frames_file: BinaryIO,
    embeddings_file: BinaryIO,
    on_frames: Callable[[int], None],
    embed_changed: float | None = None,
) -> Written:
    """Writes the rows and the embeddings of all frames.

    Args:
        frames: With the small images that the encoder wants, if it wants any.
        encoder: Makes embeddings of them.
        frames_file: Becomes the Parquet file.
        embeddings_file: Becomes the .npy file.
        on_frames: Told how many more frames were decoded.
        embed_changed: Frames that differ by no more than this from the last one that was embedded
            have its vector; None embeds all.
    """
    n_embedded = 0
    with (
        FrameTableWriter(frames_file) as table,
        EmbeddingWriter(embeddings_file, encoder.spec.dim) as embeddings,
    ):
        noted = _noted(frames, table, on_frames)
        waiting: deque[tuple[Callable[[], NDArray[np.float32]], list[int]]] = deque()

        def append_first() -> None:
            vectors, n_frames = waiting.popleft()
            for rows in _repeated(vectors(), n_frames):
                embeddings.append(rows)

        for batch in _batches(noted, encoder, embed_changed):
            n_embedded += len(batch.images) if encoder.spec.dim else 0
            waiting.append((encoder.submit(batch.images), batch.n_frames))
            if len(waiting) > encoder.n_ahead:
                append_first()
        while waiting:
            append_first()
        return Written(embeddings.n_rows, table.n_damaged, n_embedded)


def _noted(
    frames: Iterable[DecodedFrame], table: FrameTableWriter, on_frames: Callable[[int], None]
) -> Iterator[DecodedFrame]:
    """Yields the frames, noting every row."""
    n_seen = 0
    for n_seen, frame in enumerate(frames, start=1):
        table.append(frame.row)
        yield frame
        if n_seen % _REPORT_EVERY == 0:
            on_frames(_REPORT_EVERY)
    on_frames(n_seen % _REPORT_EVERY)


def _batches(
    frames: Iterable[DecodedFrame], encoder: "CheckedEncoder", embed_changed: float | None
) -> Iterator[_Batch]:
    """Yields the images that are embedded; their array is reused."""
    wanted = encoder.spec.frame_input
    size = (wanted.height, wanted.width) if wanted else (0, 0)
    images = np.empty((encoder.piece, *size, 3), dtype=np.uint8)
    changes = None if embed_changed is None else ChangeFilter(embed_changed)
    n_frames: list[int] = []
    for frame in frames:
        if changes is not None and not changes.is_changed(frame):
            n_frames[-1] += 1
            continue
        if len(n_frames) == len(images):
            yield _Batch(images, n_frames)
            n_frames = []
        if wanted:
            assert frame.small is not None
            images[len(n_frames)] = frame.small
        n_frames.append(1)
    if n_frames:
        yield _Batch(images[: len(n_frames)], n_frames)


def _repeated(
    vectors: NDArray[np.float32], n_frames: Sequence[int]
) -> Iterator[NDArray[np.float32]]:
    """Yields the row of each frame, a number of them at a time."""
    if max(n_frames) == 1:
        yield vectors
        return
    for vector, n in zip(vectors, n_frames, strict=True):
        for begin in range(0, n, _ROWS_AT_ONCE):
            yield np.broadcast_to(vector, (min(n - begin, _ROWS_AT_ONCE), len(vector)))
