"""Which process left something behind, and whether it is still alive.

For marks that outlive a killed process: partial files and attempt markers. A process is known by
the kernel it runs under, its process namespace (containers share kernels and numbers), its number
and when it started (numbers are used again).
"""

import hashlib
import os
import socket
from functools import cache
from pathlib import Path


@cache
def this_host() -> str:
    """Returns what processes that can see each other have in common: 16 hexadecimal digits."""
    parts = [socket.gethostname()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    except OSError:
        # Not Linux: the name has to do.
        pass
    return hashlib.sha256(" ".join(parts).encode(errors="surrogateescape")).hexdigest()[:16]


def this_process() -> str:
    """Returns the mark of this process: `host.pid.start`, safe in file names."""
    pid = os.getpid()
    return f"{this_host()}.{pid}.{_started(pid)}"


def is_dead(mark: str) -> bool | None:
    """Returns whether the process that left a mark has ended; None if that cannot be seen here."""
    host, _, rest = mark.partition(".")
    pid, _, started = rest.partition(".")
    if host != this_host() or not (pid.isdecimal() and started.isdecimal()):
        return None
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        # Another user's: it is there.
        pass
    return _started(int(pid)) != int(started)


def _started(pid: int) -> int:
    """Returns when a process started, in the kernel's ticks; 0 where that is not told."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return 0
    # The second field is the program's name in brackets, which may hold anything.
    return int(line.rpartition(")")[2].split()[19])
