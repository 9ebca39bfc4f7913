"""The worker: takes scheduled runs one after the other, as the original's container does.

Which run is next is the queue's to say, what it does `execution`'s; this is the loop around them.
"""

import os
import socket
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.scheduling.database import now_ms
from lightly_pipeline.scheduling.deployment import Deployment
from lightly_pipeline.scheduling.errors import ClaimLostError, StateUnavailableError
from lightly_pipeline.scheduling.execution import Showing, execute
from lightly_pipeline.scheduling.health import queue_of
from lightly_pipeline.scheduling.patience import until_reached
from lightly_pipeline.scheduling.scheduled_run import BEAT_S, ScheduledRun
from lightly_pipeline.telemetry import metrics

_logger = logger_of(__name__)
POLL_S = 2.0


def work(
    deployment: Deployment,
    *,
    labels: Collection[str] = (),
    worker_id: str | None = None,
    once: bool = False,
    say: Callable[[str], None] = lambda _: None,
    showing: Showing = nullcontext,
) -> bool:
    """Executes scheduled runs until it is interrupted.

    Args:
        deployment: Whose runs.
        labels: What this worker has; it takes runs whose `runs_on` are all among them.
        worker_id: Under which a client has registered it; it has those labels, too.
        once: Ends when nothing is left to take.
        say: Told what happens, line by line.
        showing: Shows how far a run is, while the context that it returns lasts.

    Returns:
        Whether every run ended well.

    Raises:
        ApiException: Nobody has registered a worker of this id.
    """
    executor = f"worker {socket.gethostname()}:{os.getpid()}"
    if worker_id is not None:
        labels = {*labels, *deployment.workers.get(worker_id).labels}
    all_well = True
    metrics.observe("queue.length", lambda: queue_of(deployment, now_ms()).length)
    metrics.observe("queue.age", lambda: queue_of(deployment, now_ms()).age_s)
    with _seen(deployment, executor, labels, worker_id) as beat:
        while True:
            until_reached(beat)
            run = until_reached(lambda: deployment.queue.claim_next(labels, executor))
            if run is not None:
                all_well &= _execute(deployment, run, say, showing)
                if run.blocks.get("worker_config", {}).get("shutdown_when_job_finished"):
                    return all_well
            elif once:
                return all_well
            else:
                time.sleep(POLL_S)


@contextmanager
def _seen(
    deployment: Deployment, executor: str, labels: Collection[str], worker_id: str | None
) -> Iterator[Callable[[], None]]:
    """Lets clients see the worker while the context lasts.

    Yields:
        Says that it lives, if it is time to; to be called while it has no run.
    """
    from lightly_pipeline import __version__

    workers = deployment.workers
    worker_id = workers.start(executor, labels, __version__, worker_id)
    last = time.monotonic()

    def beat() -> None:
        nonlocal last
        if time.monotonic() - last >= BEAT_S:
            workers.beat(worker_id)
            last = time.monotonic()

    try:
        yield beat
    finally:
        try:
            workers.stop(worker_id)
        except StateUnavailableError as error:
            # It will be seen as fallen silent instead.
            _logger.warning("%s", error)


def _execute(
    deployment: Deployment, run: ScheduledRun, say: Callable[[str], None], showing: Showing
) -> bool:
    say(f"run {run.id}: started")
    try:
        result = execute(deployment, run, showing=showing)
    except ClaimLostError as error:
        _logger.warning("%s", error)
        return False
    except LightlyPipelineError as error:
        say(f"run {run.id}: failed: {error}")
        return False
    except Exception as error:
        _logger.exception("run %s failed", run.id)
        say(f"run {run.id}: failed: {type(error).__name__}: {error}")
        return False
    say(f"run {run.id}: {result.n_selected} images in {result.images}")
    return True
