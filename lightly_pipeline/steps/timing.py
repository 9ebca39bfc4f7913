"""What is around every step, whoever executes it: its time, its labels, its retries.

For who reads of a run: `seconds` of its result, the line in its log, figures and spans.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from lightly_pipeline.datasources.retries import Retries, counting_retries, described_retries
from lightly_pipeline.logs import fields, logger_of
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.telemetry import metrics
from lightly_pipeline.telemetry.labels import labelled

_logger = logger_of(__name__)


@contextmanager
def timed_step(run: Run, step: str, seconds: dict[str, float], retries: Retries) -> Iterator[None]:
    """Says at the end of the context how the step went.

    Args:
        run: Whose step.
        step: Its name.
        seconds: Takes its wall time, if it ends well.
        retries: Counts what stores were asked again.
    """
    before = retries.causes, retries.waited_s

    def end(outcome: str, took_s: float) -> None:
        took = round(took_s, 3)
        if outcome == "done":
            seconds[step] = took
        _say(step, outcome, took, *_since(before, retries))

    with (
        labelled(dataset=run.dataset.name, run=run.run_id, step=step),
        counting_retries(retries),
        metrics.watched(end),
        metrics.timing("step"),
    ):
        yield


def _since(before: tuple[dict[str, int], float], retries: Retries) -> tuple[dict[str, int], float]:
    known, waited_s = before
    more = {cause: n - known.get(cause, 0) for cause, n in retries.causes.items()}
    return {cause: n for cause, n in more.items() if n}, retries.waited_s - waited_s


def _say(step: str, outcome: str, took: float, causes: dict[str, int], waited_s: float) -> None:
    repeated = described_retries(causes, waited_s)
    _logger.info(
        "step %s: %s in %.1f s%s",
        step,
        outcome,
        took,
        f", {repeated}" if repeated else "",
        extra=fields(
            outcome=outcome,
            seconds=took,
            retries=sum(causes.values()),
            retry_causes=causes or None,
            waited_s=round(waited_s, 3),
        ),
    )
