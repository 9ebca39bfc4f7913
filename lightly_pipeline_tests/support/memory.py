"""How much memory a process has taken."""

import resource
import sys

# getrusage counts bytes on macOS and kilobytes elsewhere.
_UNITS_PER_MIB = 1024**2 if sys.platform == "darwin" else 1024


def peak_mib(usage: resource.struct_rusage) -> float:
    """Returns the largest resident size, in MiB."""
    return usage.ru_maxrss / _UNITS_PER_MIB
