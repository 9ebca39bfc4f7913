"""Whether what was read is what the store holds: looked at before a verdict on it is kept.

While an object is read, only sums of what came are noted; they cost no request. Asking again is in
`range_reader.py`.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import BinaryIO, TypeVar

from isal import isal_zlib

from lightly_pipeline.datasources.protocol import Datasource, StoredObject, Traffic, traffic_of
from lightly_pipeline.datasources.windows import Segment
from lightly_pipeline.errors import DatasourceError
from lightly_pipeline.logs import logger_of

READINGS = 3
"""How often what cannot be confirmed is read before the store is said to be unreliable."""
_MD5 = re.compile(r"[0-9a-f]{32}")
_logger = logger_of(__name__)
_Made = TypeVar("_Made")


def confirmed(reader: BinaryIO) -> bool:
    """Returns whether a reader that `Datasource.open` gave has read what the store holds.

    A file has. An object is compared with its checksum where the store keeps one that is known by
    now, else read again, whole.

    Raises:
        DatasourceError: The store would not give it again.
    """
    confirm = getattr(reader, "confirm", None)
    return confirm is None or bool(confirm())


def sure(reader: BinaryIO, *, is_doubtful: bool) -> bool:
    """Returns whether what was made of an object may be kept.

    What seems right is believed unless the object's MD5 came for nothing and is another one; what
    seems wrong is confirmed first.

    Raises:
        DatasourceError: The store would not give it again.
    """
    contradicts = getattr(reader, "contradicts", None)
    if not is_doubtful and (contradicts is None or not contradicts()):
        return True
    return confirmed(reader)


def read_surely(
    source: Datasource,
    video: StoredObject,
    use: Callable[[BinaryIO], tuple[_Made, bool]],
    *,
    otherwise: str,
) -> tuple[_Made, Traffic]:
    """Returns what `use` makes of a video, and what reading it has cost.

    What seems damaged is read again, until that is known to be the store's content.

    Args:
        source: Where it is.
        video: The version that was listed.
        use: Makes something of the open file, and says whether that is doubtful; called again for
            another reading.
        otherwise: Ends the sentence that it differs each time it is read.

    Raises:
        DatasourceError: It differs each time, or the store failed.
    """
    traffic = Traffic()
    for _ in range(READINGS):
        with source.open(video.path, etag=video.etag) as file:
            made, is_doubtful = use(file)
            is_sure = sure(file, is_doubtful=is_doubtful)
            traffic = Traffic.sum([traffic, traffic_of(file)])
        if is_sure:
            return made, traffic
        _logger.warning("%s: other bytes when read again; decoding it anew", video.path)
    raise DatasourceError(
        f"cannot read {source.location(video.path)}: it differs each time it is read{otherwise}: "
        "look at the network, the proxy and the store's disks, then run again"
    )


class EtagHabit:
    """Whether what a store gives as MD5s are; shared by all of its objects.

    An ETag of S3 may only look like one.
    """

    def __init__(self) -> None:
        self.are_md5 = True

    def is_other(self, md5: str, expected: str) -> bool:
        """Returns whether content is not what its MD5 says."""
        return self.are_md5 and bool(expected) and md5 != expected

    def note_same_twice(self) -> None:
        """Takes it that they are none: another reading gave the same."""
        self.are_md5 = False


class ReadingNotes:
    """Sums of what one reader got: of each piece, and of the whole as far as it came in order."""

    def __init__(self) -> None:
        self.pieces: set[tuple[int, int, int]] = set()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._position = 0

    def add(self, piece: Segment, held: Sequence[Segment], *, in_order: bool) -> None:
        """Notes what came.

        Args:
            piece: It.
            held: All that is in memory, it included.
            in_order: Whether the MD5 of the whole is of use.
        """
        self.pieces.add((piece.start, piece.end, isal_zlib.crc32(piece.content)))
        while in_order and (following := self._following(held)):
            self._md5.update(memoryview(following.content)[self._position - following.start :])
            self._position = following.end

    def md5_of_whole(self, size: int) -> str:
        """Returns the MD5 of an object of this size; empty where not all of it came in order."""
        return self._md5.hexdigest() if self._position == size else ""

    def _following(self, held: Sequence[Segment]) -> Segment | None:
        return next((s for s in held if s.start <= self._position < s.end), None)


class Comparison:
    """Compares the notes on a first reading with a second, which comes in order and whole."""

    def __init__(self, notes: ReadingNotes) -> None:
        self._sums = dict.fromkeys(notes.pieces, 0)
        self._hashes = {
            name: hashlib.new(name, usedforsecurity=False) for name in ("md5", "sha1", "sha256")
        }
        self._crc32 = 0

    def add(self, start: int, content: bytes) -> None:
        """Takes the next part of the second reading."""
        view = memoryview(content)
        for digest in self._hashes.values():
            digest.update(view)
        self._crc32 = isal_zlib.crc32(view, self._crc32)
        for piece, crc in self._sums.items():
            low, high = max(piece[0], start), min(piece[1], start + len(content))
            if low < high:
                self._sums[piece] = isal_zlib.crc32(view[low - start : high - start], crc)

    def is_same(self) -> bool:
        """Returns whether both readings gave the same."""
        return all(crc == expected for (_, _, expected), crc in self._sums.items())

    def contradicts(self, checksums: dict[str, bytes]) -> bool:
        """Returns whether the second reading is not what one of the store's checksums says."""
        ours = {name: digest.digest() for name, digest in self._hashes.items()}
        ours["crc32"] = self._crc32.to_bytes(4, "big")
        return any(ours[name] != value for name, value in checksums.items() if name in ours)


def looks_like_md5(etag: str) -> bool:
    """Returns whether an ETag may be the MD5 of the content."""
    return _MD5.fullmatch(etag) is not None
