"""The errors a user of the package meets, as types that say who has to act.

Only exceptions live here. Bad data is not an error of the run (it is recorded as an outcome);
`CorruptVideoError`, `CorruptImageError` and `FrameChangedError` carry it from the layer that
decodes to whoever records it.
"""

from collections.abc import Sequence

_SHOWN_RUNS = 5


class LightlyPipelineError(Exception):
    """Base of every error that this package raises on purpose."""


class InvalidConfigurationError(LightlyPipelineError, ValueError, RuntimeError):
    """A configuration value or key is wrong; the message names the key and what to write.

    A RuntimeError as well, as it is in the original.
    """


class DatasourceError(LightlyPipelineError):
    """A datasource could not do what was asked: an infrastructure problem, worth a retry."""


class ObjectNotFoundError(DatasourceError):
    """The object is not in the datasource (any more)."""


class ObjectChangedError(DatasourceError):
    """The object was replaced since it was listed."""


class PreconditionFailedError(DatasourceError):
    """A conditional write lost: the object exists, or is another version than expected."""


class DatapoolChangedError(DatasourceError):
    """Another run added to the datapool since this one's selection began; running again helps."""


class PermissionDeniedError(DatasourceError):
    """The credentials do not allow the operation."""


class ArchivedObjectError(DatasourceError):
    """The object is archived: it has to be restored before it can be read."""


class DamagedDocumentError(DatasourceError):
    """A document of ours in a datasource is empty, cut or of another shape."""


class StoreFullError(DatasourceError):
    """There is no room left to write; nothing else can be written there either."""


class RunInProgressError(LightlyPipelineError):
    """What was asked for has to wait until runs have ended."""

    def __init__(self, where: str, run_ids: Sequence[str]) -> None:
        shown = ", ".join(run_ids[:_SHOWN_RUNS]) + (", ..." if len(run_ids) > _SHOWN_RUNS else "")
        which = f"run {shown} is" if len(run_ids) == 1 else f"{len(run_ids)} runs ({shown}) are"
        super().__init__(
            f"{which} in progress in {where}: nothing was removed; try again once it has ended. A "
            "run whose process was killed on another machine counts as ended after some minutes"
        )


class TagNotFoundError(LightlyPipelineError):
    """A dataset has no tag of that name; the message names those that there are."""


class RunNotFoundError(LightlyPipelineError):
    """A dataset has no run of that id; the message names those that there are."""


class MissingExtraError(LightlyPipelineError, ImportError):
    """Something needs a package that is not installed; the message says what to install."""

    def __init__(self, what: str, package: str) -> None:
        super().__init__(
            f"{what} needs {package}: pip install 'lightly-pipeline[{package}]'", name=package
        )


class CorruptVideoError(LightlyPipelineError):
    """The content is not a video that can be decoded.

    Attributes:
        reason: One line for the corruptness report.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CorruptImageError(LightlyPipelineError):
    """The content is not an image that can be decoded.

    Attributes:
        reason: One line for the corruptness report.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FrameChangedError(LightlyPipelineError):
    """Frames decoded again are not the frames that were indexed.

    Attributes:
        indices: Frame indices that could not be reproduced.
    """

    def __init__(self, indices: Sequence[int]) -> None:
        shown = ", ".join(str(index) for index in indices[:10])
        more = f" and {len(indices) - 10} more" if len(indices) > 10 else ""
        super().__init__(
            f"frames {shown}{more} decode to other pictures than when they were indexed; "
            "the video was replaced or the decoder changed: run again to index it anew"
        )
        self.indices = tuple(indices)
