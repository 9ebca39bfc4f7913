"""Whether what was read is what the store holds: looked at before a verdict on it is kept.

While an object is read, only sums of what came are noted; they cost no request. Asking again is in
`s3_reader.py`.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import BinaryIO

from isal import isal_zlib

from lightly_pipeline.datasources.s3_windows import Segment

READINGS = 3
"""How often what cannot be confirmed is read before the store is said to be unreliable."""
_MD5 = re.compile(r"[0-9a-f]{32}")


def confirmed(reader: BinaryIO) -> bool:
    """Returns whether a reader that `Datasource.open` gave has read what the store holds.

    A file has. An object is compared with its checksum where the store keeps one that is known by
    now, else read again, whole.

    Raises:
        DatasourceError: The store would not give it again.
    """
    confirm = getattr(reader, "confirm", None)
    return confirm is None or bool(confirm())


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

    def is_whole(self, size: int, etag: str) -> bool:
        """Returns whether all of an object came, and its MD5 is its ETag."""
        return self._position == size and self._md5.hexdigest() == etag

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
