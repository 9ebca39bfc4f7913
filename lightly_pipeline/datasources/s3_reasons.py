"""For what reasons an S3 store ends a video or a run, in the words of the one who owns it.

The list of its codes: messages are made of it (`s3_errors.py`), and the table in docs/storage.md.
"""

from lightly_pipeline.datasources.reasons import (
    DAMAGED,
    IGNORED_RANGE,
    THROTTLED,
    UNREACHABLE,
    WRONG_ANSWER,
    Reason,
    Refusal,
)
from lightly_pipeline.errors import (
    ArchivedObjectError,
    DatasourceError,
    PermissionDeniedError,
    StoreFullError,
)

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

DELETE_DENIED: Reason = (
    "the credentials do not allow to delete, or a lock or retention rule keeps it",
    "allow s3:DeleteObject on LIGHTLY for those who clean up; runs do without",
)
CERTIFICATE: Reason = (
    "the store's certificate is not trusted",
    "name the bundle of your certificate authority in verify, or in AWS_CA_BUNDLE",
)
NO_CREDENTIALS: Reason = (
    "no credentials found",
    "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role "
    "provides them",
)


def reasons() -> list[tuple[str, str, str]]:
    """Returns what a store can end a video or a run for: its codes, what it is, what to do."""
    lasting = [(", ".join(r.codes), r.says, r.do) for r in REFUSALS]
    others = {
        "AccessDenied, when deleting": DELETE_DENIED,
        "SlowDown, 429, 503 and the like": THROTTLED,
        "no answer, reset, time-out": UNREACHABLE,
        "CERTIFICATE_VERIFY_FAILED": CERTIFICATE,
        "a page of HTML, another range, no ETag": WRONG_ANSWER,
        "200 instead of 206": IGNORED_RANGE,
        "x-amz-checksum-*": DAMAGED,
        "no credentials": NO_CREDENTIALS,
    }
    return lasting + [(codes, *reason) for codes, reason in others.items()]
