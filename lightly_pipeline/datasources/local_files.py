"""Files that are written: partial ones, and what disks and mounts refuse.

Which folder and which conditions is `local.py`'s business.
"""

import errno
import io
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lightly_pipeline.errors import DatasourceError, PermissionDeniedError, StoreFullError
from lightly_pipeline.owner import is_dead, this_process

PARTIAL_PREFIX = ".lightly-partial-"
"""Unfinished writes; listings leave them out, so a crash leaves nothing that anyone sees."""
LOCK_NAME = f"{PARTIAL_PREFIX}lock"
_KEPT_S = 24 * 3600
_OPENINGS = 50
_FULL = (errno.ENOSPC, errno.EDQUOT)
_BAD_NAME = (errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG)


def is_partial(name: str) -> bool:
    """Returns whether a file name is that of an unfinished write."""
    return name.startswith(PARTIAL_PREFIX)


def partial_beside(target: Path) -> Path:
    """Returns a name for the unfinished content of a file, marked with who writes it."""
    return target.with_name(f"{PARTIAL_PREFIX}{this_process()}-{uuid.uuid4().hex}")


@contextmanager
def finished_beside(target: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Yields a new file beside `target` and its path; it is gone when the context ends.

    Its folder is made where there is none. It is complete on disk once `settle` was called. It is
    made as any program makes files, so that the process' umask, or what else the folder says, holds
    without a chmod, which mounts refuse.

    Raises:
        StoreFullError: The disk, or what its user may use of it, is full.
        DatasourceError: The file system does not take the name.
    """
    partial = partial_beside(target)
    try:
        with io.BufferedRandom(_File(partial, target)) as file:
            yield file, partial
    finally:
        partial.unlink(missing_ok=True)


def settle(file: BinaryIO) -> None:
    """Brings a file's content to the disk."""
    file.flush()
    with naming_full_disk(str(file.raw.target)):  # type: ignore[attr-defined]
        os.fsync(file.fileno())


def in_place(partial: Path, target: Path) -> None:
    """Gives a finished file its name, in place of what has it."""
    with _naming_refused(target), naming_full_disk(str(target)):
        partial.replace(target)


def created(partial: Path, target: Path) -> bool | None:
    """Gives a finished file its name if nothing has it, in one step and without a lock.

    Returns:
        Whether it got it; None where the file system knows no hard links.
    """
    try:
        with naming_full_disk(str(target)):
            os.link(partial, target)
    except FileExistsError:
        return False
    except (OSError, NotImplementedError):
        return None
    return True


@contextmanager
def naming_full_disk(what: str) -> Iterator[None]:
    """Says what is full, where the system only says that something is."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise DatasourceError(
                f"cannot write {what}: {error.strerror}: its file system, or a limit of this "
                "process (ulimit -f), allows no larger file"
            ) from error
        if error.errno not in _FULL:
            raise
        raise StoreFullError(
            f"cannot write {what}: {error.strerror}: make room, and run again: what is stored is "
            "not made again"
        ) from error


def leftovers(folder: Path) -> Iterator[Path]:
    """Yields the partial files below a folder that no living process is writing."""
    for place, _, names in os.walk(folder):
        for name in names:
            if is_partial(name) and name != LOCK_NAME and _is_abandoned(Path(place, name)):
                yield Path(place, name)


def removed(root: Path, files: Mapping[str, Path]) -> dict[str, DatasourceError]:
    """Removes files, and the folders below `root` that become empty thereby.

    Args:
        root: Stays, whatever it holds.
        files: By their name for the caller.

    Returns:
        Why, by name, for those that are still there.
    """
    problems: dict[str, DatasourceError] = {}
    emptied: set[Path] = set()
    for name, file in files.items():
        try:
            file.unlink(missing_ok=True)
            emptied.add(file.parent)
        except NotADirectoryError:
            # What was its folder is a file by now: it is not there.
            continue
        except OSError as error:
            problems[name] = _not_removed(file, error)
    for folder in emptied:
        _remove_empty(root, folder)
    return problems


def _remove_empty(root: Path, folder: Path) -> None:
    """Removes a folder, and those above it, as long as they are empty."""
    while folder != root:
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = folder.parent


def _not_removed(file: Path, error: OSError) -> DatasourceError:
    if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
        return DatasourceError(f"cannot delete {file}: {error.strerror}")
    return PermissionDeniedError(
        f"cannot delete {file}: {error.strerror}: this takes the right to write to its folder"
    )


def _is_abandoned(partial: Path) -> bool:
    owner = partial.name.removeprefix(PARTIAL_PREFIX).partition("-")[0]
    if (dead := is_dead(owner)) is not None:
        return dead
    try:
        return time.time() - partial.stat().st_mtime > _KEPT_S
    except OSError:
        return False


@contextmanager
def _naming_refused(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _BAD_NAME:
            raise
        raise DatasourceError(
            f"cannot write {target}: the file system does not take this name ({error.strerror}): "
            "rename the video, or use another LIGHTLY datasource"
        ) from error


def _opened(path: Path) -> int:
    """Returns the descriptor of a new file, whose folder somebody may remove while it is empty."""
    for attempt in range(_OPENINGS):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return _new(path)
        except (FileNotFoundError, FileExistsError):
            if attempt == _OPENINGS - 1:
                raise
        if (descriptor := _opened_in_new_folder(path)) is not None:
            return descriptor
        time.sleep(attempt / 1000)
    raise AssertionError("unreachable")


def _opened_in_new_folder(path: Path) -> int | None:
    """Opens a new file in a folder that was never empty under its name.

    The folder is made under another name, with the file in it, and renamed: what has the name must
    be missing or empty.

    Returns:
        The descriptor; None where others have filled the folder, or the file system cannot do it.
    """
    folder = path.parent
    try:
        while not _is_made(unnamed := partial_beside(folder)):
            folder = folder.parent
    except OSError:
        return None
    inside = unnamed / path.relative_to(folder)
    try:
        inside.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _new(inside)
        try:
            unnamed.rename(folder)
        except OSError:
            os.close(descriptor)
            raise
    except OSError:
        shutil.rmtree(unnamed, ignore_errors=True)
        return None
    return descriptor


def _is_made(folder: Path) -> bool:
    """Makes a folder; it keeps the one that it is in from being empty."""
    try:
        folder.mkdir()
    except FileNotFoundError:
        return False
    return True


def _new(path: Path) -> int:
    # Mode 0666 less the umask: the kernel takes it off.
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)


class _File(io.FileIO):
    """A new file whose writing says where the disk is full."""

    def __init__(self, path: Path, target: Path) -> None:
        self.target = target
        with _naming_refused(path), naming_full_disk(str(target)):
            descriptor = _opened(path)
        super().__init__(descriptor, "r+b")

    def write(self, data: "bytes | bytearray | memoryview") -> int | None:  # type: ignore[override]
        with naming_full_disk(str(self.target)):
            return super().write(data)
