"""Who hears of the runs that workers and scripts execute: what is installed for it.

Found by the entry points of the group `lightly_pipeline.run_listeners`: each names a function that
returns a listener, or None where it has nobody to tell. Our own one tells a Dagster instance. What
a listener fails at is a warning, never the end of a run.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points

from lightly_pipeline.logs import logger_of
from lightly_pipeline.runs.result import RunResult
from lightly_pipeline.steps.listener import RunListener
from lightly_pipeline.steps.processing import ProcessResult
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.tables.catalog import Catalog
from lightly_pipeline.training.models import TrainedModel

GROUP = "lightly_pipeline.run_listeners"
_logger = logger_of(__name__)


def installed_listener() -> RunListener:
    """Returns all installed listeners as one."""
    found: list[RunListener] = []

    def find() -> None:
        for entry in entry_points(group=GROUP):
            listener = entry.load()()
            if listener is not None:
                found.append(listener)

    _or_warn(find)
    return SafeListeners(found)


class SafeListeners:
    """Tells several listeners, whatever becomes of any of them.

    Args:
        listeners: The listeners.
    """

    def __init__(self, listeners: Sequence[RunListener]) -> None:
        self._listeners = listeners

    def listed(self, run: Run, catalog: Catalog) -> None:
        """Passes a listing on."""
        for listener in self._listeners:
            _or_warn(lambda to=listener: to.listed(run, catalog))  # type: ignore[misc]

    def trained(self, run: Run, model: TrainedModel) -> None:
        """Passes a model on, to those that want to hear of it: others are older than training."""
        for listener in self._listeners:
            if hasattr(listener, "trained"):
                _or_warn(lambda to=listener: to.trained(run, model))  # type: ignore[misc]

    def processed(self, run: Run, processed: ProcessResult) -> None:
        """Passes on what became of the videos."""
        for listener in self._listeners:
            _or_warn(lambda to=listener: to.processed(run, processed))  # type: ignore[misc]

    def finished(self, run: Run, result: RunResult) -> None:
        """Passes a result on."""
        for listener in self._listeners:
            _or_warn(lambda to=listener: to.finished(run, result))  # type: ignore[misc]


def _or_warn(tell: Callable[[], None]) -> None:
    try:
        tell()
    except Exception as error:  # noqa: BLE001  a listener is anybody's code, the run is not its
        _logger.warning("a run could not be reported: %s: %s", type(error).__name__, error)
