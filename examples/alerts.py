"""Tells a chat what an operator should know: runs that failed, and checks that did.

A code location of its own beside the pipeline's, in `workspace.yaml`:

    load_from:
      - python_module: {module_name: lightly_pipeline.definitions, location_name: lightly_pipeline}
      - python_file: examples/alerts.py

ALERT_WEBHOOK_URL names where to: an address that takes `{"text": ...}`, as Slack's, Mattermost's
and others' incoming webhooks do. Whoever knows it can write there: keep it out of files.
"""

import json
import os
import urllib.request

import dagster as dg

RUNNING = dg.DefaultSensorStatus.RUNNING
TIMEOUT_S = 10


def tell(text: str) -> None:
    """Sends a text to the webhook; an error makes the sensor try again at its next tick."""
    request = urllib.request.Request(  # noqa: S310  the operator names it
        os.environ["ALERT_WEBHOOK_URL"],
        json.dumps({"text": text}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310
        pass


@dg.run_failure_sensor(default_status=RUNNING, monitor_all_code_locations=True)
def run_failed(context: dg.RunFailureSensorContext) -> None:
    """Tells of a run that failed: our own message, which says what to do, comes with it."""
    run, error = context.dagster_run, context.failure_event.message
    steps = [
        event.step_failure_data.user_failure_data.description
        if event.step_failure_data.user_failure_data
        else event.step_failure_data.error_display_string.splitlines()[0]
        for event in context.get_step_failure_events()
    ]
    tell("\n".join([f"{run.job_name} failed (run {run.run_id})", *(steps or [error])]))


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    default_status=RUNNING,
    monitor_all_code_locations=True,
)
def checks_failed(context: dg.RunStatusSensorContext) -> None:
    """Tells of the asset checks that failed in a run that went well."""
    entries = context.instance.all_logs(
        context.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
    )
    checks = [e.get_dagster_event().asset_check_evaluation_data for e in entries]
    lines = [
        f"{check.severity.value} {check.asset_key.to_user_string()}: {check.check_name}: "
        f"{check.description}"
        for check in checks
        if not check.passed
    ]
    if lines:
        tell("\n".join([f"checks failed in run {context.dagster_run.run_id}", *lines]))


defs = dg.Definitions(sensors=[run_failed, checks_failed])
