"""The worker: takes scheduled runs one after the other, as the original's container does.

Which run is next is the queue's to say, what it does `execution`'s; this is the loop around them.
"""

import os
import socket
import time
from collections.abc import Callable, Collection
from contextlib import nullcontext

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.scheduling.deployment import Deployment
from lightly_pipeline.scheduling.errors import ClaimLostError
from lightly_pipeline.scheduling.execution import Showing, execute
from lightly_pipeline.scheduling.scheduled_run import ScheduledRun

_logger = logger_of(__name__)
POLL_S = 2.0


def work(
    deployment: Deployment,
    *,
    labels: Collection[str] = (),
    once: bool = False,
    say: Callable[[str], None] = lambda _: None,
    showing: Showing = nullcontext,
) -> bool:
    """Executes scheduled runs until it is interrupted.

    Args:
        deployment: Whose runs.
        labels: What this worker has; it takes runs whose `runs_on` are all among them.
        once: Ends when nothing is left to take.
        say: Told what happens, line by line.
        showing: Shows how far a run is, while the context that it returns lasts.

    Returns:
        Whether every run ended well.
    """
    executor = f"worker {socket.gethostname()}:{os.getpid()}"
    all_well = True
    while True:
        run = deployment.queue.claim_next(labels, executor)
        if run is not None:
            all_well &= _execute(deployment, run, say, showing)
            if run.blocks.get("worker_config", {}).get("shutdown_when_job_finished"):
                return all_well
        elif once:
            return all_well
        else:
            time.sleep(POLL_S)


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
