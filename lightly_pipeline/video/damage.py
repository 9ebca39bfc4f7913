"""Which frames show what they should: evidence of damage, and what refers to it.

Evidence is noted by packet, in the order of decoding: a packet with parts missing, an error, a
message, a gap in the stream's own numbering. A frame is damaged if there is evidence at its packet
or before, back to the last picture that decoding can start from. Frames are asked about in
presentation order, in which everything from a start on refers to nothing before it: that is what
makes it a start, whether its group is closed or open. Evidence comes from `evidence.py`.
"""

import re
from collections import Counter
from typing import NamedTuple

from lightly_pipeline.video import reasons
from lightly_pipeline.video.report import DamagedFrames

_MAX_RUNS, _MAX_REASONS = 1000, 3
# What FFmpeg says of data beside the picture: it changes no pixel.
_BESIDE_THE_PICTURE = re.compile(
    r"\b(SEI|VUI|HRD|RPU|T\.?35|user data|mastering|metadata|dynamic HDR|timecode)\b",
    re.IGNORECASE,
)


class _Evidence(NamedTuple):
    """Packets whose pictures are damaged themselves: a message may be about the one before."""

    first: int
    last: int
    reason: str


class DamageLog:
    """The evidence that still counts, and the runs of damaged frames so far.

    Attributes:
        n_damaged: Frames that were called damaged.
    """

    def __init__(self) -> None:
        self._open: list[_Evidence] = []
        self._begin = 0
        self._runs: list[_Run] = []
        self.n_damaged = 0

    def note(self, packet: int, reason: str, *, before: int = 0, after: int = 0) -> None:
        """Takes note of evidence.

        Args:
            packet: Ordinal in the order of decoding.
            reason: For the owner of the video.
            before: So many packets before may be meant, too.
            after: So many packets after may be meant, too; -1 when the packet itself shows what it
                should if it is a start.
        """
        found = _Evidence(packet - before, packet + after, reason)
        self._begin = min(found.first, self._begin) if self._open else found.first
        self._open.append(found)

    def is_damaged(self, index: int | None, packet: int, start: int | None) -> bool:
        """Returns whether a frame is damaged; frames come in presentation order.

        Args:
            index: Of the frame; None for one that nobody asked for.
            packet: That it was decoded from.
            start: The packet that decoding can start from to get it right: its own, or the one
                at which a refresh began that it completes; None for all others.
        """
        if not self._open:
            return False
        if start is not None:
            self._open = [found for found in self._open if found.last >= start]
            self._begin = min((found.first for found in self._open), default=0)
        if not self._open or self._begin > packet:
            return False
        own = [f.reason for f in self._open if f.first <= packet <= max(f.first, f.last)]
        if index is not None:
            self._add(index, own or [reasons.REFERS_TO_DAMAGED()])
        return True

    def _add(self, index: int, said: list[str]) -> None:
        self.n_damaged += 1
        last = self._runs[-1] if self._runs else None
        if last is None or (last.last + 1 != index and len(self._runs) < _MAX_RUNS):
            last = _Run(index)
            self._runs.append(last)
        last.add(index, said)

    def runs(self) -> tuple[DamagedFrames, ...]:
        """Returns the damaged frames, those that follow each other together."""
        return tuple(run.result() for run in self._runs)


class _Run:
    def __init__(self, first: int) -> None:
        self._first = self.last = first
        self._n = 0
        self._reasons: Counter[str] = Counter()

    def add(self, index: int, said: list[str]) -> None:
        self.last = index
        self._n += 1
        self._reasons.update(dict.fromkeys(said, 1))

    def result(self) -> DamagedFrames:
        shown = [reason for reason, _ in self._reasons.most_common(_MAX_REASONS)]
        return DamagedFrames(self._first, self.last, self._n, "; ".join(shown))


def is_about_pictures(message: str) -> bool:
    """Returns whether what FFmpeg said can have to do with the pixels of a picture."""
    return _BESIDE_THE_PICTURE.search(message) is None
