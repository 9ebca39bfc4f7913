"""Which frames the lines of a file for many frames name, and what is said of those that name none.

Lines of frames that take no part in a run are no mistake: a file may be made for all frames there
are. A name that no frame of a known video can have is one.
"""

from array import array

from lightly_pipeline.candidates.rows import FrameNames
from lightly_pipeline.inputs.bulk_files import BulkFile, BulkLine
from lightly_pipeline.inputs.relevant import Cases
from lightly_pipeline.logs import logger_of

_logger = logger_of(__name__)


class NameCheck:
    """Finds the rows that lines are about, each of which one line may name.

    Args:
        bulk: The file.
        names: Finds rows by name.
        n_rows: How many there are.
    """

    def __init__(self, bulk: BulkFile, names: FrameNames, n_rows: int) -> None:
        self._bulk, self._names = bulk, names
        # By the first row of a frame.
        self._line_of = array("q", bytes(8 * n_rows))
        self._elsewhere, self._mistaken = Cases(), Cases()
        self._n_found = 0

    def rows_of(self, line: BulkLine, stem: str) -> list[int]:
        """Returns the rows of the frame that a line names.

        Args:
            line: The line.
            stem: The name that the frame's files would have.

        Raises:
            ValueError: An earlier line names it, too.
        """
        places = self._names.rows_of(stem)
        if not places:
            mistake = self._names.mistake_in(stem)
            if mistake:
                self._mistaken.add(f"{self._bulk.unit} {line.number}: {line.name} ({mistake})")
            else:
                self._elsewhere.add(f"{self._bulk.unit} {line.number}: {line.name}")
            return places
        if first := self._line_of[places[0]]:
            raise ValueError(f"is there since {self._bulk.unit} {first}")
        self._line_of[places[0]] = line.number
        self._n_found += 1
        return places

    def report(self) -> None:
        """Logs which lines named no frame: mistakes as warnings, others as news where some did."""
        for cases, what in (
            (self._mistaken, "name frames that their videos do not have"),
            (self._elsewhere, "name no frame or video that takes part"),
        ):
            if not cases.count:
                continue
            is_news = cases is self._elsewhere and self._n_found
            shown = "; ".join(cases.first) + ("; ..." if cases.count > len(cases.first) else "")
            log = _logger.info if is_news else _logger.warning
            log("%s: %d %ss %s: %s", self._bulk.location, cases.count, self._bulk.unit, what, shown)
