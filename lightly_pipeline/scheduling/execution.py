"""One claimed run from its claim to its end: beats, states, the reason when it fails.

The same for every executor (worker, Dagster, the calling script); what is executed in between is
`pipeline`'s.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Literal

from lightly_pipeline import pipeline
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.layout import shown_path
from lightly_pipeline.logs import logger_of
from lightly_pipeline.progress import ProgressMeter, line, title
from lightly_pipeline.runs.result import RunResult
from lightly_pipeline.scheduling.deployment import Deployment
from lightly_pipeline.scheduling.errors import ClaimLostError, StateUnavailableError
from lightly_pipeline.scheduling.listeners import installed_listener
from lightly_pipeline.scheduling.models import RunState
from lightly_pipeline.scheduling.patience import until_reached
from lightly_pipeline.scheduling.scheduled_run import BEAT_S, ScheduledRun
from lightly_pipeline.steps.listener import RunListener

if TYPE_CHECKING:
    from lightly_pipeline.scheduling.queue import RunQueue

_logger = logger_of(__name__)
_STATES = {
    "list": RunState.LOADING_DATASET,
    "read_frames": RunState.TRAINING,
    "train": RunState.TRAINING,
    "decode": RunState.EMBEDDING,
    "load": RunState.SAMPLING,
    "typicality": RunState.SAMPLING,
    "select": RunState.SAMPLING,
    "upload": RunState.UPLOADING_DATASET,
    "report": RunState.GENERATING_REPORT,
    "upload_report": RunState.UPLOADING_REPORT,
}
_MAX_MESSAGE = 4000
Showing = Callable[[ProgressMeter], AbstractContextManager[object]]
"""Shows the progress of a run while the context lasts."""


class RunReporter:
    """Tells a run's user how far it is.

    Args:
        queue: Where the run is.
        run: The run, claimed.
    """

    def __init__(self, queue: "RunQueue", run: ScheduledRun) -> None:
        self._queue, self._run = queue, run
        self._state = run.run_state
        self._lost: ClaimLostError | None = None
        self._lock = threading.Lock()
        self.meter = ProgressMeter(self._reported)
        """Takes the run's progress; raises ClaimLostError once another executor has the run."""

    def _reported(self, step: str, *_: object) -> None:
        if self._lost is not None:
            raise self._lost
        state = _STATES.get(step)
        with self._lock:
            if state is not None and state is not self._state:
                self._enter(state, title(step).lower())

    def _enter(self, state: RunState, doing: str) -> None:
        try:
            self._queue.enter(self._run, state, doing)
        except ClaimLostError:
            raise
        except LightlyPipelineError as error:
            # Tried again with the next progress; the run does not depend on what its user sees.
            _logger.warning("run %s: %s", self._run.id, error)
            return
        self._state = state

    def beat_until(self, stop: threading.Event) -> None:
        """Says now and then that the executor lives, until it is told to stop."""
        while not stop.wait(BEAT_S):
            try:
                self._queue.beat(self._run, self._message())
            except ClaimLostError as error:
                self._lost = error
                return
            except LightlyPipelineError as error:
                _logger.warning("run %s: %s", self._run.id, error)

    def _message(self) -> str:
        views = self.meter.views()
        return line(views[-1]) if views else self._run.message


@contextmanager
def executing(
    queue: "RunQueue",
    run: ScheduledRun,
    *,
    when_interrupted: Literal["release", "abort"],
    is_executors: Callable[[Exception], bool] = lambda _: False,
) -> Iterator[RunReporter]:
    """Reports a claimed run while the context lasts, and then how it ended.

    Args:
        queue: Where the run is.
        run: The run, claimed by who calls.
        when_interrupted: Whether a run that is interrupted (not failed) is given back for another
            executor, or ends as ABORTED.
        is_executors: Whether an error says nothing about the run, but that its executor cannot go
            on: the run is given back.
    """
    reporter, stop = RunReporter(queue, run), threading.Event()
    beating = threading.Thread(target=reporter.beat_until, args=(stop,), daemon=True)
    beating.start()
    try:
        yield reporter
    except ClaimLostError:
        raise
    except Exception as error:
        reason = _reason(error)
        if is_executors(error):
            stopped = f"{run.executor} could not go on ({type(error).__name__}); waiting"
            until_reached(lambda: queue.release(run, stopped))
        else:
            until_reached(lambda: queue.finish(run, RunState.FAILED, reason))
        raise
    except BaseException:
        _interrupted(queue, run, when_interrupted)
        raise
    else:
        until_reached(lambda: queue.finish(run, RunState.COMPLETED, "completed"))
    finally:
        stop.set()
        beating.join()


def _interrupted(
    queue: "RunQueue", run: ScheduledRun, when_interrupted: Literal["release", "abort"]
) -> None:
    try:
        if when_interrupted == "release":
            queue.release(run, f"{run.executor} was stopped; waiting to be taken by another one")
        else:
            queue.finish(run, RunState.ABORTED, f"canceled in {run.executor}")
    except StateUnavailableError as error:
        # Whoever stops a process does not wait; its silence will say the same.
        _logger.warning("run %s: %s", run.id, error)


def execute(
    deployment: Deployment,
    run: ScheduledRun,
    listener: RunListener | None = None,
    *,
    showing: Showing = nullcontext,
) -> RunResult:
    """Executes a claimed run in this process, without Dagster.

    Args:
        deployment: Whose run.
        run: The run, claimed by who calls.
        listener: Told what came out of every step; who is installed for it by default.
        showing: Shows how far it is, while the context that it returns lasts.

    Raises:
        LightlyPipelineError: Why it failed; the run's user was told.
    """
    with (
        executing(deployment.queue, run, when_interrupted="release") as reporter,
        showing(reporter.meter),
    ):
        return pipeline.run(
            until_reached(lambda: deployment.dataset(run.dataset_id)),
            **run.blocks,
            run_id=run.id,
            others=until_reached(deployment.complete_datasets),
            progress=reporter.meter,
            listener=listener or installed_listener(),
        )


def _reason(error: Exception) -> str:
    text = str(error)
    if not isinstance(error, LightlyPipelineError):
        text = f"{type(error).__name__}: {text}"
    return shown_path(text)[:_MAX_MESSAGE]
