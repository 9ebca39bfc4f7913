"""The client's methods about runs: schedule, watch, wait."""

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any

from lightly_pipeline.api.artifacts import artifacts_of
from lightly_pipeline.api.client_base import ClientBase
from lightly_pipeline.api.models import DockerRunData, DockerRunScheduledData
from lightly_pipeline.config import RunConfig
from lightly_pipeline.config.images import check_for_images
from lightly_pipeline.config.run import plain_block
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.hints import did_you_mean
from lightly_pipeline.scheduling.errors import ApiException
from lightly_pipeline.scheduling.execution import execute
from lightly_pipeline.scheduling.models import (
    Claim,
    ComputeWorkerRunInfo,
    DatasourcePurpose,
    Priority,
    RunState,
    ScheduledState,
)
from lightly_pipeline.scheduling.patience import until_reached
from lightly_pipeline.scheduling.scheduled_run import ScheduledRun

Block = Mapping[str, Any] | None
_POLL_S = 1.0


class RunMethods(ClientBase):
    """Runs of the current dataset. A run has the id it was scheduled under."""

    def schedule_compute_worker_run(
        self,
        worker_config: Block = None,
        lightly_config: Block = None,
        selection_config: Block = None,
        priority: str = Priority.MID,
        runs_on: list[str] | None = None,
    ) -> str:
        """Schedules a run of the current dataset.

        Args:
            worker_config: As in the original, snake_case or camelCase.
            lightly_config: As above.
            selection_config: As above; 50 diverse frames when nothing is said.
            priority: LOW, MID, HIGH or CRITICAL: which waiting run is taken first.
            runs_on: Labels that a worker must all have to take the run.

        Returns:
            The run's id.

        Raises:
            InvalidConfigurationError: An option is wrong or not supported, or a datasource is
                missing.
        """
        for purpose in (DatasourcePurpose.INPUT, DatasourcePurpose.LIGHTLY):
            self._deployment.datasets.datasource(self.dataset_id, purpose)
        return self._deployment.queue.add(
            self.dataset_id,
            _checked_blocks(
                worker_config,
                lightly_config,
                selection_config,
                of_images=self._is_of_images(self.dataset_id),
            ),
            priority=_priority(priority),
            runs_on=checked_labels(runs_on, "runs_on"),
            message=f"waiting to be taken: start `lightly-pipeline worker`, or a Dagster daemon, "
            f"with {self._deployment.address.setting}",
        )

    def create_compute_worker_config(
        self,
        worker_config: Block = None,
        lightly_config: Block = None,
        selection_config: Block = None,
    ) -> str:
        """Checks a configuration as `schedule_compute_worker_run` does.

        Nothing is kept: runs are scheduled with their configuration.

        Returns:
            24 hexadecimal digits, the same for the same configuration.

        Raises:
            InvalidConfigurationError: An option is wrong or not supported.
        """
        blocks = _checked_blocks(worker_config, lightly_config, selection_config, of_images=False)
        text = json.dumps(blocks, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def wait_for_run(
        self,
        scheduled_run_id: str,
        *,
        run_in_process: bool = False,
        timeout_s: float | None = None,
    ) -> ComputeWorkerRunInfo:
        """Waits for the end of a run. Not in the original.

        Args:
            scheduled_run_id: The run.
            run_in_process: Executes the run here if nobody has taken it, so that neither a worker
                nor Dagster is needed.
            timeout_s: How long to wait at most; as long as it takes by default. What is executed
                here is not interrupted.

        Returns:
            How it ended, or where it was when the time was over.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            info = until_reached(
                lambda: self.get_compute_worker_run_info(scheduled_run_id), deadline
            )
            if info.in_end_state() or (deadline is not None and time.monotonic() > deadline):
                return info
            if run_in_process and info.state is RunState.OPEN:
                self._execute(scheduled_run_id)
            else:
                time.sleep(_POLL_S)

    def get_compute_worker_run_info(self, scheduled_run_id: str) -> ComputeWorkerRunInfo:
        """Returns where a run is."""
        return self._info(self._deployment.queue.find(scheduled_run_id), scheduled_run_id)

    def compute_worker_run_info_generator(
        self, scheduled_run_id: str
    ) -> Iterator[ComputeWorkerRunInfo]:
        """Yields where a run is, and then every change until it has ended.

        No change of state is left out, however short the state was.
        """
        last: ComputeWorkerRunInfo | None = None
        seen: int | None = None
        while True:
            after = seen
            run, changes, seen = until_reached(
                lambda: self._deployment.queue.watch(scheduled_run_id, after)  # noqa: B023  at once
            )
            for info in (*changes, self._info(run, scheduled_run_id)):
                if info != last:
                    yield info
                last = info
            if info.in_end_state():
                return
            time.sleep(_POLL_S)

    def get_compute_worker_runs(self, dataset_id: str | None = None) -> list[DockerRunData]:
        """Returns the runs that were taken, oldest first.

        Args:
            dataset_id: Only those of this dataset.
        """
        return list(self.get_compute_worker_runs_iter(dataset_id))

    def get_compute_worker_runs_iter(
        self, dataset_id: str | None = None
    ) -> Iterator[DockerRunData]:
        """Yields the runs that were taken, oldest first."""
        for run in self._deployment.queue.all(dataset_id):
            if run.started_ms:
                yield self._run_data(run)

    def get_compute_worker_run(self, run_id: str) -> DockerRunData:
        """Returns a run that was taken.

        Raises:
            ApiException: There is none with this id, or it was not taken yet.
        """
        run = self._deployment.queue.find(run_id)
        if run is None or not run.started_ms:
            raise ApiException(f"no run with the id {run_id} was taken by a worker yet")
        return self._run_data(run)

    def get_compute_worker_run_from_scheduled_run(self, scheduled_run_id: str) -> DockerRunData:
        """Returns the run of a scheduled run.

        Raises:
            ApiException: There is none with this id, or it was not taken yet.
        """
        return self.get_compute_worker_run(scheduled_run_id)

    def get_scheduled_compute_worker_runs(
        self, state: str | None = None
    ) -> list[DockerRunScheduledData]:
        """Returns the current dataset's scheduled runs, oldest first.

        Args:
            state: OPEN, LOCKED, DONE or CANCELED; those that have not ended by default.

        Raises:
            InvalidConfigurationError: There is no such state.
        """
        if state is not None and state not in list(ScheduledState):
            raise InvalidConfigurationError(
                f"{state!r} is no state of a scheduled run; {did_you_mean(state, ScheduledState)}"
            )
        unended = (ScheduledState.OPEN, ScheduledState.LOCKED)
        return [
            DockerRunScheduledData(
                id=run.id,
                dataset_id=run.dataset_id,
                state=run.state,
                priority=run.priority,
                runs_on=run.runs_on,
                created_at=run.created_ms,
                last_modified_at=run.modified_ms,
                owner=run.executor,
                config_id=run.id,
            )
            for run in self._deployment.queue.all(self.dataset_id)
            if (run.state == state if state is not None else run.state in unended)
        ]

    def _execute(self, run_id: str) -> None:
        executor = f"script {socket.gethostname()}:{os.getpid()}"
        claim, run = until_reached(lambda: self._deployment.queue.claim(run_id, executor))
        if claim is Claim.BUSY:
            time.sleep(_POLL_S)
        if run is None:
            return
        try:
            execute(self._deployment, run)
        except LightlyPipelineError:
            # The run's state says so, with the reason.
            return

    def _info(self, run: ScheduledRun | None, run_id: str) -> ComputeWorkerRunInfo:
        if run is None:
            return ComputeWorkerRunInfo(
                RunState.CANCELED_OR_NOT_EXISTING, f"there is no run with the id {run_id}"
            )
        return run.info(self._deployment.now_ms())

    def _run_data(self, run: ScheduledRun) -> DockerRunData:
        from lightly_pipeline import __version__

        info = run.info(self._deployment.now_ms())
        return DockerRunData(
            id=run.id,
            dataset_id=run.dataset_id,
            scheduled_id=run.id,
            docker_version=__version__,
            state=info.state,
            message=info.message,
            created_at=run.started_ms,
            last_modified_at=run.modified_ms,
            find_artifacts=lambda: artifacts_of(self._lightly(run.dataset_id), run.id),
            config_id=run.id,
        )


def _priority(priority: str) -> Priority:
    try:
        return Priority(priority)
    except ValueError:
        raise InvalidConfigurationError(
            f"priority {priority!r} is not known; use {', '.join(Priority)}"
        ) from None


def checked_labels(labels: list[str] | None, name: str) -> list[str]:
    """Returns labels as a script gives them.

    Args:
        labels: None for none.
        name: How the argument is called in messages.

    Raises:
        InvalidConfigurationError: They are something else.
    """
    checked = list(labels or ())
    if isinstance(labels, str) or not all(isinstance(label, str) for label in checked):
        raise InvalidConfigurationError(f"{name} is a list of labels, not {labels!r}")
    return checked


def _checked_blocks(
    worker_config: Block, lightly_config: Block, selection_config: Block, *, of_images: bool
) -> dict[str, dict[str, Any]]:
    """Returns the blocks that are given, in snake_case.

    Raises:
        InvalidConfigurationError: An option is wrong or not supported.
    """
    # Importing it takes as long as all the rest.
    from lightly_pipeline.inputs.quality import check_computed_keys

    config = RunConfig.from_blocks(worker_config, lightly_config, selection_config)
    config.check_supported()
    if of_images:
        check_for_images(config)
    check_computed_keys(config.selection)
    given = {
        "worker_config": worker_config,
        "lightly_config": lightly_config,
        "selection_config": selection_config,
    }
    return {name: plain_block(block, name) for name, block in given.items() if block}
