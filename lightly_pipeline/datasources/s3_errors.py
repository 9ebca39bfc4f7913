"""What an S3 store's refusals mean: which error of ours, and which are worth another try.

Pure decisions over botocore's exceptions; messages name the object and what to do, never a
credential.
"""

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.exceptions import (
    ConnectionError as StoreConnectionError,
)

from lightly_pipeline.errors import (
    DatasourceError,
    ObjectNotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
)

_Answer = TypeVar("_Answer")
NOT_IMPLEMENTED = 501
"""HTTP status of a store that does not know what it is asked for."""
# Rounds on top of botocore's own retries, which give up early when many calls fail at once.
_ROUNDS, _BASE_S, _CAP_S = 5, 0.5, 20.0
_THROTTLED = {"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded"}
_TRANSIENT = {"RequestTimeout", "InternalError", "ServiceUnavailable", "ConditionalRequestConflict"}
# A body that was damaged on its way is refused by the store and worth sending again.
_DAMAGED = {"BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"}
_HINTS = {
    "AccessDenied": "the credentials do not allow it",
    "InvalidAccessKeyId": "the access key is not known there",
    "SignatureDoesNotMatch": "the secret key does not belong to the access key",
    "ExpiredToken": "the session token has expired",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
    "AccountProblem": "the account is not in order",
}


def with_retries(call: Callable[[], _Answer]) -> _Answer:
    """Calls until it works, an error is final, or the rounds are used up (full jitter)."""
    for round_number in range(_ROUNDS):
        try:
            return call()
        except (ClientError, BotoCoreError) as error:
            if not is_transient(error) or round_number == _ROUNDS - 1:
                raise
            time.sleep(random.uniform(0, min(_CAP_S, _BASE_S * 2**round_number)))  # noqa: S311
    raise AssertionError("unreachable")


def is_transient(error: Exception) -> bool:
    """Returns whether the same call may work a little later."""
    if isinstance(error, ClientError):
        code, status = code_of(error), status_of(error)
        if code in _THROTTLED | _TRANSIENT | _DAMAGED or status == 429:
            return True
        return status >= 500 and status != NOT_IMPLEMENTED
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return False
    return isinstance(
        error, StoreConnectionError | HTTPClientError | ReadTimeoutError | ResponseStreamingError
    )


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
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return PermissionDeniedError(
            f"cannot {operation} {location}: no credentials found; set AWS_PROFILE, or "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role provides them"
        )
    if not isinstance(error, ClientError):
        return DatasourceError(f"cannot {operation} {location}: {type(error).__name__}: {error}")
    code, status = code_of(error), status_of(error)
    if code == "NoSuchBucket":
        return DatasourceError(f"cannot {operation} {location}: there is no such bucket")
    if code in ("NoSuchKey", "404", "NotFound") or status == 404:
        return ObjectNotFoundError(f"{location} does not exist")
    if code in ("PreconditionFailed", "412") or status == 412:
        return PreconditionFailedError(f"{location} is another version by now")
    if status in (401, 403) or code in _HINTS:
        hint = _HINTS.get(code, "the credentials do not allow it")
        return PermissionDeniedError(f"cannot {operation} {location}: {hint} ({code})")
    if code in _THROTTLED or status in (429, 503):
        return DatasourceError(
            f"cannot {operation} {location}: throttled ({code}) for longer than retries last; "
            "run again later, or with fewer threads"
        )
    return DatasourceError(f"cannot {operation} {location}: {code} (HTTP {status})")
