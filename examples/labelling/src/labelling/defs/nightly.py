"""A schedule beside the sensor: the whole chain, every night at two."""

import dagster as dg

nightly = dg.ScheduleDefinition(
    name="street_nightly", job_name="street_run_job", cron_schedule="0 2 * * *"
)
