"""A part of a bucket as a datasource: what is the same in every store that is asked by requests.

One cached connection, one loop of retries (`patience.py`), one reader (`range_reader.py`), one way
to write under a condition. How a store is asked once, and what its errors mean, is in modules of
its own.
"""

import hashlib
import tempfile
import threading
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, BinaryIO, ClassVar, NamedTuple, Protocol, Self, TypeVar, cast

from lightly_pipeline.datasources.answers import (
    Content,
    Described,
    Page,
    RangeAnswer,
    WrongAnswerError,
    plain_etag,
)
from lightly_pipeline.datasources.deletion import deleted
from lightly_pipeline.datasources.local_files import naming_full_disk
from lightly_pipeline.datasources.patience import DEFAULT_PATIENCE_S, Patience
from lightly_pipeline.datasources.protocol import ByteRange, StoredObject
from lightly_pipeline.datasources.range_reader import RangeReader
from lightly_pipeline.datasources.reasons import passing_answer, wrongly_answered
from lightly_pipeline.datasources.second_look import EtagHabit
from lightly_pipeline.errors import (
    DatasourceError,
    ObjectNotFoundError,
    PreconditionFailedError,
)

_Answer = TypeVar("_Answer")
# Larger tables spill from memory to a temporary file before they are sent.
_SPOOL_BYTES = 16 * 1024 * 1024


class Condition(NamedTuple):
    """Under which something is written.

    Attributes:
        etag: The version that is replaced; None for none, when the object must not be there.
        write_id: Kept with the object, so that a repetition recognizes its own work.
    """

    etag: str | None
    write_id: str


class Requests(Protocol):
    """One attempt at everything that a store is asked; answers are looked at before they are given.

    Keys are whole, prefix included. Raises the store's own exceptions, and those of `answers.py`.
    """

    def page(self, prefix: str, token: str | None) -> Page:
        """Returns a page of the objects whose key starts so, in UTF-8 byte order."""
        ...

    def describe(self, key: str, *, checksums: bool = False) -> Described:
        """Returns what the store says of an object; with its checksums where that is asked for."""
        ...

    def content(self, key: str) -> Content:
        """Returns a whole object."""
        ...

    def range_of(self, key: str, first: int, last: int, etag: str | None) -> RangeAnswer:
        """Returns the answer to a request for bytes of a version.

        Raises:
            ObjectChangedError: It is not that version.
            NoSuchRangeError: It has no such byte.
        """
        ...

    def put(self, key: str, body: bytes | BinaryIO, condition: Condition | None) -> str:
        """Writes an object and returns its version."""
        ...

    def delete(self, key: str) -> None:
        """Removes an object."""
        ...

    def delete_some(self, keys: Sequence[str]) -> Mapping[str, Exception]:
        """Removes up to a thousand objects; returns the refusals by key.

        Raises:
            BatchUnknownError: The store does not take such a request.
        """
        ...

    def read_url(self, key: str, valid_s: int) -> str:
        """Returns a signed URL."""
        ...


@dataclass(frozen=True)
class BucketDatasource(ABC):
    """Objects below a prefix. What a store is made of are the fields of those that inherit."""

    doubts_conditions: ClassVar[bool] = False
    """Whether there are stores of the kind that ignore or refuse conditions of writes."""

    _lock: threading.Lock = field(
        default_factory=threading.Lock, init=False, repr=False, compare=False
    )
    _cache: dict[str, Requests] = field(default_factory=dict, init=False, repr=False, compare=False)
    _etags: EtagHabit = field(default_factory=EtagHabit, init=False, repr=False, compare=False)
    _patience: Patience = field(
        default_factory=lambda: Patience(DEFAULT_PATIENCE_S), init=False, repr=False, compare=False
    )

    @property
    @abstractmethod
    def prefix(self) -> str:
        """What all keys start with: empty, or ending in "/"."""

    @abstractmethod
    def location(self, path: str) -> str:
        """Returns an object's URL, for people."""

    @abstractmethod
    def _connect(self) -> Requests:
        """Makes the connection; called once."""

    @abstractmethod
    def _passing(self, error: Exception) -> str | None:
        """Returns in a few words what is the matter if the same call may work a little later."""

    @abstractmethod
    def _translated(self, error: Exception, operation: str, where: str) -> DatasourceError | None:
        """Returns the error that a user sees; None of one that is no store's."""

    def __getstate__(self) -> dict[str, Any]:
        name = type(self).__name__
        raise TypeError(f"{name} is not pickled: it may hold credentials; make it anew")

    def patient(self, seconds: float) -> Self:
        """Returns the same place, waited for this long, by the same connection."""
        other = type(self)(**{f.name: getattr(self, f.name) for f in fields(self) if f.init})
        for name, value in (
            ("_lock", self._lock),
            ("_cache", self._cache),
            ("_etags", self._etags),
            ("_patience", Patience(seconds)),
        ):
            object.__setattr__(other, name, value)
        return other

    def describe(self) -> str:
        """Returns bucket and prefix."""
        return self.location("")

    def read_url(self, path: str, *, valid_s: int) -> str:
        """Returns a URL signed with the datasource's credentials; it ends with them at latest."""
        return self._call("sign a URL for", path, lambda asked, key: asked.read_url(key, valid_s))

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yields objects page by page, in UTF-8 byte order."""
        token: str | None = None
        while True:
            page = self._page(prefix, token)
            for item in page.objects:
                path = item.path[len(self.prefix) :]
                if path and not path.endswith("/"):
                    yield StoredObject(path, item.size_bytes, item.etag, item.modified_s)
            if page.following is None:
                return
            token = page.following

    def stat(self, path: str) -> StoredObject | None:
        """Returns the object's record by one request, or None when there is none."""
        found = self._described(path)
        if found is None:
            return None
        return StoredObject(path, found.size_bytes, found.etag, found.modified_s)

    def expiry(self, path: str) -> float | None:
        """Returns when the store will delete an object, as far as it says so in one request."""
        found = self._described(path)
        return None if found is None else found.expires_s

    def open(
        self, path: str, *, etag: str | None = None, ranges: Sequence[ByteRange] = ()
    ) -> BinaryIO:
        """Returns a reader that gets ranges of this version as they are asked for."""
        key = self.prefix + path

        def patiently(call: Callable[[], _Answer]) -> _Answer:
            return self._call("read", path, lambda *_: call())

        asked = self._connection("read", path)
        reader = RangeReader(
            lambda first, last: asked.range_of(key, first, last, etag),
            self.location(path),
            ranges,
            etag=etag,
            describe=partial(asked.describe, key, checksums=True),
            patiently=patiently,
            etags=self._etags,
        )
        return cast(BinaryIO, reader)

    def read(self, path: str) -> bytes:
        """Returns an object's content."""

        def content(asked: Requests, key: str) -> bytes:
            data, expected = asked.content(key)
            if expected and self._etags.is_other(_md5(data), expected):
                if asked.content(key).data != data:
                    raise WrongAnswerError("other bytes than its version has")
                self._etags.note_same_twice()
            return data

        return self._call("read", path, content)

    def prepare_writing(self) -> None:  # noqa: B027  most stores need nothing
        """Needs nothing: a bucket creates once by itself, and an unfinished put leaves nothing."""

    def write(
        self, path: str, data: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> StoredObject:
        """Puts an object.

        A condition is left to the store, which alone can check and write in one step. Where stores
        of the kind ignore conditions it is checked here first: two writers that arrive together may
        both succeed there.
        """
        if not if_absent and if_match is None:
            return StoredObject(path, len(data), self._put(path, data))
        if self.doubts_conditions:
            self._require(path, self._described(path), if_match)
        # A lost answer and its repetition look like somebody else's write; the id tells them apart.
        condition = Condition(if_match, uuid.uuid4().hex)
        try:
            etag = self._put(path, data, condition)
        except PreconditionFailedError:
            current = self._described(path)
            if current is not None and current.write_id == condition.write_id:
                return StoredObject(path, len(data), current.etag)
            self._require(path, current, if_match)
            if if_match is None or not self.doubts_conditions:
                raise
            # Some stores refuse every If-Match, true or not (Ceph).
            etag = self._put(path, data)
        return StoredObject(path, len(data), etag)

    @contextmanager
    def writer(self, path: str) -> Iterator[BinaryIO]:
        """Yields a temporary file that is put when the context ends well."""
        with (
            naming_full_disk(f"the folder of temporary files, {tempfile.gettempdir()}, (TMPDIR)"),
            tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as file,
        ):
            yield cast(BinaryIO, file)
            self._put(path, cast(BinaryIO, file))

    def delete(self, path: str) -> None:
        """Removes an object if it is there."""
        self._call("delete", path, lambda asked, key: asked.delete(key))

    def delete_many(self, paths: Sequence[str]) -> Mapping[str, DatasourceError]:
        """Removes objects, a thousand with each request where the store can."""

        def delete_some(some: Sequence[str]) -> dict[str, DatasourceError]:
            keys = {self.prefix + path: path for path in some}
            refused = self._call("delete", "", lambda asked, _: asked.delete_some([*keys]))
            found: dict[str, DatasourceError] = {}
            for key, error in refused.items():
                said = self._said_of(error, "delete", self.location(keys[key]))
                if said is None:
                    raise error
                found[keys[key]] = said
            return found

        return deleted(self, paths, delete_some)

    def unfinished(self) -> Iterator[StoredObject]:
        """Yields nothing: an unfinished put leaves nothing."""
        return iter(())

    def is_case_insensitive(self) -> bool:
        """Never."""
        return False

    def _page(self, prefix: str, token: str | None) -> Page:
        def page(asked: Requests, key: str) -> Page:
            found = asked.page(key + prefix, token)
            if token is not None and found.following == token:
                raise WrongAnswerError("a listing that does not go on")
            return found

        return self._call("list", "", page)

    def _put(self, path: str, body: bytes | BinaryIO, condition: Condition | None = None) -> str:
        def put(asked: Requests, key: str) -> str:
            if not isinstance(body, bytes):
                body.seek(0)
            return asked.put(key, body, condition)

        return self._call("write", path, put)

    def _described(self, path: str) -> Described | None:
        try:
            return self._call("read", path, lambda asked, key: asked.describe(key))
        except ObjectNotFoundError:
            return None

    def _require(self, path: str, current: Described | None, if_match: str | None) -> None:
        """Checks that there is no object, or the version that is meant."""
        if if_match is None and current is not None:
            raise PreconditionFailedError(f"{self.location(path)} exists already")
        if if_match is not None and (
            current is None or plain_etag(current.etag) != plain_etag(if_match)
        ):
            raise PreconditionFailedError(f"{self.location(path)} is another version by now")

    def _call(self, operation: str, path: str, call: Callable[[Requests, str], _Answer]) -> _Answer:
        """Asks the store until it answers, and translates what it refuses."""
        asked, key, where = (
            self._connection(operation, path),
            self.prefix + path,
            self.location(path),
        )
        with self._translating(operation, path):
            return self._patience.call(lambda: call(asked, key), passes=self._passes, what=where)

    def _connection(self, operation: str, path: str) -> Requests:
        with self._translating(operation, path), self._lock:
            if "requests" not in self._cache:
                self._cache["requests"] = self._connect()
            return self._cache["requests"]

    @contextmanager
    def _translating(self, operation: str, path: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            said = self._said_of(error, operation, self.location(path))
            if said is None:
                raise
            raise said from None

    def _passes(self, error: Exception) -> str | None:
        return passing_answer(error) or self._passing(error)

    def _said_of(self, error: Exception, operation: str, where: str) -> DatasourceError | None:
        if isinstance(error, WrongAnswerError):
            return wrongly_answered(error, f"cannot {operation} {where}")
        return self._translated(error, operation, where)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
