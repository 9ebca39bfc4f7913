"""What speaks for damage while a stream is read and decoded, noted by packet.

Asks the demuxer's and the decoder's flags, FFmpeg's messages and the stream's own numbers. What
follows from it for which frame is in `damage.py`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from lightly_pipeline.video import reasons
from lightly_pipeline.video.damage import DamageLog, is_about_pictures
from lightly_pipeline.video.headers.picture_numbers import NOTHING_SAID, PictureNumbers
from lightly_pipeline.video.report import DamagedFrames


@dataclass(frozen=True, slots=True)
class _Place:
    """Rides with a packet through the decoder; PyAV tells such objects by identity."""

    number: int
    refreshed_since: int | None


class Evidence:
    """The evidence of one pass, packet by packet and frame by frame.

    Args:
        context: The decoder's, which copies what a packet is given to its frames.
        incomplete: Stream and dts of packets, read on opening, with parts missing.
    """

    def __init__(self, context: Any, incomplete: Collection[tuple[int, int]]) -> None:
        self._incomplete = incomplete
        self._log = DamageLog()
        is_h264 = context.codec.name == "h264"
        self._numbers = PictureNumbers(context.extradata) if is_h264 else None
        self._number = 0

    @property
    def n_damaged(self) -> int:
        """Frames that were damaged so far."""
        return self._log.n_damaged

    def runs(self) -> tuple[DamagedFrames, ...]:
        """Returns the damaged frames, those that follow each other together."""
        return self._log.runs()

    def read(self, packet: Any, number: int, said: list[str]) -> None:
        """Marks a packet, and takes note of what is missing in or before it.

        Args:
            packet: PyAV's.
            number: Its ordinal.
            said: What FFmpeg said meanwhile.
        """
        self._number = number
        if said:
            self._log.note(number, said[0])
        if not packet.size:
            return
        order = self._numbers.look(packet, number) if self._numbers else NOTHING_SAID
        packet.opaque = _Place(number, order.refreshed_since)
        if order.is_gap:
            # A picture that is a start by itself needs nothing from before.
            self._log.note(number, reasons.MISSING_BEFORE(), after=-1)
        if not number and not packet.is_keyframe:
            self._log.note(0, reasons.BEGINS_BETWEEN_KEYS())
        is_first_incomplete = not number and (packet.stream_index, packet.dts) in self._incomplete
        if packet.is_corrupt or is_first_incomplete:
            # Parsers give out a picture with the flag of the packet that follows it.
            self._log.note(number, reasons.PARTS_MISSING(), after=1)

    def decoded(self, said: list[str]) -> None:
        """Takes note of what the decoder said of the packet that was read last."""
        for text in said:
            if is_about_pictures(text):
                # It may be about the first of two fields, which came before.
                self._log.note(self._number, text, before=1)

    def failed(self, reason: str) -> None:
        """Takes note that the packet that was read last gave nothing."""
        self._log.note(self._number, reason, before=1)

    def is_damaged(self, frame: Any, index: int | None) -> bool:
        """Returns whether a frame is damaged; frames come in presentation order.

        Args:
            frame: PyAV's.
            index: Of the frame; None for one that nobody asked for.
        """
        place = frame.opaque
        number = self._number if place is None else place.number
        if frame.is_corrupt:
            self._log.note(number, reasons.FLAGGED())
        start = number if frame.key_frame else place and place.refreshed_since
        return self._log.is_damaged(index, number, start)
