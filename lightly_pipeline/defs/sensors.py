"""Sees new videos in the INPUT datasource and asks for a catalogue run.

A tick lists and compares; everything else happens in runs.
"""

import json
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.defs.assets import DatasetAssets
from lightly_pipeline.steps.listing import list_files
from lightly_pipeline.tables.fingerprint import catalog_hash

TICK_S = int(os.environ.get("LIGHTLY_PIPELINE_TICK_SECONDS", "60"))
"""How often the INPUT datasource is listed and the automation evaluated."""
# A tick has a minute; the next one asks again.
_PATIENCE_S = 10.0
LISTING_S = 40.0
"""How long a tick lists; where that is not enough, a catalogue run lists once an hour instead."""
_BLIND_S = 3600.0
_MAX_PAUSE_S, _MAX_DOUBLED = 3600.0, 10


@dataclass(frozen=True)
class Seen:
    """What the sensor has seen and asked for; kept in its cursor.

    Attributes:
        listed: Hash of the last listing that a run was asked for.
        line: Of requests since the cursor was empty: Dagster never launches a run key twice, and a
            dataset may go back to an earlier state.
        n_requests: How many there were.
        n_failures: Runs that failed since the listing changed.
        blind_s: When a run was last asked for without a listing, Unix time.
    """

    listed: str = ""
    line: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    n_requests: int = 0
    n_failures: int = 0
    blind_s: float = 0.0

    @classmethod
    def from_cursor(cls, cursor: str | None) -> "Seen":
        """Returns what a cursor says; earlier releases kept the hash alone."""
        if not cursor:
            return cls()
        return cls(**json.loads(cursor)) if cursor.startswith("{") else cls(listed=cursor)

    @property
    def cursor(self) -> str:
        """The text of the cursor."""
        return json.dumps(asdict(self))

    @property
    def run_key(self) -> str:
        """The key of the last request."""
        return f"{self.listed[:16]}-{self.line}-{self.n_requests}"

    def after(self, listed: str, *, failed_s: float | None) -> "Seen":
        """Returns what is seen after a listing; one request more where a run is wanted.

        Args:
            listed: Hash of the listing.
            failed_s: How long ago the last catalogue run failed; None if it did not.
        """
        if listed != self.listed:
            return replace(self, listed=listed, n_requests=self.n_requests + 1, n_failures=0)
        if failed_s is None or failed_s < min(TICK_S * 2**self.n_failures, _MAX_PAUSE_S):
            return self
        return replace(
            self, n_requests=self.n_requests + 1, n_failures=min(self.n_failures + 1, _MAX_DOUBLED)
        )

    def after_too_long(self, now: float) -> "Seen":
        """Returns what is seen where listing takes too long: one request more every hour.

        Args:
            now: Unix time.
        """
        if now - self.blind_s < _BLIND_S:
            return self
        return replace(self, listed="", n_requests=self.n_requests + 1, n_failures=0, blind_s=now)


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
        description="Asks for a new listing when what is in the INPUT datasource changed.",
    )
    def new_videos(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        seen = Seen.from_cursor(context.cursor)
        listed = _listed_within(owner.dataset, LISTING_S)
        if listed is None:
            now = seen.after_too_long(time.time())
            unchanged = (
                f"listing takes longer than the {LISTING_S:g} s that a tick has for it: a run "
                f"lists once an hour (or switch {name}_hourly_listing on in place of this sensor)"
            )
        else:
            now = seen.after(listed, failed_s=_failed_s(context.instance, f"{name}_catalog_job"))
            unchanged = "nothing changed since the last listing"
        if now.n_requests == seen.n_requests:
            return dg.SkipReason(unchanged)
        if _is_queued(context.instance, f"{name}_catalog_job"):
            # Where runs are slower than ticks, the queue would grow by one with each of them.
            return dg.SkipReason("a catalogue run waits in the queue: it will list what changed")
        return dg.SensorResult([dg.RunRequest(run_key=now.run_key)], cursor=now.cursor)

    return [
        new_videos,
        dg.AutomationConditionSensorDefinition(
            f"{name}_automation",
            target=dg.AssetSelection.groups(name),
            minimum_interval_seconds=TICK_S,
            default_status=status,
            run_tags=dict(owner.dataset.run_tags),
        ),
    ]


def _listed_within(dataset: Dataset, seconds: float) -> str | None:
    """Returns the hash of a listing of INPUT; None where it takes longer."""
    deadline = time.monotonic() + seconds

    def listed() -> Iterator[StoredObject]:
        for file in list_files(dataset.patient(_PATIENCE_S)):
            if time.monotonic() > deadline:
                raise _TooLongError
            yield file

    try:
        return catalog_hash(listed())
    except _TooLongError:
        return None


class _TooLongError(Exception):
    """A listing takes longer than a tick may."""


def _is_queued(instance: dg.DagsterInstance, job: str) -> bool:
    """Returns whether a run of a job waits for its turn."""
    statuses = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED]
    return bool(instance.get_runs(dg.RunsFilter(job_name=job, statuses=statuses), limit=1))


def _failed_s(instance: dg.DagsterInstance, job: str) -> float | None:
    """Returns how many seconds ago the newest run of a job failed; None if it did not."""
    newest = instance.get_run_records(dg.RunsFilter(job_name=job), limit=1)
    if not newest or newest[0].dagster_run.status is not dg.DagsterRunStatus.FAILURE:
        return None
    return time.time() - (newest[0].end_time or newest[0].update_timestamp.timestamp())


def dataset_schedule(owner: DatasetAssets) -> dg.ScheduleDefinition:
    """Returns an hourly listing, for stores that are better not listed every minute."""
    return dg.ScheduleDefinition(
        name=f"{owner.dataset.name}_hourly_listing",
        job_name=f"{owner.dataset.name}_catalog_job",
        cron_schedule="0 * * * *",
        description="Lists the videos every hour, in place of the sensor.",
    )
