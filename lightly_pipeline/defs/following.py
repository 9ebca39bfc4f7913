"""What Dagster shows of a run while it runs: lines in its log, and tags on its page.

Tags are what Dagster can change of a run in progress; events of assets would fill their history.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightly_pipeline.progress import ProgressMeter, StepView, names, short_line, watching

PROGRESS_TAG, IN_HAND_TAG = "lightly_pipeline/progress", "lightly_pipeline/in_hand"
_NOTHING = "-"


@contextmanager
def following(context: Any, meter: ProgressMeter) -> Iterator[None]:
    """Logs how far a run is, and keeps its tags up to date, while the context lasts.

    Args:
        context: Of the step.
        meter: Of the run.
    """

    def tag(view: StepView) -> None:
        tags = {PROGRESS_TAG: short_line(view), IN_HAND_TAG: names(view.in_hand) or _NOTHING}
        context.instance.add_run_tags(context.run.run_id, tags)

    with watching(meter, context.log.info, on_view=tag):
        yield
