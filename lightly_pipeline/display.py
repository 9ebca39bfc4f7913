"""Progress and lines while a command works: a live view on a terminal, plain lines elsewhere.

Drawn by rich, which Dagster brings along: it keeps several lines in place, lets other lines pass
above them, follows the window's size, and gives the terminal back as it was, whatever ends the
command. What is said of progress is in `progress`; what a command prints in the end is in
`console.py`.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from lightly_pipeline.progress import ItemView, ProgressMeter, StepView, escaped, title, watching
from lightly_pipeline.progress.text import (
    duration,
    items,
    percent,
    rate,
    shortened,
    time_left,
    took,
    total,
)

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.table import Table
    from rich.text import Text

_REFRESHED_PER_S = 4
_SHOWN_STEPS, _SHOWN_ITEMS = 8, 5
# Columns that a window of so many characters has room for.
_ROOM_FOR_BAR, _ROOM_FOR_RATE, _ROOM_FOR_COUNTS = 92, 78, 62
_BAR_WIDTH, _MIN_NAME, _GAP, _INDENT = 28, 8, 2, "    "


class ProgressDisplay:
    """Shows lines, and the progress of one run at a time.

    Args:
        stream: Where to; a live view if that is a terminal that can move its cursor.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_live = stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
        self._console: Console | None = None

    def say(self, line: str) -> None:
        """Prints a line at once, above what is shown of the progress."""
        clean = "\n".join(map(escaped, line.split("\n")))
        if self._console is None:
            print(clean, file=self._stream, flush=True)
        else:
            self._console.print(clean, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def complain(self, problem: str) -> None:
        """Prints why the command has failed."""
        print(f"error: {problem}", file=self._stream, flush=True)

    @contextmanager
    def showing(self, meter: ProgressMeter) -> Iterator[None]:
        """Shows how far a run is, while the context lasts; what it has done stays in sight."""
        if not self._is_live:
            with watching(meter, self.say):
                yield
            return
        from rich.console import Console
        from rich.live import Live

        self._console = Console(file=self._stream, force_terminal=True)
        try:
            with Live(
                _Steps(meter),
                console=self._console,
                refresh_per_second=_REFRESHED_PER_S,
                redirect_stdout=sys.stdout.isatty(),
            ):
                yield
                meter.end()
        finally:
            self._console = None


class _Steps:
    """The steps of a run as rich draws them, anew at every refresh."""

    def __init__(self, meter: ProgressMeter) -> None:
        self._meter = meter

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> Iterator[Any]:
        views = self._meter.views()[-_SHOWN_STEPS:]
        if not views:
            return
        width = options.max_width
        yield _steps_table(views, width, is_ascii=options.ascii_only)
        in_hand = views[-1].in_hand
        n_shown = max(min(_SHOWN_ITEMS, console.height - len(views) - 3), 1)
        if in_hand:
            yield _line(_headline(views[-1]), "dim")
            yield _items_table(in_hand[:n_shown], width)
        if len(in_hand) > n_shown:
            yield _line(f"    and {len(in_hand) - n_shown} more", "dim")


def _steps_table(views: Iterable[StepView], width: int, *, is_ascii: bool) -> "Table":
    from rich.table import Table

    table = Table.grid(padding=(0, 1))
    for view in views:
        table.add_row(*_step_cells(view, width, is_ascii=is_ascii))
    return table


def _step_cells(view: StepView, width: int, *, is_ascii: bool) -> "list[Text | Any]":
    from rich.progress_bar import ProgressBar

    mark = ("*" if is_ascii else "✓") if view.is_over else ">"
    last = took(view) if view.is_over else time_left(view)
    cells: list[Text | Any] = [_line(f"{mark} {title(view.step)}", "green" if view.is_over else "")]
    if width >= _ROOM_FOR_BAR:
        bar = ProgressBar(total=1.0, completed=view.share or 0.0, width=_bar_width(width))
        cells.append("" if view.is_over or view.share is None else bar)
    cells.append(_line("" if view.is_over else percent(view.share), "bold", right=True))
    if width >= _ROOM_FOR_COUNTS:
        cells.append(_line(f"{_counts(view)} {view.unit}", right=True))
    if width >= _ROOM_FOR_RATE:
        cells.append(_line(rate(view), right=True))
    return [*cells, _line(last, "yellow" if view.is_stalled else "cyan")]


def _items_table(items: Sequence[ItemView], width: int) -> "Table":
    from rich.table import Table

    table = Table.grid(padding=(0, _GAP))
    facts = [_facts(item, width) for item in items]
    # The name has what the others leave, so that its end can be shown and not its beginning.
    taken = sum(_GAP + max(map(len, column)) for column in zip(*facts, strict=True))
    room = max(width - len(_INDENT) - taken - _GAP, _MIN_NAME)
    for item, (*plain, left) in zip(items, facts, strict=True):
        cells = [_line(text, "dim", right=True) for text in plain]
        name = _line(_INDENT + shortened(escaped(item.name), room))
        table.add_row(name, *cells, _line(left, "yellow" if item.is_stalled else "dim"))
    return table


def _facts(item: ItemView, width: int) -> list[str]:
    since = [f"for {duration(item.seconds)}"] if width >= _ROOM_FOR_COUNTS else []
    return [percent(item.share), *since, time_left(item)]


def _headline(view: StepView) -> str:
    n_in_hand = len(view.in_hand)
    in_hand = f"{n_in_hand} in hand" + (", the longest running first:" if n_in_hand > 1 else ":")
    if view.items_total is None:
        return f"{_INDENT}{in_hand}"
    return f"{_INDENT}{items(view)} done, {in_hand}"


def _line(text: str, style: str = "", *, right: bool = False) -> "Text":
    from rich.text import Text

    justify: Any = "right" if right else "left"
    return Text(text, style=style, justify=justify, no_wrap=True, overflow="ellipsis")


def _counts(view: StepView) -> str:
    if view.is_over or view.total is None:
        return f"{view.done:,}"
    return f"{view.done:,} / {'~' if view.is_estimated else ''}{total(view)}"


def _bar_width(width: int) -> int:
    return min(_BAR_WIDTH, width - _ROOM_FOR_RATE - 1)
