"""How long a store is waited for, and what is said meanwhile.

The one loop of retries there is: what it calls must not retry by itself. Which errors pass is the
store's to know (`s3_errors.py` and the like).
"""

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from lightly_pipeline.datasources.retries import note_retry
from lightly_pipeline.logs import logger_of
from lightly_pipeline.threads import pause

_Answer = TypeVar("_Answer")
_logger = logger_of(__name__)

DEFAULT_PATIENCE_S = 120.0
"""How long one request is tried again before the store is said to fail."""
# Full jitter below a bound that doubles; see "Exponential Backoff And Jitter" by AWS.
_BASE_S, _CAP_S = 0.5, 20.0
# Short waits are nobody's business, and many threads may wait for one store.
_SILENT_S, _SAY_EVERY_S = 4.0, 10.0


class Patience:
    """Tries again until a call works, its error is final, or the time is up.

    Args:
        seconds: After which no further attempt begins; 0 for one attempt.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._said = float("-inf")
        self._lock = threading.Lock()

    def call(
        self,
        call: Callable[[], _Answer],
        *,
        passes: Callable[[Exception], str | None],
        what: str,
    ) -> _Answer:
        """Returns what `call` returns.

        Args:
            call: One attempt.
            passes: Gives the reason in words if an error may pass by itself, else None.
            what: What is waited for, for the log.

        Raises:
            Exception: That of the last attempt.
        """
        started, bound_s = time.monotonic(), _BASE_S
        while True:
            try:
                return call()
            except Exception as error:
                reason = passes(error)
                left_s = started + self.seconds - time.monotonic()
                if reason is None or left_s <= 0:
                    raise
            self._say(f"waiting for {what}: {reason}; trying for {left_s:.0f} s more", left_s)
            waited_s = min(random.uniform(0, bound_s), left_s)  # noqa: S311
            note_retry(reason, waited_s)
            pause(waited_s)
            bound_s = min(2 * bound_s, _CAP_S)

    def _say(self, line: str, left_s: float) -> None:
        now = time.monotonic()
        with self._lock:
            if self.seconds - left_s < _SILENT_S or now - self._said < _SAY_EVERY_S:
                return
            self._said = now
        _logger.warning("%s", line)
