"""A child process that decodes: it ends with its parent, and by nothing that is meant for that.

How it is started, what its end says, and its own watch on its parent. What parent and child say to
each other is in `wire.py`.
"""

import os
import signal
import subprocess
import sys
import threading
import time

from lightly_pipeline.errors import DatasourceError

_ASKED_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_EVERY_S = 0.5


def start_child(module: str) -> "subprocess.Popen[bytes]":
    """Starts a module as a child that is spoken to by its standard input and output.

    It has a process group of its own: Ctrl-C in a terminal is for its parent, who ends it.
    """
    return subprocess.Popen(  # noqa: S603  our own module
        [sys.executable, "-m", module, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )


def end_with_parent() -> None:
    """Has this process, a child, end soon after its parent, however that ends."""
    parent = int(sys.argv[1])

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_EVERY_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def refuse_asked_to_end(status: int) -> None:
    """Raises if a child was asked to end from outside, which says nothing of what it decoded.

    A machine that shuts down and a service that is stopped ask all processes at once.

    Args:
        status: With which it ended, as of `subprocess`.

    Raises:
        DatasourceError: It was; trying again helps.
    """
    if -status in _ASKED_TO_END:
        name = signal.Signals(-status).name
        raise DatasourceError(f"the process that decoded it was ended from outside ({name})")
