"""FFmpeg's own messages: most damage shows only there.

Captured per thread while FFmpeg works, made comparable and counted; never printed.
"""

import re
from collections import Counter
from typing import Self

import av
import av.logging

# Concealment and lost packets are told at lower levels; the rest of these is left out below.
av.logging.set_level(av.logging.INFO)
# Else a message that the video before ended with is missing here, or comes with its count.
av.logging.set_skip_repeated(False)

_MAX_TEXTS = 50
_OTHERS = "other messages"
_CONCEALED = "concealing"
_INCOMPLETE = re.compile(r"Packet corrupt \(stream = (\d+), dts = (-?\d+)\)")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"-?\b\d+(\.\d+)?")


class MessageCapture:
    """Collects what FFmpeg says on this thread; counted in `into`, or dropped.

    Only FFmpeg calls of this thread with one decoder thread are covered, which is all there are. A
    hostile file can say ever new things: beyond fifty texts only their number is kept. What comes
    before an exception is dropped, for the exception says it, unless `of_failures` too are wanted.

    Attributes:
        texts: What was said, afterwards: errors, and that a picture was concealed.
        incomplete: Stream and dts of packets of which a demuxer said that parts are missing.
    """

    __slots__ = ("_capture", "_entries", "_into", "_of_failures", "incomplete", "texts")

    def __init__(self, into: "Counter[str] | None" = None, *, of_failures: bool = False) -> None:
        self._into, self._of_failures = into, of_failures
        self.texts: list[str] = []
        self.incomplete: set[tuple[int, int]] = set()

    def __enter__(self) -> Self:
        self._capture = av.logging.Capture()
        self._entries = self._capture.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *others: object) -> None:
        self._capture.__exit__(None, None, None)
        into = self._into
        if into is None or (kind is not None and not self._of_failures):
            return
        for level, name, text in self._entries:
            if level > av.logging.ERROR and not text.startswith(_CONCEALED):
                if found := _INCOMPLETE.match(text):
                    self.incomplete.add((int(found[1]), int(found[2])))
                continue
            message = normalised(name, text)
            self.texts.append(message)
            known = message in into or len(into) < _MAX_TEXTS
            into[message if known else _OTHERS] += 1


def normalised(name: str, text: str) -> str:
    """Returns a message without the addresses and numbers that differ between repetitions."""
    return f"{name}: {_NUMBER.sub('#', _ADDRESS.sub('#', text.strip()))}"
