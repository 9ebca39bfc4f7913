"""From when on a person is to look: the limits of a dataset's asset checks.

Values only; what is measured and said is in `lightly_pipeline.defs.checks`.
"""

from typing import Self

from pydantic import Field, model_validator

from lightly_pipeline.config.base import StrictModel


class _Limits(StrictModel):
    """Beyond `warn` a check fails with a warning, beyond `error` with an error."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        warn, error = getattr(self, "warn", None), getattr(self, "error", None)
        if warn is not None and error is not None and warn > error:
            raise ValueError(f"warn ({warn:g}) is above error ({error:g})")
        return self


class ShareLimits(_Limits):
    """Limits of a share: one in a hundred happens, one in five means something is broken."""

    warn: float = Field(0.01, ge=0, le=1, description="Share from 0 to 1.")
    error: float = Field(0.2, ge=0, le=1, description="Share from 0 to 1.")


class GrowthLimits(_Limits):
    """Limits of a growth from one run to the next."""

    warn: float = Field(1.25, ge=1, description="Times the value of the run before.")
    error: float | None = Field(None, ge=1, description="Times the value of the run before.")


class Limits(_Limits):
    """Limits of a value; a check without any is left out."""

    warn: float | None = Field(None, gt=0, description="No warning without it.")
    error: float | None = Field(None, gt=0, description="No error without it.")

    @property
    def are_set(self) -> bool:
        """Whether there is one."""
        return self.warn is not None or self.error is not None


class CheckLimits(StrictModel):
    """Limits of the checks of a dataset, each with `warn` and `error`."""

    corrupt_share: ShareLimits = Field(
        ShareLimits(), description="Share of videos that gave no frame, or that a store refused."
    )
    damaged_share: ShareLimits = Field(
        ShareLimits(), description="Share of frames that show or refer to concealed parts."
    )
    coverage_growth: GrowthLimits = Field(
        GrowthLimits(), description="Coverage radius, in times that of the run before."
    )
    coverage_radius: Limits = Field(
        Limits(), description="Coverage radius: the largest distance of a candidate to its frame."
    )
    waiting_hours: Limits = Field(
        Limits(), description="How long a video may lie in INPUT without a selection after it."
    )
    arrival_hours: Limits = Field(
        Limits(), description="How long no video may have arrived in INPUT."
    )
