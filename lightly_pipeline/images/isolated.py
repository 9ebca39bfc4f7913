"""Decodes images in a child process with a deadline and a memory bound.

For shards of which an image killed the process before: which one it was, the child's death tells.
The child's side is in `isolated_child.py`.
"""

import signal
import subprocess
import threading
from contextlib import suppress
from dataclasses import asdict
from types import TracebackType
from typing import Self

import numpy as np

from lightly_pipeline.errors import CorruptImageError
from lightly_pipeline.video.child import refuse_asked_to_end, start_child
from lightly_pipeline.video.types import DecodedFrame, FrameInput, FrameRow
from lightly_pipeline.video.wire import receive, send

_CHILD = "lightly_pipeline.images.isolated_child"
_MEMORY_BYTES = 4 * 1024**3
_DEADLINE_S = 120.0


class IsolatedImages:
    """Makes frames of image files; a file that kills its child is corrupt, the next has another.

    Args:
        wanted: The small image that an encoder wants.
        deadline_s: Wall time after which a child that does not answer is killed.
        memory_bytes: Address space that it may take (on systems that enforce it).
    """

    def __init__(
        self,
        wanted: FrameInput,
        *,
        deadline_s: float = _DEADLINE_S,
        memory_bytes: int = _MEMORY_BYTES,
    ) -> None:
        self._wanted, self._deadline_s, self._memory_bytes = wanted, deadline_s, memory_bytes
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def of(self, content: bytes, index: int) -> DecodedFrame:
        """Returns the frame of an image file.

        Args:
            content: Of the file.
            index: Its number in its table.

        Raises:
            CorruptImageError: Also when the child dies or takes too long.
            DatasourceError: The child was ended from outside.
        """
        child = self._child or self._begin()
        assert child.stdin is not None
        assert child.stdout is not None
        is_late = threading.Event()

        def kill() -> None:
            is_late.set()
            child.kill()

        timer = threading.Timer(self._deadline_s, kill)
        timer.start()
        try:
            send(child.stdin, {"index": index}, content)
            child.stdin.flush()
            answer = receive(child.stdout)
        except BrokenPipeError:
            answer = None
        finally:
            timer.cancel()
        if answer is None:
            status = self._end()
            refuse_asked_to_end(status)
            raise CorruptImageError(_death(status, self._deadline_s if is_late.is_set() else None))
        header, payload = answer
        if "corrupt" in header:
            raise CorruptImageError(header["corrupt"])
        small = np.frombuffer(payload, np.uint8).reshape(header["shape"])
        return DecodedFrame(FrameRow.from_dict(header["row"]), small)

    def _begin(self) -> "subprocess.Popen[bytes]":
        self._child = child = start_child(_CHILD)
        assert child.stdin is not None
        send(child.stdin, {"wanted": asdict(self._wanted), "memory_bytes": self._memory_bytes})
        return child

    def _end(self) -> int:
        """Ends the child; returns its exit status, or what it died of before."""
        child, self._child = self._child, None
        if child is None:
            return 0
        assert child.stdin is not None
        assert child.stdout is not None
        with suppress(BrokenPipeError):
            child.stdin.close()
        try:
            return child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()
        finally:
            child.stdout.close()


def _death(status: int, deadline_s: float | None) -> str:
    if deadline_s is not None or status == -signal.SIGXCPU:
        return f"decoding took over {deadline_s or _DEADLINE_S:.0f} s"
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    return f"the decoder crashed ({how})"
