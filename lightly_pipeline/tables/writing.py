"""Decoded frames become rows and embeddings in two open files, batch by batch.

Which files those are, of a table or of one segment of a video, is the caller's business.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.tables.embeddings import EmbeddingWriter
from lightly_pipeline.tables.frames import FrameTableWriter
from lightly_pipeline.video import DecodedFrame

if TYPE_CHECKING:
    from lightly_pipeline.embedding import Encoder

# How often the progress is told about decoded frames.
_REPORT_EVERY = 16


class Written(NamedTuple):
    """How many rows were written, and how many of them are of damaged frames."""

    n_rows: int
    n_damaged: int


def write_frames(
    frames: Iterable[DecodedFrame],
    encoder: "Encoder",
    frames_file: BinaryIO,
    embeddings_file: BinaryIO,
    on_frames: Callable[[int], None],
) -> Written:
    """Writes the rows and the embeddings of all frames.

    Args:
        frames: With the small images that the encoder wants.
        encoder: Makes embeddings of them.
        frames_file: Becomes the Parquet file.
        embeddings_file: Becomes the .npy file.
        on_frames: Told how many more frames were decoded.
    """
    with (
        FrameTableWriter(frames_file) as table,
        EmbeddingWriter(embeddings_file, encoder.spec.dim) as embeddings,
    ):
        for batch in _batches(frames, encoder, table, on_frames):
            embeddings.append(encoder.encode(batch))
        return Written(embeddings.n_rows, table.n_damaged)


def _batches(
    frames: Iterable[DecodedFrame],
    encoder: "Encoder",
    table: FrameTableWriter,
    on_frames: Callable[[int], None],
) -> Iterator[NDArray[np.uint8]]:
    """Yields small frames as (B, H, W, 3) arrays, noting every row; an array is reused."""
    wanted = encoder.spec.frame_input
    batch = np.empty((encoder.spec.batch_size, wanted.height, wanted.width, 3), dtype=np.uint8)
    filled = n_seen = 0
    for n_seen, frame in enumerate(frames, start=1):
        table.append(frame.row)
        assert frame.small is not None
        batch[filled] = frame.small
        filled += 1
        if n_seen % _REPORT_EVERY == 0:
            on_frames(_REPORT_EVERY)
        if filled == len(batch):
            yield batch
            filled = 0
    on_frames(n_seen % _REPORT_EVERY)
    if filled:
        yield batch[:filled]
