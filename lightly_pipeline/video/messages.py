"""FFmpeg's own messages: most damage shows only there.

Captured per thread while FFmpeg works, made comparable and counted; never printed.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import av
import av.logging

av.logging.set_level(av.logging.ERROR)
# Else a message that the video before ended with is missing here, or comes with its count.
av.logging.set_skip_repeated(False)

_MAX_TEXTS = 50
_OTHERS = "other messages"
_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"-?\b\d+(\.\d+)?")


@contextmanager
def capture_messages(into: "Counter[str] | None" = None) -> Iterator[None]:
    """Collects what FFmpeg says on this thread; counted in `into`, or dropped.

    Only FFmpeg calls of this thread with one decoder thread are covered, which is all there are. A
    hostile file can say ever new things: beyond fifty texts only their number is kept.
    """
    with av.logging.Capture() as entries:
        yield
    if into is None:
        return
    for _, name, text in entries:
        message = normalised(name, text)
        known = message in into or len(into) < _MAX_TEXTS
        into[message if known else _OTHERS] += 1


def normalised(name: str, text: str) -> str:
    """Returns a message without the addresses and numbers that differ between repetitions."""
    return f"{name}: {_NUMBER.sub('#', _ADDRESS.sub('#', text.strip()))}"
