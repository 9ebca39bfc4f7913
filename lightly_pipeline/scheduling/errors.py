"""The errors of the client, under the names that users of the original catch."""

import json

from lightly_pipeline.errors import LightlyPipelineError


class ApiException(LightlyPipelineError):  # noqa: N818  the original's name
    """What was asked for does not exist.

    Attributes:
        status: As the original's HTTP status; 404.
        reason: As the original's, in words.
        body: As the original's answer: JSON with the keys code and error.
        headers: None: nothing is asked over HTTP here.
    """

    status = 404
    reason = "Not Found"
    headers = None

    @property
    def body(self) -> str:
        """The answer that the original's server would have given."""
        return json.dumps({"code": "NOT_FOUND", "error": str(self)})


class ArtifactNotExist(LightlyPipelineError):  # noqa: N818  the original's name
    """The run has no such artifact."""


class TagDoesNotExistError(LightlyPipelineError, ValueError):
    """The dataset has no tag of that name."""


class MethodNotSupportedError(LightlyPipelineError, NotImplementedError):
    """The original's client has this method, this one does not; the message says why."""


class ClaimLostError(LightlyPipelineError):
    """The run was taken from its executor, which had not been heard of for too long."""


class StateUnavailableError(LightlyPipelineError):
    """The deployment's state cannot be reached, or is locked, for the moment; waiting helps."""
