"""Decoded pictures become frames: their rows, small images, and the full picture while it is there.

What is measured off a picture is in the modules of `pixels.py` and `quality`; the pass itself is in
`decode.py`.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.video.boxes import PixelBoxes
from lightly_pipeline.video.container import OpenedStream
from lightly_pipeline.video.decode import Pass
from lightly_pipeline.video.numbering import DecodePlan
from lightly_pipeline.video.orientation import UPRIGHT, Orientation
from lightly_pipeline.video.parts import pixels_in
from lightly_pipeline.video.pixels import FullImages, SmallImages, checksum
from lightly_pipeline.video.quality.meter import Glance, Periods, QualityMeter
from lightly_pipeline.video.quality.numbers import Quality
from lightly_pipeline.video.types import DecodedFrame, FrameInput, FrameRow, UntaggedMatrix

Takes = Callable[[int, float | None, bool], bool]
"""Says of a frame by its index, time and key flag whether it takes part."""
_MEASURED_TOGETHER, _MAX_HELD_PIXELS = 8, 4 * 3840 * 2160


def decoded_frames(
    opened: OpenedStream,
    decoding: Pass,
    plan: DecodePlan | None,
    takes: Takes,
    frame_input: FrameInput | None,
    untagged_matrix: UntaggedMatrix,
) -> Iterator[DecodedFrame]:
    """Yields the frames of one pass; how many are held on the way follows from them alone.

    Args:
        opened: The stream.
        decoding: The pass.
        plan: What it goes by, if it is not a whole one.
        takes: Which frames are wanted.
        frame_input: The small image wanted of each frame; None for rows alone.
        untagged_matrix: How pictures without colour tags are understood.

    Raises:
        CorruptVideoError: No frame could be decoded, or the limits are exceeded.
    """
    picture, meter = _CurrentPicture(untagged_matrix), QualityMeter(untagged_matrix)
    small = SmallImages(frame_input, untagged_matrix) if frame_input is not None else None
    for group in _in_groups(_seen(opened, decoding, plan, takes, small, meter)):
        for each, quality in zip(group, meter.of([s.glance for s in group]), strict=True):
            row = _row(each, quality)
            picture.show(row.index, each.glance.frame, each.glance.orientation)
            yield DecodedFrame(
                row,
                each.small,
                partial(picture.rgb, row.index),
                partial(picture.crops, row.index),
            )
    picture.clear()


def _seen(
    opened: OpenedStream,
    decoding: Pass,
    plan: DecodePlan | None,
    takes: Takes,
    small: SmallImages | None,
    meter: QualityMeter,
) -> Iterator["_SeenFrame"]:
    """Yields what is taken off the wanted frames while their planes are in the cache."""
    time_base = opened.stream.time_base
    # A quotient of whole numbers is rounded as the fraction is, in a tenth of the time.
    ticks, per_s = (time_base.numerator, time_base.denominator) if time_base else (0, 1)
    # AVI has no times but the places of packets; pictures that wait for others step back there.
    has_places_for_times, latest_s = opened.info.container == "avi", -inf
    periods, begins = Periods(time_base), False
    for frame in decoding.frames(plan):
        orientation, pts = decoding.orientation, frame.pts
        position = decoding.position_of(frame)
        index = decoding.n_frames - 1 if plan is None else plan.index_by_pts.get(pts)
        time_s = pts * ticks / per_s if pts is not None and time_base else None
        if has_places_for_times and time_s is not None:
            latest_s = time_s = max(time_s, latest_s)
        # Left out by a sampling, it is the next frame that begins.
        begins |= periods.begins(pts, is_key=bool(frame.key_frame))
        if index is None or not takes(index, time_s, bool(frame.key_frame)):
            continue
        # First, for it reads from end to end; the others, that do not, find the planes cached.
        proof = checksum(frame)
        image = small.of(frame, orientation) if small else None
        yield _SeenFrame(
            index,
            time_s,
            decoding.is_damaged,
            position,
            proof,
            image,
            meter.glance(frame, orientation, begins=begins),
        )
        begins = False


class _CurrentPicture:
    """The one decoded frame of a pass whose planes are kept."""

    def __init__(self, untagged_matrix: UntaggedMatrix) -> None:
        self._images = FullImages(untagged_matrix)
        self.clear()

    def show(self, index: int, frame: Any, orientation: Orientation) -> None:
        self._index, self._frame, self._orientation = index, frame, orientation

    def clear(self) -> None:
        self._index, self._frame, self._orientation = -1, None, UPRIGHT

    def rgb(self, index: int) -> NDArray[np.uint8]:
        self._check(index)
        return self._images.of(self._frame, self._orientation)

    def crops(self, index: int, boxes: PixelBoxes) -> list[NDArray[np.uint8]]:
        self._check(index)
        return pixels_in(self._images, self._frame, self._orientation, boxes)

    def _check(self, index: int) -> None:
        if index != self._index:
            raise RuntimeError(
                f"the pass went on from frame {index}: take its picture before the next frame, "
                f"or fetch([{index}])"
            )


class _SeenFrame(NamedTuple):
    """What was taken off a decoded frame at once."""

    number: int
    time_s: float | None
    is_damaged: bool
    position: int | None
    proof: int
    small: NDArray[np.uint8] | None
    glance: Glance


def measured_together(width: int, height: int) -> int:
    """Returns of how many frames the quality numbers are made in one go.

    Fewer of large pictures, for all of them are in memory.
    """
    return max(1, min(_MEASURED_TOGETHER, _MAX_HELD_PIXELS // (width * height)))


def _in_groups(frames: Iterable[_SeenFrame]) -> Iterator[list[_SeenFrame]]:
    group: list[_SeenFrame] = []
    for seen in frames:
        group.append(seen)
        # Sizes may change inside a stream.
        if len(group) >= measured_together(seen.glance.frame.width, seen.glance.frame.height):
            yield group
            group = []
    if group:
        yield group


def _row(seen: _SeenFrame, quality: Quality) -> FrameRow:
    frame = seen.glance.frame
    width, height = seen.glance.size
    return FrameRow(
        seen.number,
        frame.pts,
        seen.time_s,
        bool(frame.key_frame),
        bool(frame.is_corrupt),
        seen.is_damaged,
        width,
        height,
        seen.proof,
        seen.position,
        quality,
    )
