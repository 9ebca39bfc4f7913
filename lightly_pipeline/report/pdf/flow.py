"""Text, tables and boxes one below the other, on as many pages as they take."""

import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from lightly_pipeline.report.pdf.charts import MUTED, RULED, Box
from lightly_pipeline.report.pdf.document import BLACK, HEIGHT, WIDTH, Document, Page, fitted

_Item = TypeVar("_Item")
_MARGIN = 42.0
INNER_WIDTH = WIDTH - 2 * _MARGIN
_LETTER = 0.5  # of the size: about how wide one is


class Flow:
    """Fills the pages of a document from the top.

    Args:
        document: That gets the pages.
        foot: What stands at the foot of each.
    """

    def __init__(self, document: Document, foot: str) -> None:
        self.document = document
        self._foot = foot
        self._n_pages = 0
        self._begin()

    @property
    def page(self) -> Page:
        """The page that is being filled."""
        return self._page

    def room(self, height: float) -> Box:
        """Returns a box over the whole width, on the next page where this one is full."""
        if self._y - height < _MARGIN + 14:
            self._begin()
        self._y -= height
        return Box(_MARGIN, self._y, INNER_WIDTH, height)

    def heading(self, text: str, with_next: float = 60) -> None:
        """Writes a heading; it stands on the page of the next `with_next` points."""
        if self._y - 30 - with_next < _MARGIN + 14:
            self._begin()
        box = self.room(30)
        self.page.text((box.x, box.y + 8), text, 13, bold=True)

    def paragraph(self, text: str, size: float = 9, *, muted: bool = False) -> None:
        """Writes text in as many lines as it takes."""
        for line in textwrap.wrap(text, int(INNER_WIDTH / (size * _LETTER))) or [""]:
            box = self.room(size * 1.4)
            colour = MUTED if muted else BLACK
            self.page.text((box.x, box.y + size * 0.3), line, size, colour=colour)

    def table(self, rows: Iterable[Sequence[str]], widths: Sequence[float]) -> None:
        """Writes rows of cells; text that is too long for its column is cut in its middle.

        Args:
            rows: Of cells.
            widths: Of the columns, as parts of the width.
        """
        for row in rows:
            box = self.room(13)
            x = box.x
            for i, (cell, part) in enumerate(zip(row, widths, strict=True)):
                width = part * INNER_WIDTH
                colour = BLACK if i else MUTED
                shown = fitted(cell, 8.5, width - 6)
                self.page.text((x, box.y + 3.5), shown, 8.5, colour=colour)
                x += width
            self.page.line([(box.x, box.y), (box.x + box.width, box.y)], RULED, 0.3)

    def grid(
        self,
        items: Sequence[_Item],
        columns: int,
        height: float,
        draw: Callable[[Box, _Item], None],
    ) -> None:
        """Draws items in rows of boxes of one height."""
        gap = 14.0
        width = (INNER_WIDTH - gap * (columns - 1)) / columns
        for start in range(0, len(items), columns):
            row = self.room(height)
            for i, item in enumerate(items[start : start + columns]):
                draw(Box(row.x + i * (width + gap), row.y + 8, width, height - 12), item)

    def _begin(self) -> None:
        self._page = self.document.page()
        self._n_pages += 1
        self._y = HEIGHT - _MARGIN
        self._page.text((_MARGIN, 24), fitted(self._foot, 7, INNER_WIDTH - 40), 7, colour=MUTED)
        self._page.text((WIDTH - _MARGIN, 24), str(self._n_pages), 7, colour=MUTED, align=1)
