"""The frames that a model is trained on: small images in memory, no more than a bound of bytes.

Where a dataset has more frames, those take part whose hash (of seed, video and frame) is lowest:
the same ones in whatever order, and on however many threads, the videos are read. Nothing is
written; where images come from is in `reading.py`.
"""

import hashlib
import heapq
import threading
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 1024**3
"""Of all images together: 55,000 of 80x80 pixels, which is what views of 64x64 are cut from."""


class _Key(NamedTuple):
    video: str
    number: int


class FrameSample:
    """Takes frames from any thread, and keeps a sample of them.

    Args:
        seed: Decides which frames.
        edge: Of an image, in pixels.
        most_bytes: Of all images together.
    """

    def __init__(self, seed: int, edge: int, most_bytes: int = MOST_BYTES) -> None:
        self._seed, self._edge = seed, edge
        self._most = max(most_bytes // (edge * edge * 3), 1)
        self._images: dict[_Key, NDArray[np.uint8]] = {}
        # The highest hash comes first.
        self._heap: list[tuple[int, _Key]] = []
        self._lock = threading.Lock()
        self.n_offered = 0

    def __len__(self) -> int:
        return len(self._images)

    def offer(self, video: str, index: int, image: NDArray[np.uint8]) -> None:
        """Takes a frame, if it is one of the sample as far as that is known.

        Args:
            video: Path of its video.
            index: Its number there.
            image: Shape (edge, edge, 3).
        """
        key = _Key(video, index)
        # Paths that are no text have bytes of their own, too.
        text = f"{self._seed} {index} {video}".encode("utf-8", "surrogateescape")
        rank = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())
        with self._lock:
            self.n_offered += 1
            if len(self._heap) < self._most:
                heapq.heappush(self._heap, (-rank, key))
            elif -self._heap[0][0] > rank:
                _, dropped = heapq.heapreplace(self._heap, (-rank, key))
                del self._images[dropped]
            else:
                return
            self._images[key] = image.copy()

    def forget(self, video: str) -> None:
        """Drops the frames of a video that is read again, or could not be read."""
        with self._lock:
            for key in [key for key in self._images if key.video == video]:
                del self._images[key]
            self._heap = [entry for entry in self._heap if entry[1] in self._images]
            heapq.heapify(self._heap)

    def take(self) -> NDArray[np.uint8]:
        """Returns all images, shape (n, edge, edge, 3), by video and index; none is left here."""
        with self._lock:
            keys = sorted(self._images)
            taken = np.empty((len(keys), self._edge, self._edge, 3), np.uint8)
            for number, key in enumerate(keys):
                # One by one, or memory would hold them all twice.
                taken[number] = self._images.pop(key)
            self._heap.clear()
        return taken
