"""One BLAS thread while a selection runs.

Its products are small, so that threads gain little (1.05 to 1.2 times on two idle cores), and
OpenBLAS's wait for each other by spinning: on a busy machine that took 40 times the CPU time. Only
NumPy's own OpenBLAS is known here, which its wheels for Linux, Windows and Intel Macs bring; other
BLAS libraries are left as they are.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

_FOLDERS = ("../numpy.libs", ".dylibs")
# NumPy's builds have a prefix and a suffix for 64-bit integers, or either, or neither.
_NAMES = tuple(
    (f"{prefix}openblas_{{}}_num_threads{suffix}")
    for prefix in ("scipy_", "")
    for suffix in ("64_", "")
)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keeps NumPy's matrix products in the calling thread, for the whole process."""
    before = blas_threads()
    if before is None:
        yield
        return
    _call("set", 1)
    try:
        yield
    finally:
        _call("set", before)


def blas_threads() -> int | None:
    """Returns how many threads NumPy's products use; None for a BLAS that is not known."""
    return _call("get")


def _call(verb: str, *arguments: int) -> int | None:
    library = _openblas()
    for name in _NAMES:
        function = getattr(library, name.format(verb), None)
        if function is not None:
            return int(function(*arguments))
    return None


@cache
def _openblas() -> ctypes.CDLL | None:
    package = Path(np.__file__).parent
    for folder in _FOLDERS:
        for file in sorted((package / folder).glob("*openblas*")):
            return ctypes.CDLL(str(file))
    return None
