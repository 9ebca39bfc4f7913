"""A terminal: what a person sees on it while a command runs."""

import signal
import time
from collections.abc import Sequence

import pexpect
import pyte

_READ_S, _PATIENCE_S = 0.05, 120.0


class Terminal:
    """Runs a command in a terminal of its own.

    Args:
        command: With its arguments.
        columns: Width.
        rows: Height.
        env: Its environment.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 100,
        rows: int = 24,
        env: dict[str, str] | None = None,
    ) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._child = pexpect.spawn(
            command[0],
            list(command[1:]),
            dimensions=(rows, columns),
            env=env,
            timeout=_READ_S,
            preexec_fn=_heed_ctrl_c,
        )
        self.sent = b""

    @property
    def lines(self) -> list[str]:
        """The lines on the screen, without the empty ones below."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip().split("\n")

    @property
    def is_cursor_hidden(self) -> bool:
        """Whether the cursor cannot be seen."""
        return bool(self._screen.cursor.hidden)

    def wait_for(self, *texts: str, below: str = "", count: int = 0) -> list[str]:
        """Returns the lines of the first screen that shows all of the texts.

        Args:
            texts: What is waited for.
            below: And that so many lines are shown from the one on that begins so.
            count: How many.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            lines = self.lines
            starts = [n for n, line in enumerate(lines) if below and line.startswith(below)]
            n_below = len(lines) - starts[-1] if starts else 0
            if all(any(text in line for line in lines) for text in texts) and n_below == count:
                return lines
            if not self._read():
                break
        raise AssertionError(f"{texts!r} were not shown; lastly: {self.lines}")

    def interrupt(self) -> None:
        """Presses Ctrl-C."""
        self._child.sendintr()

    def wait(self) -> int:
        """Waits for the end and returns the exit code."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._read():
            if time.monotonic() > deadline:
                self._child.close(force=True)
                raise AssertionError(f"the command did not end; lastly: {self.lines}")
        self._child.close()
        code: int = self._child.exitstatus
        return code

    def _read(self) -> bool:
        try:
            data = self._child.read_nonblocking(65536)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.sent += data
        self._stream.feed(data)
        return True


def _heed_ctrl_c() -> None:
    """Undoes that a shell lets what it starts in the background ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
