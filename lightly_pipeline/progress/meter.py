"""Where steps report how far they are, from any thread; asked for views by who shows it.

A report costs microseconds: it counts, and remembers a point of the pace once a second. What is
worked out of that is worked out when somebody looks.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from lightly_pipeline.progress.estimates import Drift, Pace, SizeFit, SteadyEnd
from lightly_pipeline.progress.views import STALLED_S, ItemView, StepView

Progress = Callable[[str, int, int | None, str], None]
"""Called with (step, done, total or None when unknown, unit of the counts)."""

# What a container declares is not always true: beyond this much of it nothing is known of the rest.
_TOLERATED = 1.02
# From this share on an item in hand tells how long such items take.
_TELLING = 0.05


def silent(step: str, done: int, total: int | None, unit: str) -> None:
    """Ignores all progress."""


class ProgressMeter:
    """Knows how far a run is; one for each run. Called, it is a `Progress`.

    Args:
        on_report: Called with every report, in the thread that reports; what it raises ends the
            work.
        clock: Seconds that never go back.
    """

    def __init__(
        self, on_report: Progress = silent, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.on_report = on_report
        self._clock = clock
        self._lock = threading.RLock()
        self._steps: list[StepMeter] = []

    def __call__(self, step: str, done: int, total: int | None, unit: str) -> None:
        """Takes the count of a step that has no items; the first one begins it."""
        with self._lock:
            current = self._steps[-1] if self._steps else None
            if current is None or current.name != step or current.is_over:
                current = self._begun(step, unit, total, None)
        current.reach(done, total)

    def begin(
        self,
        step: str,
        unit: str,
        *,
        total: int | None = None,
        sizes: Sequence[int] | None = None,
    ) -> "StepMeter":
        """Begins a step, and says so to who listens; the one before is over.

        Args:
            step: Its name.
            unit: What it counts.
            total: How many there will be, if known.
            sizes: Of the items that it works on, in bytes: from these its total is estimated.
        """
        begun = self._begun(step, unit, total, sizes)
        begun.announce()
        return begun

    def end(self) -> None:
        """Ends the step in hand: nothing comes after it, or something else."""
        with self._lock:
            if self._steps:
                self._steps[-1].end()

    def _begun(
        self, step: str, unit: str, total: int | None, sizes: Sequence[int] | None
    ) -> "StepMeter":
        with self._lock:
            self.end()
            begun = StepMeter(step, unit, total, sizes, self)
            self._steps.append(begun)
            return begun

    def views(self) -> tuple[StepView, ...]:
        """Returns how far every step is, in the order in which they began."""
        with self._lock:
            return tuple(step.view() for step in self._steps)

    def now(self) -> float:
        """Returns the time by its clock."""
        return self._clock()

    @property
    def lock(self) -> threading.RLock:
        """What guards the counts of all steps."""
        return self._lock


class StepMeter:
    """How far one step is; `ProgressMeter.begin` makes it."""

    def __init__(
        self,
        name: str,
        unit: str,
        total: int | None,
        sizes: Sequence[int] | None,
        owner: ProgressMeter,
    ) -> None:
        self.name = name
        self._unit, self._total, self._owner = unit, total, owner
        self._n_items = None if sizes is None else len(sizes)
        self._size = sum(sizes or ())
        self._count = 0
        self._n_over = self._size_over = self._lanes = 0
        self._in_hand: list[ItemMeter] = []
        self._pace, self._end = Pace(), SteadyEnd()
        self._counts, self._seconds, self._drift = SizeFit(), SizeFit(), Drift()
        self._began = self._heard = owner.now()
        self._ended: float | None = None
        self._stop: BaseException | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._ended is not None

    def announce(self) -> None:
        """Says to who listens that it has begun."""
        with self._owner.lock:
            report = self._report()
        self._tell(report)

    def add(self, n: int) -> None:
        """Counts `n` more."""
        self._check()
        with self._owner.lock:
            report = self._set(self._count + n)
        self._tell(report)

    def reach(self, done: int, total: int | None) -> None:
        """Takes the count so far, and how many there will be."""
        with self._owner.lock:
            if done < self._count:
                # It begins anew, with another total: a shard, a second round.
                self._pace, self._end = Pace(), SteadyEnd()
            self._total = total
            report = self._set(done)
        self._tell(report)

    @contextmanager
    def item(self, name: str, size: int = 0, *, total: int | None = None) -> Iterator["ItemMeter"]:
        """Says what is being worked on, while the context lasts.

        Args:
            name: For people.
            size: Bytes, as in the `sizes` of the step.
            total: What will be counted of it, if known.
        """
        item = ItemMeter(name, size, total, self, self._owner)
        with self._owner.lock:
            self._in_hand.append(item)
            self._lanes = max(self._lanes, len(self._in_hand))
        try:
            yield item
        except Exception:
            self._finish(item, is_counted=False)
            raise
        except BaseException:
            # Interrupted: it is not over, it waits again.
            with self._owner.lock:
                self._in_hand.remove(item)
            raise
        self._finish(item, is_counted=True)

    def stop(self, error: BaseException) -> None:
        """Ends the work: whoever counts from now on meets `error`."""
        self._stop = error

    def end(self) -> None:
        """Notes that the step is over."""
        with self._owner.lock:
            if self._ended is None:
                self._ended = self._owner.now()

    def view(self) -> StepView:
        """Returns how far it is."""
        with self._owner.lock:
            now = self._owner.now() if self._ended is None else self._ended
            total = self._count if self.is_over and self._n_items is not None else self._estimate()
            in_hand = [item.view(now) for item in self._in_hand]
            return StepView(
                step=self.name,
                unit=self._unit,
                done=self._count,
                total=total,
                is_estimated=self._n_items is not None and not self.is_over,
                items_done=self._n_over,
                items_total=self._n_items,
                rate=self._rate(now),
                left_s=self._left(now, in_hand),
                seconds=now - self._began,
                quiet_s=now - self._heard,
                in_hand=tuple(sorted(in_hand, key=lambda item: -item.seconds)),
                is_over=self.is_over,
            )

    def count_item(self, item: "ItemMeter", n: int) -> None:
        """Counts `n` more of an item; below zero where they are counted again."""
        self._check()
        with self._owner.lock:
            item.note(n)
            report = self._set(self._count + n)
        self._tell(report)

    def count_of(self, n_items: int, size: int) -> float | None:
        """Returns what items of so many bytes will count, going by those of which it is known."""
        known = [(item.size, float(item.total)) for item in self._in_hand if item.total]
        return self._counts.and_also(known).of(n_items, size)

    def _check(self) -> None:
        if self._stop is not None:
            raise self._stop

    def _set(self, count: int) -> tuple[int, int | None] | None:
        """Sets the count; returns what to tell who listens, if anybody does."""
        self._count = count
        self._heard = self._owner.now()
        self._pace.note(self._heard, count)
        return self._report()

    def _report(self) -> tuple[int, int | None] | None:
        is_heard = self._owner.on_report is not silent
        return (self._count, self._estimate()) if is_heard else None

    def _tell(self, report: tuple[int, int | None] | None) -> None:
        """Tells every count, outside the lock: who listens may take its time."""
        if report is not None:
            self._owner.on_report(self.name, *report, self._unit)

    def _finish(self, item: "ItemMeter", *, is_counted: bool) -> None:
        with self._owner.lock:
            self._in_hand.remove(item)
            self._n_over += 1
            self._size_over += item.size
            if is_counted:
                seconds = self._owner.now() - item.began
                self._counts.add(item.size, item.done)
                self._seconds.add(item.size, seconds)
                self._drift.add(seconds, self._seconds.of(1, item.size) or 0.0)
            report = self._set(self._count)
        self._tell(report)

    def _waiting(self) -> tuple[int, int]:
        """Returns how many items were not begun, and their bytes."""
        in_hand = sum(item.size for item in self._in_hand)
        n_items = (self._n_items or 0) - self._n_over - len(self._in_hand)
        return max(n_items, 0), max(self._size - self._size_over - in_hand, 0)

    def _estimate(self) -> int | None:
        """Returns the total: as it was told, or what is known and the rest by its bytes."""
        if self._n_items is None:
            return self._total
        waiting = self.count_of(*self._waiting())
        in_hand = [(item.done, item.expected()) for item in self._in_hand]
        if waiting is None or any(expected is None for _, expected in in_hand):
            return None
        return round(
            self._count + waiting + sum(max((total or 0.0) - done, 0.0) for done, total in in_hand)
        )

    def _rate(self, now: float) -> float | None:
        if self.is_over:
            seconds = now - self._began
            return self._count / seconds if seconds >= 1 else None
        return self._pace.rate(now, self._count)

    def _left(self, now: float, in_hand: Sequence[ItemView]) -> float | None:
        if self.is_over:
            return None
        if now - self._heard >= STALLED_S or self._pace.rate(now, self._count) is None:
            return self._end.left(now, None)
        seconds = self._left_of_items(in_hand) if self._n_items else None
        if self._n_items is None and self._total is not None:
            left = max(self._total - self._count, 0)
            seconds = self._pace.seconds_for(now, self._count, left)
        return self._end.left(now, seconds)

    def _left_of_items(self, in_hand: Sequence[ItemView]) -> float | None:
        """Returns how long the items take that are in hand, and in their places those that wait.

        However many there are: what is in hand is done by one each.
        """
        n_waiting, size = self._waiting()
        if not n_waiting and any(view.left_s is None for view in in_hand):
            return None
        begun = [
            (item.size, view.seconds + view.left_s)
            for item, view in zip(self._in_hand, in_hand, strict=True)
            if view.left_s is not None and (view.share or 0.0) >= _TELLING
        ]
        fit, drift = self._seconds.and_also(begun), self._drift.factor()
        waiting = fit.of(n_waiting, size)
        if waiting is None:
            return None
        known = [
            max((fit.of(1, item.size) or 0.0) * drift - view.seconds, 0.0)
            if view.left_s is None
            else view.left_s
            for item, view in zip(self._in_hand, in_hand, strict=True)
        ]
        lanes = max(min(self._lanes, len(known) + n_waiting), 1)
        return max([(sum(known) + waiting * drift) / lanes, *known])


class ItemMeter:
    """How far one item of a step is; `StepMeter.item` makes it."""

    def __init__(
        self, name: str, size: int, total: int | None, step: StepMeter, owner: ProgressMeter
    ) -> None:
        self.name, self.size, self.total, self.done = name, size, total, 0
        self.began = self._heard = owner.now()
        self._step, self._owner = step, owner
        self._pace, self._end = Pace(), SteadyEnd()

    def add(self, n: int) -> None:
        """Counts `n` more, of it and of its step."""
        self._step.count_item(self, n)

    def expect(self, total: int | None) -> None:
        """Takes how many there will be, as far as can be told before it is over."""
        with self._owner.lock:
            self.total = total

    def restart(self) -> None:
        """Takes back what was counted of it: it is done again from the start."""
        if self.done:
            self._pace, self._end = Pace(), SteadyEnd()
            self._step.count_item(self, -self.done)

    def note(self, n: int) -> None:
        """Counts without telling the step."""
        self.done += n
        self._heard = self._owner.now()
        self._pace.note(self._heard, self.done)

    def expected(self) -> float | None:
        """Returns how many there will be: as declared, else going by its bytes."""
        return self.total if self.total is not None else self._step.count_of(1, self.size)

    def view(self, now: float) -> ItemView:
        """Returns how far it is."""
        total = self.expected()
        if total is not None and self.done > total * _TOLERATED:
            total = None
        left = None
        if total is not None and now - self._heard < STALLED_S:
            left = self._pace.seconds_for(now, self.done, max(total - self.done, 0.0))
        return ItemView(
            name=self.name,
            done=self.done,
            total=None if total is None else round(total),
            seconds=now - self.began,
            quiet_s=now - self._heard,
            left_s=self._end.left(now, left),
        )
