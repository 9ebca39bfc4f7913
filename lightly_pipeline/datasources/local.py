"""A folder as a datasource.

Files are read in place and written atomically. Nothing about videos or images belongs here.
"""

import fcntl
import os
import stat as stat_module
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lightly_pipeline.datasources.protocol import ByteRange, StoredObject
from lightly_pipeline.errors import (
    DatasourceError,
    ObjectChangedError,
    ObjectNotFoundError,
    PreconditionFailedError,
)

# Unfinished writes; listings leave them out, so a crash leaves nothing that anyone sees.
_PARTIAL_PREFIX = ".lightly-partial-"
_LOCK_NAME = ".lightly-partial-lock"


class LocalDatasource:
    """The files below a folder.

    Symbolic links are followed to files, and to folders unless they lead back up (a loop).
    Conditional writes are safe among processes that share the folder through this class; on
    network file systems as far as their locks reach.

    Args:
        path: The folder. It must exist to be read; writing makes it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._root = Path(path).expanduser().resolve()

    def __repr__(self) -> str:
        return f"LocalDatasource({str(self._root)!r})"

    @property
    def root(self) -> Path:
        """The folder, absolute."""
        return self._root

    def describe(self) -> str:
        """Returns the folder's path."""
        return str(self._root)

    def location(self, path: str) -> str:
        """Returns the absolute path of a file."""
        return str(self._root / path)

    def read_url(self, path: str, *, valid_s: int) -> str:  # noqa: ARG002
        """Returns a `file:` URL; it does not expire."""
        return (self._root / path).as_uri()

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yields files in UTF-8 byte order of their relative paths.

        Raises:
            DatasourceError: The folder does not exist or cannot be read.
        """
        if self._root.is_file():
            raise DatasourceError(
                f"{self._root} is a file: name its folder, {self._root.parent}; all videos in it "
                "are read"
            )
        if not self._root.is_dir():
            raise DatasourceError(f"the folder {self._root} does not exist")
        yield from self._walk(self._root, "", prefix, frozenset())

    def stat(self, path: str) -> StoredObject | None:
        """Returns the file's size and change token, or None when there is none."""
        try:
            status = self._resolve(path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return _record(path, status) if stat_module.S_ISREG(status.st_mode) else None

    def open(
        self,
        path: str,
        *,
        etag: str | None = None,
        ranges: Sequence[ByteRange] = (),  # noqa: ARG002  a disk needs no plan
    ) -> BinaryIO:
        """Opens a file for reading; the version is checked once, before the first byte."""
        try:
            file = self._resolve(path).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise ObjectNotFoundError(f"{self.location(path)} does not exist") from None
        current = _record(path, os.fstat(file.fileno())).etag
        if etag is not None and current != etag:
            file.close()
            raise ObjectChangedError(
                f"{self.location(path)} was changed since it was listed; "
                "run again to take the new version"
            )
        return file

    def read(self, path: str) -> bytes:
        """Returns a file's content."""
        with self.open(path) as file:
            return file.read()

    def write(
        self, path: str, data: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> StoredObject:
        """Writes a file by renaming a finished one into place."""
        target = self._resolve(path)
        if not if_absent and if_match is None:
            with self.writer(path) as file:
                file.write(data)
            return _record(path, target.stat())
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.parent):
            current = self.stat(path)
            if if_absent and current is not None:
                raise PreconditionFailedError(f"{self.location(path)} exists already")
            if if_match is not None and (current is None or current.etag != if_match):
                raise PreconditionFailedError(f"{self.location(path)} is another version by now")
            with self.writer(path) as file:
                file.write(data)
            return _record(path, target.stat())

    @contextmanager
    def writer(self, path: str) -> Iterator[BinaryIO]:
        """Yields a temporary file that takes the path's place when the context ends well."""
        target = self._resolve(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=_PARTIAL_PREFIX, dir=target.parent)
        partial = Path(name)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.chmod(0o666 & ~_umask())
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def delete(self, path: str) -> None:
        """Removes a file if it is there."""
        self._resolve(path).unlink(missing_ok=True)

    def is_case_insensitive(self) -> bool:
        """Returns whether the disk takes "a" and "A" for one name, found out by trying."""
        self._root.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=_PARTIAL_PREFIX + "a", dir=self._root) as file:
            name = Path(file.name)
            return name.with_name(name.name.swapcase()).exists()

    def _resolve(self, path: str) -> Path:
        parts = path.split("/")
        if not path or "\0" in path or any(part in ("", ".", "..") for part in parts):
            raise DatasourceError(f"{path!r} is not a path inside {self._root}")
        return self._root.joinpath(*parts)

    def _walk(
        self, folder: Path, relative: str, prefix: str, above: frozenset[tuple[int, int]]
    ) -> Iterator[StoredObject]:
        status = folder.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            return
        try:
            entries = [entry for entry in os.scandir(folder) if not _is_partial(entry.name)]
        except PermissionError as error:
            raise DatasourceError(f"the folder {folder} cannot be read: {error.strerror}") from None
        for entry in sorted(entries, key=_byte_order):
            path = relative + entry.name
            if entry.is_dir():
                inside = path + "/"
                if inside.startswith(prefix) or prefix.startswith(inside):
                    yield from self._walk(Path(entry.path), inside, prefix, above | {identity})
            elif entry.is_file() and path.startswith(prefix):
                yield _record(path, entry.stat())


def _byte_order(entry: "os.DirEntry[str]") -> bytes:
    # A folder sorts as "name/", so that the whole listing is in byte order of the paths.
    return os.fsencode(entry.name) + (b"/" if entry.is_dir() else b"")


def _is_partial(name: str) -> bool:
    return name.startswith(_PARTIAL_PREFIX)


def _record(path: str, status: os.stat_result) -> StoredObject:
    return StoredObject(path, status.st_size, f"{status.st_size}-{status.st_mtime_ns}")


def _umask() -> int:
    # Reading the mask means setting it: there is no other way in POSIX.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds the folder's lock for a compare-and-write."""
    with Path(folder, _LOCK_NAME).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
