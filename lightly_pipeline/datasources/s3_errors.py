"""What an S3 store's refusals mean: which error of ours, and which are worth another try.

Pure decisions over botocore's exceptions; messages name the object and what to do, never a
credential.
"""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import (
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

from lightly_pipeline.datasources.s3_answers import IgnoredRangeError, WrongAnswerError, is_page
from lightly_pipeline.errors import (
    ArchivedObjectError,
    DatasourceError,
    ObjectNotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
    StoreFullError,
)

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


@dataclass(frozen=True, slots=True)
class Refusal:
    """A lasting reason of a store, in the words of the one who owns it.

    Attributes:
        kind: The error of ours.
        codes: The store's words for it.
        says: What it is.
        do: What to do.
    """

    kind: type[DatasourceError]
    codes: tuple[str, ...]
    says: str
    do: str


REFUSALS = (
    Refusal(
        PermissionDeniedError,
        ("AccessDenied", "AllAccessDisabled"),
        "the credentials do not allow it",
        "allow s3:ListBucket and s3:GetObject on INPUT, and s3:PutObject too on LIGHTLY; where the "
        "reader pays, set request_payer",
    ),
    Refusal(
        PermissionDeniedError,
        ("InvalidAccessKeyId",),
        "the access key is not known there",
        "check AWS_ACCESS_KEY_ID or the profile, and that the endpoint is the key's own store",
    ),
    Refusal(
        PermissionDeniedError,
        ("SignatureDoesNotMatch",),
        "the secret key does not belong to the access key",
        "check AWS_SECRET_ACCESS_KEY; a proxy that changes requests has the same effect",
    ),
    Refusal(
        PermissionDeniedError,
        ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"),
        "the session token has expired",
        "log in again, or name a role_arn, whose credentials renew themselves; then run again",
    ),
    Refusal(
        PermissionDeniedError,
        ("InvalidToken",),
        "the session token is not valid there",
        "check AWS_SESSION_TOKEN, or remove it where the key is not a temporary one",
    ),
    Refusal(
        PermissionDeniedError,
        ("RequestTimeTooSkewed", "RequestExpired"),
        "this machine's clock is wrong",
        "set the clock (NTP) and run again",
    ),
    Refusal(
        PermissionDeniedError,
        ("AccountProblem", "NotSignedUp", "InvalidPayer"),
        "the account is not in order",
        "ask who pays for the account",
    ),
    Refusal(
        ArchivedObjectError,
        ("InvalidObjectState",),
        "it is archived and cannot be read at once",
        "restore it (aws s3api restore-object) or move it to another storage class, and run again",
    ),
    Refusal(
        DatasourceError,
        ("NoSuchBucket",),
        "there is no such bucket",
        "check the bucket's name, and the endpoint and region it is looked for at",
    ),
    Refusal(
        DatasourceError,
        ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
        "the bucket is in another region",
        "set the datasource's region to the bucket's",
    ),
    Refusal(
        DatasourceError,
        ("KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException"),
        "the KMS key it is encrypted with cannot be used",
        "enable the key, and allow kms:Decrypt, for LIGHTLY kms:GenerateDataKey too",
    ),
    Refusal(
        StoreFullError,
        (
            "QuotaExceeded",
            "XMinioStorageFull",
            "InsufficientStorage",
            "XMinioAdminBucketQuotaExceeded",
        ),
        "the store is full",
        "make room or raise the quota, and run again: what is stored is not made again",
    ),
    Refusal(
        DatasourceError,
        ("EntityTooLarge",),
        "the object is too large for one request",
        "use frame_sampling, or split the video: one put takes 5 GB",
    ),
    Refusal(
        DatasourceError,
        ("InvalidObjectName", "KeyTooLongError", "XMinioInvalidObjectName"),
        "the store does not take this name",
        "rename the video, or use another LIGHTLY datasource",
    ),
)
"""What no waiting mends, by the store's code."""

THROTTLED = (
    "throttled for longer than was waited",
    "run again later, with fewer threads (num_threads) or more pipeline_config.store_patience_s",
)
UNREACHABLE = (
    "the store does not answer",
    "check the endpoint, the network and, between both, the proxy; then run again",
)
CERTIFICATE = (
    "the store's certificate is not trusted",
    "name the bundle of your certificate authority in verify, or in AWS_CA_BUNDLE",
)
WRONG_ANSWER = (
    "something else answers in the store's place",
    "look at the proxy or load balancer between here and the store; then run again",
)
IGNORED_RANGE = (
    "the store sends whole objects where a part is asked for",
    "use a store, and a proxy before it, that knows the Range of a request",
)
DAMAGED = (
    "what comes is not what the store's checksum says",
    "look at the network, the proxy and the store's disks; then run again",
)
NO_CREDENTIALS = (
    "no credentials found",
    "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role "
    "provides them",
)
_BY_CODE = {code: refusal for refusal in REFUSALS for code in refusal.codes}


def passing(error: Exception) -> str | None:
    """Returns in a few words what is the matter if the same call may work a little later."""
    if isinstance(error, ClientError):
        return _passing_refusal(error)
    if isinstance(error, WrongAnswerError | ResponseParserError):
        return f"it answered wrongly: {error}"
    if isinstance(error, SSLError) and "CERTIFICATE_VERIFY" in str(error):
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
        return PermissionDeniedError(_line(tried, NO_CREDENTIALS))
    if isinstance(error, ProfileNotFound):
        return PermissionDeniedError(f"{tried}: {error}; check AWS_PROFILE and ~/.aws/config")
    if isinstance(error, ClientError):
        return _refused(error, tried, location)
    if isinstance(error, SSLError):
        return DatasourceError(_line(tried, CERTIFICATE, str(error)))
    if isinstance(error, IgnoredRangeError):
        return DatasourceError(_line(tried, IGNORED_RANGE, str(error)))
    if isinstance(error, FlexibleChecksumError):
        return DatasourceError(_line(tried, DAMAGED))
    if isinstance(error, WrongAnswerError | ResponseParserError):
        return DatasourceError(_line(tried, WRONG_ANSWER, str(error)))
    if passing(error):
        return DatasourceError(_line(tried, UNREACHABLE, f"{type(error).__name__}: {error}"))
    return DatasourceError(f"{tried}: {type(error).__name__}: {error}")


def _refused(error: ClientError, tried: str, location: str) -> DatasourceError:
    code, status = code_of(error), status_of(error)
    refusal = _BY_CODE.get(code)
    if refusal is not None:
        return refusal.kind(_line(tried, (refusal.says, refusal.do), code))
    if status == 507:
        return StoreFullError(_line(tried, (_FULL.says, _FULL.do), code))
    if is_page(error.response) and error.operation_name != "HeadObject":
        return DatasourceError(_line(tried, WRONG_ANSWER, f"an HTML page, HTTP {status}"))
    if status == 404:
        return ObjectNotFoundError(f"{location} does not exist")
    if status == 412:
        return PreconditionFailedError(f"{location} is another version by now")
    if status in (401, 403):
        return PermissionDeniedError(_line(tried, (_DENIED.says, _DENIED.do), code))
    if code in _THROTTLED or status in (429, 503):
        return DatasourceError(_line(tried, THROTTLED, code))
    return DatasourceError(f"{tried}: {code} (HTTP {status})")


def _line(tried: str, reason: tuple[str, str], code: str = "") -> str:
    says, do = reason
    return f"{tried}: {says}{f' ({code})' if code else ''}: {do}"


_DENIED, _FULL = _BY_CODE["AccessDenied"], _BY_CODE["QuotaExceeded"]


def reasons() -> list[tuple[str, str, str]]:
    """Returns what a store can end a video or a run for: its codes, what it is, what to do."""
    lasting = [(", ".join(r.codes), r.says, r.do) for r in REFUSALS]
    others = {
        "SlowDown, 429, 503 and the like": THROTTLED,
        "no answer, reset, time-out": UNREACHABLE,
        "CERTIFICATE_VERIFY_FAILED": CERTIFICATE,
        "a page of HTML, another range, no ETag": WRONG_ANSWER,
        "200 instead of 206": IGNORED_RANGE,
        "x-amz-checksum-*": DAMAGED,
        "no credentials": NO_CREDENTIALS,
    }
    return lasting + [(codes, *reason) for codes, reason in others.items()]
