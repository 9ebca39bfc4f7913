"""How long-running steps say how far they are.

Only the callback type lives here; how progress is shown is the caller's business (the command
line draws a bar, the Dagster layer logs lines).
"""

from collections.abc import Callable

Progress = Callable[[str, int, int | None, str], None]
"""Called with (step, done, total or None when unknown, unit of the counts)."""


def silent(step: str, done: int, total: int | None, unit: str) -> None:
    """Ignores all progress."""
