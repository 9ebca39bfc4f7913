"""The errors of the client, under the names that users of the original catch."""

from lightly_pipeline.errors import LightlyPipelineError


class ApiException(LightlyPipelineError):  # noqa: N818  the original's name
    """What was asked for does not exist.

    Attributes:
        status: As the original's HTTP status; 404.
    """

    status = 404


class ArtifactNotExist(LightlyPipelineError):  # noqa: N818  the original's name
    """The run has no such artifact."""


class TagDoesNotExistError(LightlyPipelineError, ValueError):
    """The dataset has no tag of that name."""


class MethodNotSupportedError(LightlyPipelineError, NotImplementedError):
    """The original's client has this method, this one does not; the message says why."""


class ClaimLostError(LightlyPipelineError):
    """The run was taken from its executor, which had not been heard of for too long."""
