"""FFmpeg's own messages: most damage shows only there.

Captured per thread while FFmpeg works, made comparable and counted; never printed.
"""

import re
from collections import Counter

import av
import av.logging

av.logging.set_level(av.logging.ERROR)
# Else a message that the video before ended with is missing here, or comes with its count.
av.logging.set_skip_repeated(False)

_MAX_TEXTS = 50
_OTHERS = "other messages"
_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"-?\b\d+(\.\d+)?")


class MessageCapture:
    """Collects what FFmpeg says on this thread; counted in `into`, or dropped.

    Only FFmpeg calls of this thread with one decoder thread are covered, which is all there are. A
    hostile file can say ever new things: beyond fifty texts only their number is kept. What comes
    before an exception is dropped, for the exception says it, unless `of_failures` too are wanted.
    """

    __slots__ = ("_capture", "_entries", "_into", "_of_failures")

    def __init__(self, into: "Counter[str] | None" = None, *, of_failures: bool = False) -> None:
        self._into, self._of_failures = into, of_failures
        self._capture = av.logging.Capture()

    def __enter__(self) -> None:
        self._entries = self._capture.__enter__()

    def __exit__(self, kind: type[BaseException] | None, *others: object) -> None:
        self._capture.__exit__(None, None, None)
        into = self._into
        if into is None or (kind is not None and not self._of_failures):
            return
        for _, name, text in self._entries:
            message = normalised(name, text)
            known = message in into or len(into) < _MAX_TEXTS
            into[message if known else _OTHERS] += 1


def normalised(name: str, text: str) -> str:
    """Returns a message without the addresses and numbers that differ between repetitions."""
    return f"{name}: {_NUMBER.sub('#', _ADDRESS.sub('#', text.strip()))}"
