"""Waiting for a state that cannot be reached for the moment.

For those who have work in hand that must not be lost: workers, and whoever executes a run. A client
that only asks hears of it at once.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from lightly_pipeline.logs import logger_of
from lightly_pipeline.scheduling.errors import StateUnavailableError

_logger = logger_of(__name__)
_T = TypeVar("_T")
_FIRST_S, _LONGEST_S = 0.5, 10.0
_AGAIN_S = 60.0


def until_reached(call: Callable[[], _T], deadline: float | None = None) -> _T:
    """Returns what a call gives, which is tried until it reaches the state.

    Args:
        call: May be made twice: an answer may get lost on its way.
        deadline: When to give up, by the monotonic clock; never by default.

    Raises:
        StateUnavailableError: The state could not be reached until then.
        Exception: What else the call raises.
    """
    pause, warned = _FIRST_S, None
    while True:
        try:
            value = call()
        except StateUnavailableError as error:
            now = time.monotonic()
            if deadline is not None and now > deadline:
                raise
            if warned is None or now - warned >= _AGAIN_S:
                _logger.warning("waiting: %s", error)
                warned = now
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_S)
        else:
            if warned is not None:
                _logger.warning("the state can be reached again")
            return value
