"""A folder as a datasource.

Files are read in place and written atomically (`local_files.py`). Nothing about videos or images
belongs here.
"""

import errno
import fcntl
import os
import stat as stat_module
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self

from lightly_pipeline.datasources.local_files import (
    LOCK_NAME,
    created,
    finished_beside,
    in_place,
    is_partial,
    leftovers,
    partial_beside,
    removed,
    settle,
)
from lightly_pipeline.datasources.protocol import ByteRange, StoredObject
from lightly_pipeline.errors import (
    DatasourceError,
    ObjectChangedError,
    ObjectNotFoundError,
    PreconditionFailedError,
)
from lightly_pipeline.logs import logger_of

_logger = logger_of(__name__)
_OWN_FOLDER = ".lightly"


class LocalDatasource:
    """The files below a folder.

    Symbolic links are followed to files, and to folders unless they lead back up (a loop).
    Of writers that create the same file exactly one wins, by a hard link or, where there are none,
    a lock; replacing one version takes a lock.

    Args:
        path: The folder. It must exist to be read; writing makes it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._root = Path(path).expanduser().resolve()
        self._passed_over: set[Path] = set()

    def __repr__(self) -> str:
        return f"LocalDatasource({str(self._root)!r})"

    @property
    def root(self) -> Path:
        """The folder, absolute."""
        return self._root

    def patient(self, seconds: float) -> Self:  # noqa: ARG002  a disk is not waited for
        """Returns the same folder."""
        return self

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

    def expiry(self, path: str) -> float | None:  # noqa: ARG002
        """Returns None: no file says when somebody will delete it."""
        return None

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

    def prepare_writing(self) -> None:
        """Tries what writing takes of the file system, and removes what killed writers left.

        Raises:
            DatasourceError: It knows neither hard links nor locks.
        """
        folder = self._root / _OWN_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        # Another run may do the same at the same time.
        removed(folder, {partial.name: partial for partial in leftovers(folder)})
        second = partial_beside(folder / "probe")
        with finished_beside(second) as (_, partial):
            can_link = created(partial, second)
        second.unlink(missing_ok=True)
        if not can_link:
            with _locked(folder):
                pass

    def write(
        self, path: str, data: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> StoredObject:
        """Writes a file by giving a finished one its name."""
        target = self._resolve(path)
        with finished_beside(target) as (file, partial):
            file.write(data)
            settle(file)
            if if_absent:
                self._create(path, partial, target)
            elif if_match is not None:
                self._replace(path, partial, target, if_match)
            else:
                in_place(partial, target)
        return _record(path, target.stat())

    def _create(self, path: str, partial: Path, target: Path) -> None:
        is_ours = created(partial, target)
        if is_ours is None:
            with _locked(target.parent):
                is_ours = not target.exists()
                if is_ours:
                    in_place(partial, target)
        if not is_ours:
            raise PreconditionFailedError(f"{self.location(path)} exists already")

    def _replace(self, path: str, partial: Path, target: Path, etag: str) -> None:
        with _locked(target.parent):
            current = self.stat(path)
            if current is None or current.etag != etag:
                raise PreconditionFailedError(f"{self.location(path)} is another version by now")
            in_place(partial, target)

    @contextmanager
    def writer(self, path: str) -> Iterator[BinaryIO]:
        """Yields a temporary file that takes the path's place when the context ends well."""
        target = self._resolve(path)
        with finished_beside(target) as (file, partial):
            yield file
            settle(file)
            in_place(partial, target)

    def delete(self, path: str) -> None:
        """Removes a file if it is there."""
        self._resolve(path).unlink(missing_ok=True)

    def delete_many(self, paths: Sequence[str]) -> Mapping[str, DatasourceError]:
        """Removes files, and the folders that become empty thereby."""
        return removed(self._root, {path: self._resolve(path) for path in paths})

    def unfinished(self) -> Iterator[StoredObject]:
        """Yields partial files of processes that have ended."""
        for partial in leftovers(self._root / _OWN_FOLDER):
            path = partial.relative_to(self._root).as_posix()
            with suppress(FileNotFoundError):
                yield _record(path, partial.stat())

    def is_case_insensitive(self) -> bool:
        """Returns whether the disk takes "a" and "A" for one name, found out by trying."""
        with finished_beside(self._root / "a") as (_, partial):
            return partial.with_name(partial.name.swapcase()).exists()

    def _resolve(self, path: str) -> Path:
        parts = path.split("/")
        if not path or "\0" in path or any(part in ("", ".", "..") for part in parts):
            raise DatasourceError(f"{path!r} is not a path inside {self._root}")
        return self._root.joinpath(*parts)

    def _walk(
        self, folder: Path, relative: str, prefix: str, above: frozenset[tuple[int, int]]
    ) -> Iterator[StoredObject]:
        try:
            status = folder.stat()
            entries = [entry for entry in os.scandir(folder) if not is_partial(entry.name)]
        except OSError as error:
            if relative:
                return self._pass_over(folder, error)
            raise DatasourceError(f"the folder {folder} cannot be read: {error.strerror}") from None
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            return None
        for entry in sorted(entries, key=_byte_order):
            path = relative + entry.name
            inside = path + "/"
            if _is_folder(entry):
                if inside.startswith(prefix) or prefix.startswith(inside):
                    yield from self._walk(Path(entry.path), inside, prefix, above | {identity})
            elif path.startswith(prefix):
                try:
                    found = entry.stat()
                except OSError as error:
                    self._pass_over(Path(entry.path), error)
                    continue
                if stat_module.S_ISREG(found.st_mode):
                    yield _record(path, found)
        return None

    def _pass_over(self, place: Path, error: OSError) -> None:
        """Goes on without what vanished while it was listed, or may not be read; warns once.

        Raises:
            DatasourceError: The disk has a problem: what is there must not look as if it was gone.
        """
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return
        if error.errno not in (errno.EACCES, errno.EPERM):
            raise DatasourceError(f"{place} cannot be read: {error.strerror}") from error
        if place not in self._passed_over:
            self._passed_over.add(place)
            _logger.warning("%s may not be read (%s): passed over", place, error.strerror)


def _byte_order(entry: "os.DirEntry[str]") -> bytes:
    # A folder sorts as "name/", so that the whole listing is in byte order of the paths.
    return os.fsencode(entry.name) + (b"/" if _is_folder(entry) else b"")


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that leads to nowhere one may look.
        return False


def _record(path: str, status: os.stat_result) -> StoredObject:
    etag = f"{status.st_size}-{status.st_mtime_ns}"
    return StoredObject(path, status.st_size, etag, status.st_mtime)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds the folder's lock for a compare-and-write.

    Raises:
        DatasourceError: Its file system knows no locks.
    """
    with Path(folder, LOCK_NAME).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise DatasourceError(
                f"cannot write to {folder} safely: its file system knows neither hard links nor "
                f"locks ({error.strerror}): use another LIGHTLY folder, or mount it with locks"
            ) from error
        yield
