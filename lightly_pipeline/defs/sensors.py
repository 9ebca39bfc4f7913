"""Sees new videos in the INPUT datasource and asks for a catalogue run.

A tick lists and compares; everything else happens in runs.
"""

import os

import dagster as dg

from lightly_pipeline.datasources import list_videos
from lightly_pipeline.defs.assets import DatasetAssets
from lightly_pipeline.tables.fingerprint import catalog_hash

TICK_S = int(os.environ.get("LIGHTLY_PIPELINE_TICK_SECONDS", "60"))
"""How often the INPUT datasource is listed and the automation evaluated."""


def dataset_sensors(owner: DatasetAssets) -> list[dg.SensorDefinition]:
    """Returns the sensor on the INPUT datasource and the one that runs the automation."""
    name = owner.dataset.name
    status = (
        dg.DefaultSensorStatus.RUNNING
        if owner.dataset.automation
        else dg.DefaultSensorStatus.STOPPED
    )

    @dg.sensor(
        name=f"{name}_new_videos",
        job_name=f"{name}_catalog_job",
        minimum_interval_seconds=TICK_S,
        default_status=status,
        description="Asks for a new listing when the videos in the INPUT datasource changed.",
    )
    def new_videos(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        listed = catalog_hash(tuple(list_videos(owner.dataset.input)))
        if listed == context.cursor:
            return dg.SkipReason("nothing changed since the last listing")
        return dg.SensorResult([dg.RunRequest(run_key=listed)], cursor=listed)

    return [
        new_videos,
        dg.AutomationConditionSensorDefinition(
            f"{name}_automation",
            target=dg.AssetSelection.groups(name),
            minimum_interval_seconds=TICK_S,
            default_status=status,
        ),
    ]


def dataset_schedule(owner: DatasetAssets) -> dg.ScheduleDefinition:
    """Returns an hourly listing, for stores that are better not listed every minute."""
    return dg.ScheduleDefinition(
        name=f"{owner.dataset.name}_hourly_listing",
        job_name=f"{owner.dataset.name}_catalog_job",
        cron_schedule="0 * * * *",
        description="Lists the videos every hour, in place of the sensor.",
    )
