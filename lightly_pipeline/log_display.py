"""Progress and lines of a command as lines of JSON, where a collector of logs reads them.

What `display.py` is for a person. The lines' form is `telemetry.json_lines`'s.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from lightly_pipeline.display import ProgressDisplay
from lightly_pipeline.logs import fields
from lightly_pipeline.progress import ProgressMeter, StepView, line, watching
from lightly_pipeline.progress.text import closing_line
from lightly_pipeline.telemetry.json_lines import JsonHandler, wants_json


class LogDisplay(ProgressDisplay):
    """Shows lines, and the progress of a run, as records of a log.

    Args:
        stream: What a person would be shown; lines go to standard error.

    Attributes:
        handler: Writes the lines.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.handler = JsonHandler()

    def say(self, line: str) -> None:
        """Writes a line at once."""
        self._write(logging.INFO, line)

    def complain(self, problem: str) -> None:
        """Writes why the command has failed."""
        self._write(logging.ERROR, problem)

    @contextmanager
    def showing(self, meter: ProgressMeter) -> Iterator[None]:
        """Writes now and then how far a run is, while the context lasts."""
        with watching(meter, lambda _: None, on_view=self._write_view):
            yield

    def _write_view(self, view: StepView) -> None:
        facts = {
            "progress": view.step,
            "unit": view.unit,
            "done": view.done,
            "total": view.total,
            "videos_done": view.items_done if view.items_total is not None else None,
            "videos_total": view.items_total,
            "per_s": None if view.rate is None else round(view.rate, 1),
            "seconds": round(view.seconds, 3),
            "left_s": None if view.left_s is None else round(view.left_s),
        }
        text = closing_line(view) if view.is_over else line(view)
        self._write(logging.INFO, text, **facts)

    def _write(self, level: int, message: str, **facts: object) -> None:
        record = logging.LogRecord("lightly_pipeline.cli", level, __file__, 0, message, None, None)
        record.__dict__.update(fields(**facts))
        self.handler.handle(record)


def display_on(stream: TextIO) -> ProgressDisplay:
    """Returns what shows a command's work, as the environment asks for it.

    Raises:
        InvalidConfigurationError: It asks for something unknown.
    """
    return LogDisplay(stream) if wants_json() else ProgressDisplay(stream)
