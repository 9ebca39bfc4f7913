"""How a command ends on Ctrl-C and SIGTERM: soon, with one line, whatever its threads wait for.

At first it ends as it would on an error, so that what is in progress is left as it should be. What
does not end within some seconds (a store that never answers, a library's long call), or is asked
to a second time, is cut off: nothing that a run leaves in the middle does harm. What is said, and
with which exit code, is decided here.
"""

import math
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_ASKED = (signal.SIGINT, signal.SIGTERM)
# Whoever presses Ctrl-C looks on; a service manager waits for ten seconds and more.
_GRACE_S = {signal.SIGINT: 2.0, signal.SIGTERM: 8.0}
_SHOW_CURSOR = "\x1b[?25h"
_LINE = (
    "interrupted; what is complete is kept: run the same command again to go on where it stopped"
)


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM."""


class Interruption:
    """Whether a command was asked to end, and what it says of that."""

    def __init__(self) -> None:
        self.number: signal.Signals | None = None
        """The first signal that asked it to."""
        self._was_told = threading.Lock()
        self._was_raised = False

    @property
    def exit_code(self) -> int:
        """As a shell reports a process that a signal has ended."""
        return 128 + (self.number or signal.SIGINT)

    def tell(self, line: str = _LINE) -> None:
        """Says once that the command ends, and what to do."""
        if self._was_told.acquire(blocking=False):
            show_cursor = _SHOW_CURSOR if sys.stderr.isatty() else ""
            os.write(2, f"{show_cursor}{line}\n".encode())

    def _note(self, number: int, _: object) -> None:
        """Handles the signals: the first one ends what the main thread does."""
        # The watch may have heard of it before.
        self.number = self.number or signal.Signals(number)
        if not self._was_raised:
            self._was_raised = True
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    def _watch(self, signals: socket.socket) -> None:
        """Cuts the command off when its time is up, or it is asked to end again.

        It hears of signals also while the main thread is in a library's long call.
        """
        deadline = math.inf
        while time.monotonic() < deadline:
            left_s = None if deadline == math.inf else max(deadline - time.monotonic(), 0)
            if not select.select([signals], [], [], left_s)[0]:
                continue
            numbers = signals.recv(64)
            if not numbers:
                # The command is over, and was not asked to end.
                return
            for number in filter(_ASKED.__contains__, numbers):
                is_second = deadline < math.inf
                self.number = self.number or signal.Signals(number)
                deadline = 0 if is_second else time.monotonic() + _GRACE_S[self.number]
        self.tell()
        os._exit(self.exit_code)


@contextmanager
def ending_when_asked() -> Iterator[Interruption]:
    """Lets Ctrl-C and SIGTERM end what is done in the context, and the process soon after it.

    Only the main thread hears of signals: elsewhere nothing changes.
    """
    asked = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    heard, told = socket.socketpair()
    told.setblocking(False)
    before = {number: signal.signal(number, asked._note) for number in _ASKED}
    fd_before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=asked._watch, args=(heard,), daemon=True).start()
    try:
        yield asked
    finally:
        if asked.number is None:
            signal.set_wakeup_fd(fd_before)
            for number, handler in before.items():
                signal.signal(number, handler)
            told.close()
