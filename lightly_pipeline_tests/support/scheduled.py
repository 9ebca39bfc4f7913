"""What a daemon does with runs that clients scheduled, by hand and in this process."""

from typing import Any

import dagster as dg

from lightly_pipeline import build_definitions


def tick(instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    """Returns what the sensor asks for."""
    sensor = next(s for s in build_definitions().sensors if s.name == "take_scheduled_runs")
    result: Any = sensor(dg.build_sensor_context(instance=instance))
    return [] if isinstance(result, dg.SkipReason) else list(result.run_requests)


def launch(request: dg.RunRequest, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Executes what the sensor asked for."""
    return (
        build_definitions()
        .resolve_job_def("scheduled_runs")
        .execute_in_process(
            run_config=request.run_config,
            tags=request.tags,
            instance=instance,
            raise_on_error=False,
        )
    )
