"""Checks of what is overdue, which time makes fail and no run: asked for every hour.

For datasets that declare `checks.waiting_hours` or `checks.arrival_hours`. They read the catalogue
of the last listing and list nothing themselves; whether listings come is for the freshness policy.
"""

import time
from collections.abc import Iterator
from typing import Any

import dagster as dg

from lightly_pipeline.config.checks import Limits
from lightly_pipeline.datasets import Dataset
from lightly_pipeline.defs.checks import passes, severity
from lightly_pipeline.defs.step import STORE_POOL, failing
from lightly_pipeline.progress.text import duration
from lightly_pipeline.steps.listing import stored_catalog
from lightly_pipeline.tables.catalog import Catalog

SCHEDULE = "0 * * * *"
"""When they are evaluated, where the dataset's automation is switched on."""
_A: Any = dg.AutomationCondition
_HOUR_S = 3600.0


def overdue_checks(dataset: Dataset) -> list[dg.AssetChecksDefinition]:
    """Returns the checks that a dataset has declared limits for."""
    limits = dataset.limits
    catalog, selected = (
        dg.AssetKey([dataset.name, name]) for name in ("video_catalog", "selected_frames")
    )
    specs = []
    if limits.arrival_hours.are_set:
        specs.append(
            _spec(
                "videos_arrive",
                catalog,
                "A video has arrived in INPUT of late. If not: look at who uploads them.",
            )
        )
    if limits.waiting_hours.are_set:
        specs.append(
            _spec(
                "no_video_waits",
                selected,
                "No video lies in INPUT for long without a selection after it. If one does: look "
                "at the automation, at runs that failed, and at the queue.",
            )
        )
    if not specs:
        return []

    @dg.multi_asset_check(name=f"{dataset.name}_overdue", specs=specs, pool=STORE_POOL)
    def overdue(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        listed, now_s = failing(context, lambda: stored_catalog(dataset)), time.time()
        for key in context.selected_asset_check_keys:
            if key.name == "videos_arrive":
                quiet_s = silent_s(listed, now_s)
                yield _check(key, quiet_s, limits.arrival_hours, "the last came {} ago")
            else:
                event = context.instance.get_latest_materialization_event(selected)
                waiting_s = longest_wait_s(listed, event.timestamp if event else 0.0, now_s)
                yield _check(key, waiting_s, limits.waiting_hours, "the oldest waits for {}")

    return [overdue]


def silent_s(catalog: Catalog, now_s: float) -> float | None:
    """Returns for how long no video has arrived; None where stores do not say when."""
    arrived = [v.modified_s for v in catalog.files if v.modified_s is not None]
    return max(now_s - max(arrived), 0.0) if arrived else None


def longest_wait_s(catalog: Catalog, selected_s: float, now_s: float) -> float | None:
    """Returns how long the oldest of the videos waits that came after a selection.

    Args:
        catalog: What was last listed.
        selected_s: When the selection was made, Unix time; 0 without one.
        now_s: The time.

    Returns:
        Seconds, 0 where none waits; None where stores do not say when videos came.
    """
    arrived = [v.modified_s for v in catalog.files if v.modified_s is not None]
    waiting = [at for at in arrived if at > selected_s]
    if not arrived:
        return None
    return max(now_s - min(waiting), 0.0) if waiting else 0.0


def _spec(name: str, key: dg.AssetKey, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name,
        asset=key,
        description=description,
        automation_condition=_A.cron_tick_passed(SCHEDULE) & ~_A.in_progress(),
    )


def _check(
    key: dg.AssetCheckKey, age_s: float | None, limits: Limits, said: str
) -> dg.AssetCheckResult:
    hours = (age_s or 0.0) / _HOUR_S
    text = said.format(duration(age_s)) if age_s else "none waits"
    return dg.AssetCheckResult(
        passed=passes(hours, limits),
        asset_key=key.asset_key,
        check_name=key.name,
        severity=severity(hours, limits.error),
        description=text if age_s is not None else "the store does not say when videos came",
        metadata={"hours": round(hours, 3)},
    )
