"""What the pipeline asks of a store of objects.

The protocol and the record of one object only; how a store does it is in `local.py` and
`bucket.py`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, Protocol, Self

from lightly_pipeline.errors import DatasourceError


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object as it was listed.

    Attributes:
        path: Relative to the datasource's root, as the store spells it, with "/" between parts.
        size_bytes: Its length.
        etag: Its change token: another content has another one.
        modified_s: When it was last written, Unix time; None where that is not known. No part of
            which object it is.
    """

    path: str
    size_bytes: int
    etag: str
    modified_s: float | None = field(default=None, compare=False)


class ByteRange(NamedTuple):
    """The bytes of an object from `start` to `end`, `end` excluded."""

    start: int
    end: int


class Traffic(NamedTuple):
    """What reading cost: requests to a store, repeated ones included, and bytes they brought."""

    n_requests: int = 0
    n_bytes: int = 0

    @classmethod
    def sum(cls, parts: Iterable["Traffic"]) -> "Traffic":
        """Returns the total."""
        total = cls()
        for part in parts:
            total = cls(total.n_requests + part.n_requests, total.n_bytes + part.n_bytes)
        return total


def traffic_of(reader: BinaryIO) -> Traffic:
    """Returns what a reader that `Datasource.open` gave has cost so far; a file costs nothing."""
    traffic: Traffic = getattr(reader, "traffic", Traffic())
    return traffic


class Datasource(Protocol):
    """A place that holds objects under relative paths: a folder or a part of a bucket.

    Raises:
        DatasourceError: From every method, when the store fails for longer than retries last.
    """

    def patient(self, seconds: float) -> Self:
        """Returns the same place, where each request is tried again for so long."""
        ...

    def describe(self) -> str:
        """Returns the location for people, without secrets."""
        ...

    def location(self, path: str) -> str:
        """Returns where an object is, for people."""
        ...

    def read_url(self, path: str, *, valid_s: int) -> str:
        """Returns a URL under which whoever has it can read an object.

        Args:
            path: The object.
            valid_s: For how long, in seconds; files can be read as long as they are there.
        """
        ...

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yields the objects whose path starts with `prefix`, in UTF-8 byte order of the path."""
        ...

    def stat(self, path: str) -> StoredObject | None:
        """Returns the object's record, or None when there is none."""
        ...

    def expiry(self, path: str) -> float | None:
        """Returns when the store will delete an object, Unix time; None where it says nothing."""
        ...

    def open(
        self, path: str, *, etag: str | None = None, ranges: Sequence[ByteRange] = ()
    ) -> BinaryIO:
        """Returns a seekable reader of the object.

        Where reading takes requests, it has a method `read_available(size)`, which is `read` but
        ends where the next request would begin.

        Args:
            path: The object.
            etag: The version that is meant.
            ranges: What will be read of it, ascending and without overlap, so that a store can be
                asked for just that; the rest can be read, too.

        Raises:
            ObjectNotFoundError: There is no such object.
            ObjectChangedError: It is not that version; also from later reads.
        """
        ...

    def read(self, path: str) -> bytes:
        """Returns the whole content.

        Raises:
            ObjectNotFoundError: There is no such object.
        """
        ...

    def prepare_writing(self) -> None:
        """Finds out whether what writing needs can be had, and clears what killed writers left.

        Raises:
            DatasourceError: Something cannot be had; says where.
        """
        ...

    def write(
        self, path: str, data: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> StoredObject:
        """Stores an object: all of it or nothing becomes visible.

        Args:
            path: The object.
            data: Its content.
            if_absent: Only when there is none yet.
            if_match: Only when it still has this etag.

        Raises:
            PreconditionFailedError: The condition does not hold, whoever wrote what is there. A
                repetition of this very call because its answer got lost is no conflict.
        """
        ...

    def writer(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Returns a seekable file whose content becomes the object when the context ends well."""
        ...

    def delete(self, path: str) -> None:
        """Removes an object; nothing happens when there is none.

        Raises:
            PermissionDeniedError: The credentials may not; names the permission that is missing.
        """
        ...

    def delete_many(self, paths: Sequence[str]) -> Mapping[str, DatasourceError]:
        """Removes objects, in requests of as many as the store takes at once, in any order.

        One that is not there counts as removed, so that this can be repeated. Where a store keeps
        versions, an object is hidden as by `delete` and its versions stay. A folder also loses the
        folders that become empty thereby, never the root itself.

        Args:
            paths: The objects, each once, of any number.

        Returns:
            Why, by path, for every object that is still there: each is tried, and what a store says
            of a single one (a lock, a retention rule, a permission) is no error of the others.

        Raises:
            DatasourceError: The store failed, or refused a request as a whole; some of the objects
                may be removed by then.
        """
        ...

    def unfinished(self) -> Iterator[StoredObject]:
        """Yields what killed writers left below `.lightly/` and no listing shows.

        Only what no living process is writing. `delete_many` removes it. A store whose unfinished
        writes leave nothing yields nothing.
        """
        ...

    def is_case_insensitive(self) -> bool:
        """Returns whether two paths that differ in case alone are one object."""
        ...
