"""What can be said of a step at one moment. Values only."""

from dataclasses import dataclass

STALLED_S = 60.0
"""After how long without any news work counts as stalled."""


@dataclass(frozen=True, slots=True)
class ItemView:
    """Something that is being worked on.

    Attributes:
        name: Of the item, the path of a video.
        done: What was counted of it.
        total: What there will be; None when unknown.
        seconds: For how long it has been in hand.
        quiet_s: For how long nothing was heard of it.
        left_s: How long it will still take; None when that cannot be told.
    """

    name: str
    done: int
    total: int | None
    seconds: float
    quiet_s: float
    left_s: float | None

    @property
    def is_stalled(self) -> bool:
        """Whether nothing was heard of it for a minute."""
        return self.quiet_s >= STALLED_S

    @property
    def share(self) -> float | None:
        """What part of it is done, from 0 to 1; None when unknown."""
        return _share(self.done, self.total)


@dataclass(frozen=True, slots=True)
class StepView:
    """A step of a run.

    Attributes:
        step: Its name.
        unit: What is counted.
        done: How many so far.
        total: How many there will be; None when unknown.
        is_estimated: Whether the total is an estimate.
        items_done: How many of its items are over.
        items_total: Of how many; None for a step without a list of items.
        rate: Counts per second over the last half minute, of a step that is over on the whole;
            None when too early to tell.
        left_s: How long it will still take; None when that cannot be told.
        seconds: For how long it has been running, or did.
        quiet_s: For how long nothing was heard of it.
        in_hand: What is being worked on, the longest running first.
        is_over: Whether it has ended.
    """

    step: str
    unit: str
    done: int
    total: int | None
    is_estimated: bool
    items_done: int
    items_total: int | None
    rate: float | None
    left_s: float | None
    seconds: float
    quiet_s: float
    in_hand: tuple[ItemView, ...]
    is_over: bool

    @property
    def is_stalled(self) -> bool:
        """Whether nothing was heard of it for a minute."""
        return not self.is_over and self.quiet_s >= STALLED_S

    @property
    def share(self) -> float | None:
        """What part of it is done, from 0 to 1; None when unknown."""
        return _share(self.done, self.total)


def _share(done: int, total: int | None) -> float | None:
    return min(done / total, 1.0) if total else None
