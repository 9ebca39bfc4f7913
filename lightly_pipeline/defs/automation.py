"""When assets run by themselves: on new or changed videos, and once they are done.

Only conditions; they were chosen because plain `eager()` misses videos that were listed before it
was switched on, and repeats work after a run that changed nothing.
"""

from typing import Any

import dagster as dg

_A: Any = dg.AutomationCondition
RETRY_SCHEDULE = "0 * * * *"
"""When videos whose processing failed are tried again."""


def video_condition() -> "dg.AutomationCondition[Any]":
    """Per video: its version changed, it was listed and never processed, or an attempt failed.

    What failed is tried again once an hour: a store that refused a video may give it by then.
    """
    changed = _A.eager().replace("newly_updated", _A.data_version_changed())
    waiting = (
        _A.missing()
        & ~_A.in_progress()
        & ~_A.execution_failed()
        & ~_A.any_deps_missing()
        & ~_A.any_deps_in_progress()
    )
    refused = (
        _A.missing()
        & _A.execution_failed()
        & ~_A.in_progress()
        & _A.cron_tick_passed(RETRY_SCHEDULE)
    )
    condition: dg.AutomationCondition[Any] = changed | waiting | refused
    return condition


def selection_condition() -> "dg.AutomationCondition[Any]":
    """Once all videos are done, hopeless ones aside, and something is new."""
    condition: dg.AutomationCondition[Any] = (
        _A.eager()
        .replace("newly_updated", _A.data_version_changed() | _A.code_version_changed())
        .replace("any_deps_missing", _A.any_deps_match(_A.missing() & ~_A.execution_failed()))
    )
    return condition
