"""One pass over a stream: every frame once, in presentation order, damage noted and passed over.

Knows packets and frames; opening is in `container.py`, what becomes of a frame in `pixels.py`.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import av
from av.codec.context import Flags

from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video import reasons
from lightly_pipeline.video.bounds import blame_memory
from lightly_pipeline.video.colour import describe_colour, settle_tags
from lightly_pipeline.video.container import OpenedStream
from lightly_pipeline.video.encryption import encryption_of
from lightly_pipeline.video.evidence import Evidence
from lightly_pipeline.video.gaps import StepLog
from lightly_pipeline.video.headers import Headers, Unclear
from lightly_pipeline.video.messages import MessageCapture
from lightly_pipeline.video.numbering import DecodePlan, PacketNote
from lightly_pipeline.video.orientation import UPRIGHT, orientation_of
from lightly_pipeline.video.report import DecodeReport, PacketError
from lightly_pipeline.video.types import DecodeLimits, KeyPacket, UntaggedMatrix
from lightly_pipeline.video.versions import decoder_version

_KEPT = 20
_TRANSPORT_STREAM = "mpegts"
# Less may be sound alone.
_LEAST_HOLE_BYTES, _LEAST_HOLE_SHARE = 64 * 1024, 0.05
# What FFmpeg's demuxers say of a sample, or a cluster, that the file does not hold.
_TRUNCATED = ("partial file", "File ended prematurely")


class Pass:
    """A sequential pass; afterwards it can say what it met.

    Attributes:
        n_frames: Frames given so far.
        orientation: How the last frame has to be turned.
        is_damaged: Whether the last frame shows or refers to concealed parts.
    """

    def __init__(
        self,
        opened: OpenedStream,
        limits: DecodeLimits,
        untagged_matrix: UntaggedMatrix,
    ) -> None:
        self._container, self._stream = opened.container, opened.stream
        # Frames then bring along what their packet is given.
        self._stream.codec_context.flags |= Flags.copy_opaque
        self._meter = opened.meter
        self._limits = limits
        self._untagged: UntaggedMatrix = untagged_matrix
        self._messages = Counter(opened.messages)
        self._is_cut = opened.is_cut
        self._steps = StepLog()
        self._evidence = Evidence(self._stream.codec_context, opened.incomplete)
        self._errors: list[PacketError] = []
        self._n_errors = self._errors_in_a_row = self._n_packets = self._n_flagged = 0
        self._key_packets: list[KeyPacket] = []
        self._positions: dict[int, int] = {}
        self._size_bytes = opened.size_bytes
        self._video_stream = opened.video_stream
        self._is_scrambled = opened.is_scrambled
        self._is_transport_stream = opened.info.container == _TRANSPORT_STREAM
        self._last_position, self._hole, self._is_late = 0, (0, 0), False
        self._encryption: str | None = None
        self._orientations: set[str] = set()
        self._angle = 0
        self._colour = ""
        self._n_interlaced = 0
        self.n_frames = 0
        self.orientation = UPRIGHT
        self.is_damaged = False

    def frames(self, plan: DecodePlan | None = None) -> Iterator[Any]:
        """Yields every `av.VideoFrame` that decodes, in presentation order.

        Args:
            plan: Decode these packets only; the others are read and passed over.

        Raises:
            CorruptVideoError: The stream gave no frame at all, or exceeds the limits.
        """
        for packet in self._packets():
            if plan is not None and not (packet.size and self._n_packets - 1 in plan.packets):
                self._meter.note_progress()
                continue
            if self._is_unusable(packet):
                continue
            yield from self._accepted(self._decode(packet), plan)
            if plan is not None and plan.alone:
                # A decoder holds a picture back until it has seen the next ones.
                yield from self._accepted(self._decode(None), plan)
                self._stream.codec_context.flush_buffers()
        # What is still inside the decoder when reading broke off; nothing after a regular end.
        yield from self._accepted(self._decode(None), plan)
        if not self.n_frames and (plan is None or plan.packets):
            raise CorruptVideoError(self._no_frames_reason())

    def survey(self, headers: Headers) -> list[PacketNote]:
        """Reads the whole stream without decoding, in place of `frames`.

        Raises:
            Unclear: The packets do not tell what comes out of them.
        """
        notes = []
        for packet in self._packets():
            if not packet.size:
                continue
            self._meter.note_progress()
            if packet.is_corrupt or self._is_unusable(packet):
                raise Unclear(reasons.DAMAGED_PACKETS())
            try:
                seen = headers.look(bytes(packet))
            except IndexError:
                raise Unclear(reasons.CUT_PACKET()) from None
            notes.append(PacketNote(packet.pts, not packet.is_discard, seen))
        if self._is_cut or self._n_errors or self._messages:
            raise Unclear(reasons.DAMAGED_STREAM())
        return notes

    def position_of(self, frame: Any) -> int | None:
        """Returns where the packet of the last frame begins in the file, if that is known."""
        return None if frame.pts is None else self._positions.pop(frame.pts, None)

    def report(
        self, plan: DecodePlan | None = None, *, whole_because: str | None = None
    ) -> DecodeReport:
        """Returns what the pass, by `plan` if by one, met.

        Args:
            plan: What the pass went by.
            whole_because: Why a pass that could have been spared was a whole one.
        """
        cut = self._is_cut or any(t in text for text in self._messages for t in _TRUNCATED)
        damaged = cut or self._n_errors or self._n_flagged or self._messages
        gaps = self._steps.gaps(self._stream.time_base) if damaged and plan is None else ()
        return DecodeReport(
            n_frames=self.n_frames if plan is None else len(plan.index_by_pts),
            n_packets=self._n_packets,
            n_errors=self._n_errors,
            errors=tuple(self._errors),
            messages=dict(sorted(self._messages.items())),
            n_flagged=self._n_flagged,
            n_damaged=self._evidence.n_damaged,
            damage=self._evidence.runs()[:_KEPT],
            truncated=cut,
            gaps=gaps[:_KEPT],
            n_interlaced=self._n_interlaced,
            rotation="; ".join(sorted(self._orientations)) or None,
            colour=self._colour,
            untagged_matrix=self._untagged,
            index_source="decoding" if plan is None else "packets",
            whole_because=whole_because,
            video_stream=self._video_stream,
            warnings=self._warnings(),
            key_packets=tuple(self._key_packets),
            decoder=decoder_version(),
        )

    def _packets(self) -> Iterator[Any]:
        packets = self._container.demux(self._stream)
        while self._errors_in_a_row < self._limits.max_errors_in_a_row:
            self._meter.check()
            try:
                with self._meter, MessageCapture(self._messages) as said:
                    packet = next(packets)
            except (StopIteration, EOFError, IndexError):
                # PyAV 18 ends with an IndexError where streams appeared after opening.
                self._note_hole(self._size_bytes)
                return
            except av.FFmpegError as error:
                self._note_error(error)
                return
            self._note_packet(packet)
            self._evidence.read(packet, self._n_packets - 1, said.texts)
            yield packet
        self._note(reasons.GIVEN_UP(limit=self._errors_in_a_row))

    def _note_packet(self, packet: Any) -> None:
        if packet.is_keyframe:
            self._key_packets.append(KeyPacket(self._n_packets, packet.pts, packet.dts, packet.pos))
        if packet.pts is not None and packet.pos is not None:
            self._positions[packet.pts] = packet.pos
        if packet.pos is not None:
            self._is_late = self._is_transport_stream and packet.pos < self._last_position
            self._note_hole(packet.pos)
        self._n_packets += packet.size > 0

    def _note_hole(self, position: int) -> None:
        """Takes note of the longest part of the file without a packet of the stream."""
        if position - self._last_position > self._hole[1] - self._hole[0]:
            self._hole = (self._last_position, position)
        self._last_position = max(position, self._last_position)

    def _is_unusable(self, packet: Any) -> bool:
        """Returns whether a packet would decode to noise, and takes note of it."""
        scheme = encryption_of(packet)
        if scheme is None and not self._is_late:
            return False
        self._encryption = scheme or self._encryption
        self._n_errors += 1
        reason = reasons.ENCRYPTED_PACKET() if scheme else reasons.LATE_PACKET()
        self._evidence.failed(reason)
        if len(self._errors) < _KEPT:
            self._note(reason)
        return True

    def _warnings(self) -> tuple[str, ...]:
        warnings = []
        begin, end = self._hole
        share = (end - begin) / max(self._size_bytes, 1)
        is_left_out = end - begin >= _LEAST_HOLE_BYTES and share >= _LEAST_HOLE_SHARE
        if is_left_out and self._is_transport_stream:
            warnings.append(reasons.STREAM_ENDS_EARLY(share=share, position=begin))
        if reasons.LEFT_AS_CODED() in self._orientations:
            warnings.append(reasons.LEFT_AS_CODED())
        return tuple(warnings)

    def _decode(self, packet: Any) -> list[Any]:
        try:
            with self._meter, MessageCapture(self._messages) as said:
                frames = self._stream.codec_context.decode(packet)
        except EOFError:
            return []
        except (av.FFmpegError, MemoryError) as error:
            codec = self._stream.codec_context
            blame_memory(error, codec.width * codec.height)
            self._evidence.failed(self._note_error(error))
            return []
        self._evidence.decoded(said.texts)
        self._errors_in_a_row = 0
        return list(frames)

    def _accepted(self, frames: list[Any], plan: DecodePlan | None) -> Iterator[Any]:
        for frame in frames:
            if self.n_frames >= self._limits.max_frames:
                raise CorruptVideoError(reasons.TOO_MANY_FRAMES(limit=self._limits.max_frames))
            settle_tags(frame)
            if not self.n_frames:
                self._colour = describe_colour(frame, self._untagged)
            self._note_orientation(frame)
            if self.orientation != UPRIGHT:
                self._orientations.add(str(self.orientation))
            index = self.n_frames if plan is None else plan.index_by_pts.get(frame.pts)
            self.is_damaged = self._evidence.is_damaged(frame, index)
            self._n_flagged += frame.is_corrupt
            self._n_interlaced += frame.interlaced_frame
            self._steps.add(self.n_frames, frame.pts)
            self.n_frames += 1
            self._meter.note_progress()
            yield frame

    def _note_orientation(self, frame: Any) -> None:
        # The angle costs nothing, reading the matrix 1 ms.
        angle = frame.rotation
        if not self.n_frames or angle != self._angle:
            self._angle, self.orientation = angle, orientation_of(frame)

    def _note_error(self, error: Exception) -> str:
        self._n_errors += 1
        self._errors_in_a_row += 1
        reason = getattr(error, "strerror", None) or type(error).__name__
        if len(self._errors) < _KEPT:
            self._note(reason)
        return reason

    def _note(self, reason: str) -> None:
        self._errors.append(PacketError(max(self._n_packets - 1, 0), reason))

    def _no_frames_reason(self) -> str:
        if self._encryption is not None:
            return reasons.ENCRYPTED(how=self._encryption)
        if self._is_transport_stream and self._is_scrambled():
            return reasons.ENCRYPTED(how="scrambled transport stream")
        details = [f"{self._n_packets} packets", f"{self._n_errors} errors"]
        if self._errors:
            details.append(f"first: {self._errors[0].reason}")
        elif self._messages:
            details.append(next(iter(sorted(self._messages))))
        return reasons.NO_FRAMES(details=", ".join(details))
