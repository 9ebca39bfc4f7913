"""How fast work goes and when it will end: arithmetic on what was done when.

No clock and no threads: the time is handed in, in seconds that never go back.
"""

from bisect import bisect_right
from collections.abc import Iterable
from math import exp

_STEP_S = 1.0
_KEPT = 1800
# The time left is judged by the last quarter of the time that passed, within these bounds.
_JUDGED_SHARE, _MIN_JUDGED_S, _MAX_JUDGED_S = 0.25, 20.0, 1800.0
_RATE_S = 30.0
# What is known after less than this is chance.
_MIN_SPAN_S = 2.0
# So fast a shown end moves to a new estimate: a fifth of the time left, or of the time that there
# have been estimates (the first are the worst), within these bounds.
_INERTIA, _MIN_INERTIA_S, _MAX_INERTIA_S = 0.2, 2.0, 60.0
# So many items of no size and no cost count as seen: a few of like size say little of others.
_PRIOR_ITEMS = 3
# So much of what came before still counts after one more item.
_MEMORY = 0.9


class Pace:
    """What was done when, over the last half hour, at steps of a second.

    It begins with the first thing done: what it took to get ready says nothing about the rest.
    """

    def __init__(self) -> None:
        self._times: list[float] = []
        self._done: list[int] = []

    def note(self, now: float, done: int) -> None:
        """Remembers what is done by now; costs nothing more than once a second."""
        if self._times and now - self._times[-1] < _STEP_S:
            return
        self._times.append(now)
        self._done.append(done)
        if len(self._times) > 2 * _KEPT:
            del self._times[:_KEPT], self._done[:_KEPT]

    def rate(self, now: float, done: int) -> float | None:
        """Returns counts per second over the last half minute; None when too early to tell."""
        return self._rate(now, done, _RATE_S)

    def seconds_for(self, now: float, done: int, left: float) -> float | None:
        """Returns how long what is left takes, as fast as it went of late.

        Args:
            now: The time.
            done: What is done by now.
            left: What is not.

        Returns:
            Seconds; None when too early to tell, or when nothing was done of late.
        """
        if not self._times:
            return None
        judged_s = (now - self._times[0]) * _JUDGED_SHARE
        rate = self._rate(now, done, min(max(judged_s, _MIN_JUDGED_S), _MAX_JUDGED_S))
        return left / rate if rate is not None and rate > 0 else None

    def _rate(self, now: float, done: int, window_s: float) -> float | None:
        if not self._times:
            return None
        place = max(bisect_right(self._times, now - window_s) - 1, 0)
        seconds = now - self._times[place]
        return (done - self._done[place]) / seconds if seconds >= _MIN_SPAN_S else None


class SizeFit:
    """Learns how something about an item (its time, its frames) depends on its size.

    The straight line by least squares, no part of it below zero: a thousand tiny videos cost the
    opening of each, one large video costs its bytes.
    """

    def __init__(self) -> None:
        self._n = _PRIOR_ITEMS
        self._sizes = self._squares = self._values = self._products = 0.0

    def add(self, size: int, value: float) -> None:
        """Takes an item."""
        self._n += 1
        self._sizes += size
        self._squares += size * size
        self._values += value
        self._products += size * value

    def and_also(self, items: Iterable[tuple[int, float]]) -> "SizeFit":
        """Returns what is learned from some more items; these are not kept."""
        other = SizeFit()
        other.__dict__.update(self.__dict__)
        for size, value in items:
            other.add(size, value)
        return other

    def of(self, n_items: int, size: int) -> float | None:
        """Returns the sum over items of so many bytes altogether; None before the first item."""
        if not n_items:
            return 0.0
        spread = self._n * self._squares - self._sizes**2
        if spread <= 0 or not self._values:
            return None
        slope = (self._n * self._products - self._sizes * self._values) / spread
        if slope <= 0:
            return n_items * self._values / (self._n - _PRIOR_ITEMS)
        base = (self._values - slope * self._sizes) / self._n
        return base * n_items + slope * size if base > 0 else size * self._products / self._squares


class Drift:
    """By how much items take longer of late than all before them make believe."""

    def __init__(self) -> None:
        self._took = self._expected = 0.0

    def add(self, took: float, expected: float) -> None:
        """Takes an item that is over."""
        self._took = self._took * _MEMORY + took
        self._expected = self._expected * _MEMORY + expected

    def factor(self) -> float:
        """Returns what to multiply an expectation with."""
        return self._took / self._expected if self._expected > 0 else 1.0


class SteadyEnd:
    """The end that is shown: it follows the estimates without jumping from one to the next."""

    def __init__(self) -> None:
        self._end: float | None = None
        self._began = self._at = 0.0

    def left(self, now: float, estimate_s: float | None) -> float | None:
        """Takes how long it seems to take from now, and returns what to show of it."""
        if estimate_s is None:
            self._end = None
            return None
        if self._end is None:
            self._end, self._began = now + estimate_s, now
        settled_s = min(estimate_s, now - self._began) * _INERTIA
        inertia_s = min(max(settled_s, _MIN_INERTIA_S), _MAX_INERTIA_S)
        moved = 1 - exp(-(now - self._at) / inertia_s)
        self._end += (now + estimate_s - self._end) * moved
        self._at = now
        return max(self._end - now, 0.0)
