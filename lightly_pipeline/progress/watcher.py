"""Tells somebody now and then how far a run is, also when nothing moves.

When a line is due is decided here; where it goes is the caller's business.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lightly_pipeline.logs import logger_of
from lightly_pipeline.progress.meter import ProgressMeter
from lightly_pipeline.progress.text import closing_line, line
from lightly_pipeline.progress.views import StepView

_logger = logger_of(__name__)
_LOOK_S = 1.0
# The longer it runs, the rarer are the lines: a night of decoding is some hundreds.
_MIN_INTERVAL_S, _MAX_INTERVAL_S, _SHARE_OF_TIME = 10.0, 60.0, 0.1


@contextmanager
def watching(
    meter: ProgressMeter,
    say: Callable[[str], None],
    *,
    on_view: Callable[[StepView], None] = lambda _: None,
) -> Iterator[None]:
    """Says how far a run is while the context lasts, from a thread of its own.

    A line for each step that is over, and every ten seconds to a minute for the one in hand. What
    `say` or `on_view` fail at is no failure of the run.

    Args:
        meter: Of the run.
        say: Takes a line.
        on_view: Takes the step in hand whenever a line is due, and every step that is over.
    """
    lines, stop = _Lines(meter, say, on_view), threading.Event()

    def look() -> None:
        while not stop.wait(_LOOK_S):
            lines.look()

    thread = threading.Thread(target=look, name="progress", daemon=True)
    thread.start()
    try:
        yield
        meter.end()
    finally:
        stop.set()
        thread.join()
        lines.look()


class _Lines:
    """Which lines were said already."""

    def __init__(
        self, meter: ProgressMeter, say: Callable[[str], None], on_view: Callable[[StepView], None]
    ) -> None:
        self._meter, self._say, self._on_view = meter, say, on_view
        self._n_over = sum(view.is_over for view in meter.views())
        self._said = meter.now()

    def look(self) -> None:
        """Says what is due."""
        views = self._meter.views()
        for view in views[self._n_over :]:
            if view.is_over:
                self._n_over += 1
                self._tell(view, closing_line(view))
            elif self._meter.now() - self._said >= _interval_s(view.seconds):
                self._tell(view, line(view))

    def _tell(self, view: StepView, text: str) -> None:
        self._said = self._meter.now()
        try:
            self._say(text)
            self._on_view(view)
        except Exception as error:  # noqa: BLE001  who listens is anybody, the run is not theirs
            _logger.warning("progress could not be shown: %s: %s", type(error).__name__, error)


def _interval_s(seconds: float) -> float:
    return min(max(seconds * _SHARE_OF_TIME, _MIN_INTERVAL_S), _MAX_INTERVAL_S)
