"""Finds where frames are missing, from the steps between their times.

Pure arithmetic on pts. Whether a video is damaged at all, which a long step alone does not say, is
decided in `decode.py`.
"""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from lightly_pipeline.video.report import FrameGap

# A rate is regular if nine in ten steps are not long.
_REGULAR = Fraction(9, 10)
_KEPT = 1000


@dataclass(slots=True)
class StepLog:
    """The steps between successive pts of one video."""

    _steps: Counter[int] = field(default_factory=Counter)
    _candidates: list[tuple[int, int]] = field(default_factory=list)
    _last: int | None = None
    _shortest: int | None = None
    _is_ordered: bool = True

    def add(self, index: int, pts: int | None) -> None:
        """Takes note of the frame `index`; frames come in index order."""
        if pts is None or (self._last is not None and pts <= self._last):
            self._is_ordered = False
        if not self._is_ordered or pts is None:
            return
        if self._last is not None:
            self._add_step(index, pts - self._last)
        self._last = pts

    def _add_step(self, index: int, step: int) -> None:
        if step in self._steps or len(self._steps) < _KEPT:
            self._steps[step] += 1
        self._shortest = min(step, self._shortest or step)
        if _is_long(step, self._shortest) and len(self._candidates) < _KEPT:
            self._candidates.append((index - 1, step))

    def gaps(self, time_base: Fraction | None) -> tuple[FrameGap, ...]:
        """Returns the long steps of a video of regular rate; none where that is not known."""
        if not self._is_ordered or not self._steps or time_base is None:
            return ()
        n_steps = self._steps.total()
        usual = self._median()
        n_usual = sum(n for step, n in self._steps.items() if not _is_long(step, usual))
        if n_usual < _REGULAR * n_steps:
            return ()
        return tuple(
            FrameGap(after, round(step / usual) - 1, float(step * time_base))
            for after, step in self._candidates
            if _is_long(step, usual)
        )

    def _median(self) -> int:
        below = 0
        for step, n in sorted(self._steps.items()):
            below += n
            if 2 * below >= self._steps.total():
                return step
        return 0


def _is_long(step: int, usual: int) -> bool:
    """Says whether a step is more than one and a half usual ones, without slow fractions."""
    return 2 * step > 3 * usual
