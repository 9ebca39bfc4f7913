"""What an S3 store's refusals mean: which error of ours, and which are worth another try.

Pure decisions over botocore's exceptions; messages name the object and what to do, never a
credential.
"""

from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)
from botocore.exceptions import (
    ConnectionError as StoreConnectionError,
)
from botocore.parsers import ResponseParserError

from lightly_pipeline.datasources.reasons import (
    DAMAGED,
    THROTTLED,
    UNREACHABLE,
    WRONG_ANSWER,
    line,
)
from lightly_pipeline.datasources.s3_answers import is_page
from lightly_pipeline.datasources.s3_reasons import (
    CERTIFICATE,
    DELETE_DENIED,
    NO_CREDENTIALS,
    REFUSALS,
)
from lightly_pipeline.errors import (
    DatasourceError,
    ObjectNotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
    StoreFullError,
)

REFUSED = (ClientError, BotoCoreError, ResponseParserError)
"""What is raised when a store refuses, or cannot be understood."""
NOT_IMPLEMENTED = 501
"""HTTP status of a store that does not know what it is asked for."""
_THROTTLED = {
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequests",
    "ServiceUnavailable",
}
_TRANSIENT = {"RequestTimeout", "InternalError", "ConditionalRequestConflict", "OperationAborted"}
# A body that was damaged on its way is refused by the store and worth sending again.
_DAMAGED = {"BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"}


_BY_CODE = {code: refusal for refusal in REFUSALS for code in refusal.codes}


def passing(error: Exception) -> str | None:
    """Returns in a few words what is the matter if the same call may work a little later."""
    if isinstance(error, ClientError):
        return _passing_refusal(error)
    if isinstance(error, ResponseParserError):
        return f"it answered wrongly: {error}"
    if _is_untrusted(error):
        return None
    lost = (
        StoreConnectionError,
        HTTPClientError,
        ReadTimeoutError,
        ResponseStreamingError,
        IncompleteReadError,
        FlexibleChecksumError,
    )
    return type(error).__name__ if isinstance(error, lost) else None


def _passing_refusal(error: ClientError) -> str | None:
    code, status = code_of(error), status_of(error)
    if code in _THROTTLED or status == 429:
        return f"throttled ({code})"
    if code in _BY_CODE:
        return None
    if code in _TRANSIENT | _DAMAGED or (status >= 500 and status != NOT_IMPLEMENTED):
        return f"{code} (HTTP {status})"
    # A HEAD has no body to tell a store's own refusal by.
    if is_page(error.response) and error.operation_name != "HeadObject":
        return f"it answered wrongly: an HTML page (HTTP {status})"
    return None


def code_of(error: ClientError) -> str:
    """Returns the store's error code; a HEAD has none but its status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: ClientError) -> int:
    """Returns the HTTP status."""
    metadata: Any = error.response.get("ResponseMetadata", {})
    return int(metadata.get("HTTPStatusCode", 0))


def translated(error: Exception, operation: str, location: str) -> DatasourceError:
    """Returns the error that a user of a datasource sees.

    Args:
        error: What botocore raised.
        operation: What was tried, such as "read".
        location: The object or the bucket.
    """
    tried = f"cannot {operation} {location}"
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return PermissionDeniedError(line(tried, NO_CREDENTIALS))
    if isinstance(error, ProfileNotFound):
        return PermissionDeniedError(f"{tried}: {error}; check AWS_PROFILE and ~/.aws/config")
    if isinstance(error, ClientError):
        if operation == "delete" and code_of(error) in _DENIED.codes:
            return PermissionDeniedError(line(tried, DELETE_DENIED, code_of(error)))
        return _refused(error, tried, location)
    if _is_untrusted(error):
        return DatasourceError(line(tried, CERTIFICATE, str(error)))
    if isinstance(error, FlexibleChecksumError):
        return DatasourceError(line(tried, DAMAGED))
    if isinstance(error, ResponseParserError):
        return DatasourceError(line(tried, WRONG_ANSWER, str(error)))
    if passing(error):
        return DatasourceError(line(tried, UNREACHABLE, f"{type(error).__name__}: {error}"))
    return DatasourceError(f"{tried}: {type(error).__name__}: {error}")


def _is_untrusted(error: Exception) -> bool:
    """Returns whether it is about a certificate; a connection that broke is an SSLError, too."""
    return isinstance(error, SSLError) and "CERTIFICATE_VERIFY" in str(error)


def _refused(error: ClientError, tried: str, location: str) -> DatasourceError:
    code, status = code_of(error), status_of(error)
    refusal = _BY_CODE.get(code)
    if refusal is not None:
        return refusal.kind(line(tried, (refusal.says, refusal.do), code))
    if status == 507:
        return StoreFullError(line(tried, (_FULL.says, _FULL.do), code))
    if is_page(error.response) and error.operation_name != "HeadObject":
        return DatasourceError(line(tried, WRONG_ANSWER, f"an HTML page, HTTP {status}"))
    if status == 404:
        return ObjectNotFoundError(f"{location} does not exist")
    if status == 412:
        return PreconditionFailedError(f"{location} is another version by now")
    if status in (401, 403):
        return PermissionDeniedError(line(tried, (_DENIED.says, _DENIED.do), code))
    if code in _THROTTLED or status in (429, 503):
        return DatasourceError(line(tried, THROTTLED, code))
    return DatasourceError(f"{tried}: {code} (HTTP {status})")


_DENIED, _FULL = _BY_CODE["AccessDenied"], _BY_CODE["QuotaExceeded"]
