"""Which frames of a video are considered.

Pure decisions on numbers, times and flags; which packets have to be decoded for them is decided in
`numbering.py`. A sampling is an option of our own, its default considers every frame.
"""

import math
from dataclasses import asdict, dataclass

from lightly_pipeline.errors import CorruptVideoError

# Times are rounded to the container's clock, a millisecond in WebM: 3 % of a frame at 60 fps.
_JITTER = 0.05
# Rates are rounded too: 29.97 stands for 30000/1001.
_SAME_RATE = 0.999
# Raised when frames that are told apart by their packets get other numbers.
_NUMBERING = "numbering=2"


@dataclass(frozen=True, slots=True)
class FrameSampling:
    """A rule for which frames of a video take part. Indices stay those of the whole video.

    At most one of the first three is given; a window goes with each of them.

    Attributes:
        every_nth: Frames whose index is a multiple of it.
        target_fps: The first frame of each 1/target_fps seconds: of 30 frames per second those
            with index 0, 3, 6 for 10. All frames where the video has fewer.
        keyframes_only: Key frames, the only ones that are decoded.
        start_s: Frames from this time on, in seconds by the video's own clock.
        end_s: Frames before this time.
    """

    every_nth: int | None = None
    target_fps: float | None = None
    keyframes_only: bool = False
    start_s: float | None = None
    end_s: float | None = None

    def identity(self) -> str:
        """Returns a text that differs whenever other frames may be considered."""
        given = {k: v for k, v in asdict(self).items() if v not in (None, False)}
        words = [f"{k}={v!r}" for k, v in given.items()]
        if self.spares_decoding:
            words.append(_NUMBERING)
        return " ".join(words) or "all"

    @property
    def spares_decoding(self) -> bool:
        """Whether it names frames that can be told apart before decoding."""
        return self.keyframes_only or self.start_s is not None or self.end_s is not None

    def needs_time(self) -> bool:
        """Returns whether frames have to have a time."""
        return not (self.target_fps is self.start_s is self.end_s is None)

    def expected_frames(self, duration_s: float | None, fps: float | None) -> int | None:
        """Returns about how many frames take part; None where that cannot be told before.

        Args:
            duration_s: Of the video by its container, which does not bind it.
            fps: Rate by the container.
        """
        if self.keyframes_only or duration_s is None or not fps:
            return None
        end_s = duration_s if self.end_s is None else min(self.end_s, duration_s)
        playing_s = max(end_s - (self.start_s or 0.0), 0.0)
        return round(playing_s * min(fps, self.target_fps or fps) / (self.every_nth or 1))


ALL_FRAMES = FrameSampling()


class FrameChooser:
    """Applies a sampling to the frames of one video in their order.

    Args:
        sampling: The rule.
        fps: Rate by the container; stands in for missing times.
    """

    def __init__(self, sampling: FrameSampling, fps: float | None) -> None:
        self._sampling, self._fps = sampling, fps
        self._first_s: float | None = None
        self._bucket: int | None = None

    def takes(self, index: int, time_s: float | None, keyframe: bool) -> bool:
        """Says whether the next frame takes part.

        Raises:
            CorruptVideoError: The rule needs a time, and the video has neither times nor a rate.
        """
        rule = self._sampling
        time = self._time(index, time_s) if rule.needs_time() else 0.0
        is_first_in_bucket = rule.target_fps is None or self._enters_bucket(time)
        return (
            is_first_in_bucket
            and (rule.every_nth is None or index % rule.every_nth == 0)
            and (keyframe or not rule.keyframes_only)
            and (rule.start_s is None or time >= rule.start_s)
            and (rule.end_s is None or time < rule.end_s)
        )

    def _time(self, index: int, time_s: float | None) -> float:
        if time_s is not None:
            return time_s
        if not self._fps:
            raise CorruptVideoError(
                "has neither times nor a frame rate, which pipeline_config.frame_sampling needs "
                "for target_fps, start_s and end_s; every_nth works"
            )
        return index / self._fps

    def _enters_bucket(self, time: float) -> bool:
        target = self._sampling.target_fps
        assert target is not None
        if self._fps and target >= self._fps * _SAME_RATE:
            return True
        if self._first_s is None:
            self._first_s = time
        slack = _JITTER / self._fps if self._fps else 0.0
        bucket = math.floor((time - self._first_s + slack) * target)
        is_new = bucket != self._bucket
        self._bucket = bucket
        return is_new
