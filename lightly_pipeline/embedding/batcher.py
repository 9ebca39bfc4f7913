"""Frames of all videos in hand reach an encoder in full batches, while decoding goes on.

For encoders on a GPU, which is slow with few frames and idle while somebody decodes. There is no
thread of its own: who waits for its embeddings runs the batches that are due, those of others, too.
A frame's bits may not depend on its batch; who uses this has made sure (`checked.py`).
"""

import threading
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Encode = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class Batcher:
    """Gathers pieces of several threads into batches.

    Args:
        encode: Gives the embeddings (B, dim) of (B, H, W, 3) frames; safe from several threads.
        batch_size: Frames of a full batch.
        n_runners: How many threads may be in `encode` at once.
    """

    def __init__(self, encode: Encode, batch_size: int, n_runners: int) -> None:
        self._encode, self._batch_size, self._n_free = encode, batch_size, n_runners
        self._queue: deque[_Piece] = deque()
        self._changed = threading.Condition()

    def submit(self, frames: NDArray[np.uint8]) -> Callable[[], NDArray[np.float32]]:
        """Queues a copy of up to a batch of frames; returns what waits for their embeddings.

        That raises what the encoder raised for any frame of the batch that they were part of.
        """
        piece = _Piece(frames.copy())
        with self._changed:
            self._queue.append(piece)
        return lambda: self._wait(piece)

    def _wait(self, piece: "_Piece") -> NDArray[np.float32]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: piece.is_done or (self._n_free and self._queue))
                if piece.is_done:
                    break
                self._n_free -= 1
                batch = self._take()
            self._run(batch)
        if piece.error is not None:
            raise piece.error
        assert piece.embeddings is not None
        return piece.embeddings

    def _take(self) -> "list[_Piece]":
        batch = [self._queue.popleft()]
        n_frames = len(batch[0].frames)
        while self._queue and n_frames + len(self._queue[0].frames) <= self._batch_size:
            batch.append(self._queue.popleft())
            n_frames += len(batch[-1].frames)
        return batch

    def _run(self, batch: "list[_Piece]") -> None:
        error: BaseException | None = None
        parts: list[NDArray[np.float32]] = []
        try:
            found = self._encode(np.concatenate([piece.frames for piece in batch]))
            parts = np.split(found, np.cumsum([len(piece.frames) for piece in batch[:-1]]))
        except BaseException as raised:  # noqa: BLE001  raised where each piece is waited for
            error = raised
        with self._changed:
            self._n_free += 1
            for number, piece in enumerate(batch):
                piece.is_done, piece.error = True, error
                piece.embeddings = None if error else parts[number]
            self._changed.notify_all()


class _Piece:
    """Frames that one thread handed over, and what became of them."""

    def __init__(self, frames: NDArray[np.uint8]) -> None:
        self.frames = frames
        self.is_done = False
        self.embeddings: NDArray[np.float32] | None = None
        self.error: BaseException | None = None
