"""What the refusals of Google Cloud Storage mean: which error of ours, and which pass.

Pure decisions over the exceptions of google-cloud-storage, google-auth, requests and urllib3.
"""

from typing import Any

from lightly_pipeline.datasources.gcs_reasons import (
    CERTIFICATE,
    DENIED,
    NO_BUCKET,
    NO_CREDENTIALS,
    NOT_RENEWED,
    PAYER,
    RETAINED,
)
from lightly_pipeline.datasources.reasons import (
    PASSING,
    UNREACHABLE,
    line,
    refused_for_now,
)
from lightly_pipeline.errors import (
    DatasourceError,
    ObjectNotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
)

_RETAINED = ("retentionPolicyNotMet", "objectUnderActiveHold")


def passing(error: Exception) -> str | None:
    """Returns in a few words what is the matter if the same call may work a little later."""
    if (status := status_of(error)) is not None:
        return f"HTTP {status}" if status in PASSING else None
    if _is_lost(error) and "CERTIFICATE_VERIFY" not in str(error):
        return type(error).__name__
    return None


def status_of(error: Exception) -> int | None:
    """Returns the HTTP status of a refusal; None of anything else."""
    from google.api_core.exceptions import GoogleAPICallError

    return int(error.code) if isinstance(error, GoogleAPICallError) and error.code else None


def translated(error: Exception, operation: str, where: str) -> DatasourceError | None:
    """Returns the error that a user of a datasource sees; None of one that is no store's.

    Args:
        error: What was raised.
        operation: What was tried, such as "read".
        where: The object or the bucket.
    """
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

    tried = f"cannot {operation} {where}"
    if (status := status_of(error)) is not None:
        return _refused(error, status, tried, operation, where)
    if isinstance(error, DefaultCredentialsError):
        return PermissionDeniedError(line(tried, NO_CREDENTIALS))
    if _is_lost(error):
        reason = CERTIFICATE if "CERTIFICATE_VERIFY" in str(error) else UNREACHABLE
        return DatasourceError(line(tried, reason, type(error).__name__))
    if isinstance(error, GoogleAuthError):
        # What it says may hold parts of a token's answer.
        return PermissionDeniedError(line(tried, NOT_RENEWED, type(error).__name__))
    return None


def _refused(error: Any, status: int, tried: str, operation: str, where: str) -> DatasourceError:
    reasons = [str(item.get("reason", "")) for item in error.errors if isinstance(item, dict)]
    if status == 404:
        if operation == "list":
            return DatasourceError(line(tried, NO_BUCKET))
        return ObjectNotFoundError(f"{where} does not exist")
    if status == 412:
        return PreconditionFailedError(f"{where} is another version by now")
    if status == 401:
        return PermissionDeniedError(line(tried, NOT_RENEWED, "401"))
    if status == 403:
        reason = RETAINED if any(name in reasons for name in _RETAINED) else DENIED
        return PermissionDeniedError(line(tried, reason, ", ".join(reasons)))
    if status == 400 and "UserProjectMissing" in str(error):
        return PermissionDeniedError(line(tried, PAYER))
    return refused_for_now(status, tried, str(status)) or DatasourceError(
        f"{tried}: {', '.join(reasons) or 'refused'} (HTTP {status})"
    )


def _is_lost(error: Exception) -> bool:
    """Returns whether there was no answer, or none that came whole."""
    from google.auth.exceptions import TransportError
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    return isinstance(error, TransportError | RequestException | HTTPError)
