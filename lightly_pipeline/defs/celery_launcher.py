"""A run launcher for Celery that notices when a worker is gone.

Named by `deploy/dagster-celery.yaml`, imported by nothing else. dagster-celery's own launcher asks
the broker how a task is: of a worker that was killed that is "started" for ever, and after the
task was delivered again "success", since Dagster ignores a second process of a run. What knows
better is the run's own log: a run says how far it is at least once a minute.
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

if TYPE_CHECKING:
    from dagster._config import UserConfigSchema
    from dagster._serdes import ConfigurableClassData

_LOST_AFTER_S = 300


class WatchfulCeleryRunLauncher(CeleryRunLauncher):
    """dagster-celery's launcher; a run of which nothing is heard counts as lost.

    Dagster's run monitoring then marks it as failed, and `run_retries` starts it again.

    Args:
        lost_after_seconds: How long a run may say nothing. Clocks of workers and daemon must agree
            to a fraction of it.
        fields: Those of dagster-celery's launcher.
    """

    def __init__(self, lost_after_seconds: int = _LOST_AFTER_S, **fields: Any) -> None:
        self._lost_after_s = lost_after_seconds
        super().__init__(**fields)

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Returns whether a run that has started is still being executed."""
        if DAGSTER_CELERY_TASK_ID_TAG in run.tags:
            told = super().check_run_worker_health(run)
            if told.status is WorkerStatus.FAILED:
                return told
        silent_s = time.time() - self._last_heard(run)
        if silent_s <= self._lost_after_s:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(
            WorkerStatus.FAILED,
            f"nothing heard of it for {silent_s:.0f} s: its worker is lost",
        )

    def _last_heard(self, run: dg.DagsterRun) -> float:
        newest = self._instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
        return max((record.event_log_entry.timestamp for record in newest), default=0.0)

    @classmethod
    def config_type(cls) -> "UserConfigSchema":
        """Returns the fields of dagster-celery's launcher, and our own."""
        fields = super().config_type()
        assert isinstance(fields, dict)
        return {
            **fields,
            "lost_after_seconds": dg.Field(
                dg.IntSource,
                default_value=_LOST_AFTER_S,
                description="How long a run may say nothing before its worker counts as lost.",
            ),
        }

    @classmethod
    def from_config_value(
        cls, inst_data: "ConfigurableClassData", config_value: Mapping[str, Any]
    ) -> "WatchfulCeleryRunLauncher":
        """Returns the launcher of an instance's configuration."""
        return cls(inst_data=inst_data, **config_value)
