"""The Celery application of a worker: that of the launcher in DAGSTER_HOME's `dagster.yaml`.

    celery -A lightly_pipeline.defs.celery_app worker

One file configures the daemon and all workers, and no password is written anywhere else:
`dagster-celery worker start` would write the broker's URL into a file below DAGSTER_HOME.
"""

from importlib import import_module

import dagster as dg
from celery import Celery
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tasks import create_execute_job_task, create_resume_job_task

from lightly_pipeline.errors import InvalidConfigurationError

# Loaded before the worker forks, so that no run pays for them.
_SHARED = ("av", "faiss", "pyarrow", "torch")


def launcher_app() -> Celery:
    """Returns the application of the instance's launcher, with Dagster's tasks.

    Raises:
        InvalidConfigurationError: The instance launches runs in another way.
    """
    with dg.DagsterInstance.get() as instance:
        launcher = instance.run_launcher
        if not isinstance(launcher, CeleryRunLauncher):
            raise InvalidConfigurationError(
                f"the run launcher in {instance.root_directory}/dagster.yaml is "
                f"{type(launcher).__name__}: copy deploy/dagster-celery.yaml there as dagster.yaml"
            )
    for library in _SHARED:
        import_module(library)
    create_execute_job_task(launcher.celery)
    create_resume_job_task(launcher.celery)
    return launcher.celery


app = launcher_app()
