"""Who hears of a run between its steps: what was listed, what became of the videos, the result.

The protocol only. Who executes a run hands a listener in; what it does with the news is its own.
"""

from typing import Protocol

from lightly_pipeline.runs.result import RunResult
from lightly_pipeline.steps.processing import ProcessResult
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.tables.catalog import Catalog
from lightly_pipeline.training.models import TrainedModel


class RunListener(Protocol):
    """Hears of a run, in this order; what it raises ends the run."""

    def listed(self, run: Run, catalog: Catalog) -> None:
        """Takes the videos that a run has listed."""
        ...

    def trained(self, run: Run, model: TrainedModel) -> None:
        """Takes the model that the run has trained, or uses; none where it embeds otherwise."""
        ...

    def processed(self, run: Run, processed: ProcessResult) -> None:
        """Takes what became of them."""
        ...

    def finished(self, run: Run, result: RunResult) -> None:
        """Takes the result, once every image is stored."""
        ...


class SilentListener:
    """Does nothing."""

    def listed(self, run: Run, catalog: Catalog) -> None:
        """Ignores the listing."""

    def trained(self, run: Run, model: TrainedModel) -> None:
        """Ignores the model."""

    def processed(self, run: Run, processed: ProcessResult) -> None:
        """Ignores what became of the videos."""

    def finished(self, run: Run, result: RunResult) -> None:
        """Ignores the result."""
