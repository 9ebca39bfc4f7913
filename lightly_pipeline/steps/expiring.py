"""Which videos of a run live long enough: `worker_config.datasource.input_expiration`.

When a file expires is the store's to say, or follows from its last change. The catalogue keeps all
videos; what becomes of those that are left out is told like any other reason.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lightly_pipeline.config import InputExpiration
from lightly_pipeline.datasources import StoredObject, concurrently
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.steps.setup import Run

OPTION = "worker_config.datasource.input_expiration"
LIFETIME_OPTION = "pipeline_config.input_lifetime_days"
_DAY_S = 24 * 3600
_SHOWN = 5
_logger = logger_of(__name__)


@dataclass(frozen=True, slots=True)
class LastingVideos:
    """What the rule about expiration leaves of a run's videos.

    Attributes:
        videos: Those that live long enough, in their order.
        skipped: Reason by path of those that do not.
        n_undated: Of `videos`, those of which nothing says when they expire.
    """

    videos: tuple[StoredObject, ...]
    skipped: Mapping[str, str]
    n_undated: int

    @property
    def warnings(self) -> tuple[str, ...]:
        """A line where the rule could not do anything."""
        if self.skipped or self.n_undated < len(self.videos):
            return ()
        return (
            f"nothing says when the {self.n_undated} videos expire, so all take part: neither does "
            f"INPUT, nor is {LIFETIME_OPTION} given",
        )

    def counts(self) -> dict[str, int]:
        """Returns the numbers by name, for records."""
        return {
            "n_videos": len(self.videos),
            "n_skipped": len(self.skipped),
            "n_undated": self.n_undated,
        }


def lasting_videos(run: Run, videos: Sequence[StoredObject]) -> LastingVideos | None:
    """Returns the videos that do not expire too soon; None where nobody asked for it.

    Raises:
        LightlyPipelineError: Some do, and the rule is to abort; or all do.
        DatasourceError: The store failed.
    """
    rule = run.config.worker.datasource.input_expiration
    if rule is None:
        return None
    dates = _expiry_dates(run, videos)
    reasons = {
        video.path: reason
        for video, date in zip(videos, dates, strict=True)
        if (reason := _reason_against(date, run.started_s, rule.min_days_to_expiration))
    }
    if reasons and (rule.handling_strategy == "ABORT" or len(reasons) == len(videos)):
        raise LightlyPipelineError(_refusal(rule, reasons, len(videos)))
    if reasons:
        _logger.warning("%d of %d videos expire too soon: left out", len(reasons), len(videos))
    lasting = LastingVideos(
        tuple(video for video in videos if video.path not in reasons),
        reasons,
        sum(math.isinf(date) for date in dates),
    )
    for warning in lasting.warnings:
        _logger.warning("%s: %s", OPTION, warning)
    return lasting


def _expiry_dates(run: Run, videos: Sequence[StoredObject]) -> list[float]:
    """Returns the Unix time at which each video expires, infinite where nothing says so."""
    lifetime_days = run.config.pipeline.input_lifetime_days

    def by_store(video: StoredObject) -> float:
        date = run.dataset.input.expiry(video.path)
        return math.inf if date is None else date

    def by_age(video: StoredObject) -> float:
        if lifetime_days is None or video.modified_s is None:
            return math.inf
        return video.modified_s + lifetime_days * _DAY_S

    # The store may delete by a rule of its own, and somebody else by another one.
    dates = concurrently(by_store, videos)
    return [min(date, by_age(video)) for date, video in zip(dates, videos, strict=True)]


def _reason_against(date: float, now_s: float, min_days: float) -> str | None:
    days = (date - now_s) / _DAY_S
    if days >= min_days:
        return None
    shown = datetime.fromtimestamp(date, UTC).strftime("%Y-%m-%d %H:%M UTC")
    when = f"expires {shown}, in {days:.1f} days" if days >= 0 else f"expired {shown}"
    return f"{when}: sooner than min_days_to_expiration, {min_days:g}"


def _refusal(rule: InputExpiration, reasons: Mapping[str, str], n_videos: int) -> str:
    shown = [f"{path} {reason}" for path, reason in list(reasons.items())[:_SHOWN]]
    more = "; ..." if len(reasons) > _SHOWN else ""
    return (
        f"{OPTION}: {len(reasons)} of {n_videos} videos expire too soon "
        f"(handling_strategy {rule.handling_strategy}): {'; '.join(shown)}{more}"
    )
