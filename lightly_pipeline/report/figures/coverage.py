"""What a choice buys: distances of the candidates to the nearest of its first n frames."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.report.figures.chart import Line, LineChart, Role, number
from lightly_pipeline.report.numbers import CoverageCurve

_ROLES: dict[str, Role] = {
    "this choice": "choice",
    "random": "random",
    "evenly in time": "even",
    "evenly by name": "even",
}
_LAST_PART = 0.1


def median_chart(curves: Sequence[CoverageCurve]) -> LineChart:
    """Returns how far half of the candidates are at most from a chosen frame, over n."""
    return _chart("Median distance to a chosen frame", {c.name: (c.n, c.median) for c in curves})


def largest_chart(curves: Sequence[CoverageCurve]) -> LineChart:
    """Returns how far the worst covered candidate is from a chosen frame, over n."""
    return _chart("Largest distance to a chosen frame", {c.name: (c.n, c.largest) for c in curves})


def takeaways(curves: Sequence[CoverageCurve]) -> tuple[str, ...]:
    """Returns what the curves say, in sentences: the gain over others, and whether more pays.

    Empty without a curve of this choice.
    """
    by_name = {curve.name: curve for curve in curves if len(curve.n)}
    own = by_name.pop("this choice", None)
    if own is None:
        return ()
    others = list(by_name.values())
    gains = (_against(own, other) for other in others)
    return (*gains, _half(own, others), *_last_labels(own), *_measured(own))


def _chart(
    title: str, curves: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]
) -> LineChart:
    lines = []
    for name, (n, distance) in curves.items():
        known = np.isfinite(distance)
        x, y = n[known].tolist(), distance[known].tolist()
        lines.append(Line(name, _ROLES.get(name, "pool"), x, y))
    ends = [f"{line.name} {number(line.y[-1])}" for line in lines if line.y]
    most = max((line.x[-1] for line in lines if line.x), default=0)
    description = f"{title}. With {number(most)} frames: {', '.join(ends)}." if ends else title
    return LineChart(title, description, "chosen frames", "distance", tuple(lines))


def _against(own: CoverageCurve, other: CoverageCurve) -> str:
    theirs, n_theirs = float(other.largest[-1]), int(other.n[-1])
    reached = np.flatnonzero(own.largest <= theirs)
    taken = f"{n_theirs:,} taken {_adverb(other)}"
    if len(reached):
        n_own = int(own.n[reached[0]])
        return (
            f"{n_own:,} frames of this choice cover as well as {taken} "
            f"(largest distance {number(theirs)})."
        )
    return (
        f"{taken} cover better: the largest distance is {number(theirs)}, "
        f"of this choice {number(float(own.largest[-1]))}."
    )


def _half(own: CoverageCurve, others: Sequence[CoverageCurve]) -> str:
    """Farthest-first serves the largest distance: whether it costs the median is said."""
    theirs = (f"{_adverb(other)} {number(float(other.median[-1]))}" for other in others)
    distance = number(float(own.median[-1]))
    return "; ".join((f"Half of the candidates lie within {distance} of a choice", *theirs)) + "."


def _adverb(curve: CoverageCurve) -> str:
    return {"random": "at random"}.get(curve.name, curve.name)


def _measured(own: CoverageCurve) -> tuple[str, ...]:
    if own.n_measured is None:
        return ()
    return (f"Measured on {own.n_measured:,} candidates, evenly spaced.",)


def _last_labels(own: CoverageCurve) -> tuple[str, ...]:
    n = int(own.n[-1])
    before = np.flatnonzero(own.n <= n * (1 - _LAST_PART))
    if not len(before) or not own.largest[before[-1]] > 0:
        return ()
    n_before = int(own.n[before[-1]])
    gain = 1 - float(own.largest[-1] / own.largest[before[-1]])
    return (
        f"The last {n - n_before:,} of {n:,} frames lowered the largest distance by {gain:.0%}.",
    )
