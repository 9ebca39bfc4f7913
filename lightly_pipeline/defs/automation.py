"""When assets run by themselves: on new or changed videos, and once they are done.

Only conditions; they were chosen because plain `eager()` misses videos that were listed before it
was switched on, and repeats work after a run that changed nothing.
"""

from typing import Any

import dagster as dg

_A: Any = dg.AutomationCondition
RETRY_SCHEDULE = "0 * * * *"
"""When partitions whose processing failed are tried again."""


def video_condition() -> "dg.AutomationCondition[Any]":
    """Per partition: its version changed, it was listed and never processed, or an attempt failed.

    What failed is tried again once an hour, also where an earlier version is there: a store that
    refused a video may give it by then.
    """
    changed = _A.eager().replace("newly_updated", _A.data_version_changed())
    waiting = (
        _A.missing()
        & ~_A.in_progress()
        & ~_A.execution_failed()
        & ~_A.any_deps_missing()
        & ~_A.any_deps_in_progress()
    )
    refused = _A.execution_failed() & ~_A.in_progress() & _A.cron_tick_passed(RETRY_SCHEDULE)
    condition: dg.AutomationCondition[Any] = changed | waiting | refused
    return condition


def model_condition() -> "dg.AutomationCondition[Any]":
    """Once videos are listed, where there is no model yet.

    Never again by itself: after another training all videos are embedded anew, which somebody
    should have wanted.
    """
    condition: dg.AutomationCondition[Any] = (
        _A.missing()
        & ~_A.any_deps_missing()
        & ~_A.any_deps_in_progress()
        & ~_A.in_progress()
        & (~_A.execution_failed() | _A.cron_tick_passed(RETRY_SCHEDULE))
    )
    return condition


def selection_condition(*, of_batches: bool) -> "dg.AutomationCondition[Any]":
    """Once all videos are done, hopeless ones aside, and something is new.

    Args:
        of_batches: Whether a partition is a batch of videos. One of which a video was refused has
            failed, and says nothing of the others: they are new once, not at every further try.
    """
    news = _A.data_version_changed() | _A.code_version_changed()
    if of_batches:
        listed_anew = _A.any_deps_match(_A.data_version_changed())
        news |= _A.execution_failed().since(listed_anew).newly_true()
    condition: dg.AutomationCondition[Any] = (
        _A.eager()
        .replace("newly_updated", news)
        .replace("any_deps_missing", _A.any_deps_match(_A.missing() & ~_A.execution_failed()))
    )
    return condition
