"""For what reasons Azure Blob Storage ends a video or a run, in the words of the one who owns it.

The list of its codes: messages are made of it (`azure_errors.py`), and a table in docs/storage.md.
"""

from lightly_pipeline.datasources.reasons import Reason, Refusal
from lightly_pipeline.errors import (
    ArchivedObjectError,
    DatasourceError,
    PermissionDeniedError,
)

REFUSALS = (
    Refusal(
        PermissionDeniedError,
        (
            "AuthorizationFailure",
            "AuthorizationPermissionMismatch",
            "InsufficientAccountPermissions",
        ),
        "the credentials do not allow it, or the account's network rules do not",
        "assign Storage Blob Data Reader on INPUT's container and Storage Blob Data Contributor on "
        "LIGHTLY's (a SAS: rl and rlcw), and let this machine through the account's firewall",
    ),
    Refusal(
        PermissionDeniedError,
        ("AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"),
        "the credentials are not accepted: expired, of another account, or the clock is wrong",
        "renew the SAS token, check the account's name and key, set this machine's clock (NTP); "
        "then run again",
    ),
    Refusal(
        PermissionDeniedError,
        ("KeyBasedAuthenticationNotPermitted",),
        "the account takes no keys",
        "remove the key and log in (az login), or run with a managed identity",
    ),
    Refusal(
        PermissionDeniedError,
        ("AccountIsDisabled",),
        "the account is not in order",
        "ask who pays for the account",
    ),
    Refusal(
        ArchivedObjectError,
        ("BlobArchived", "BlobBeingRehydrated"),
        "it is archived and cannot be read at once",
        "move it to the hot or cool tier (az storage blob set-tier), and run again",
    ),
    Refusal(
        DatasourceError,
        ("ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled"),
        "there is no such container",
        "check the container's name, and the account it is looked for in",
    ),
    Refusal(
        DatasourceError,
        ("BlobImmutableDueToPolicy", "LeaseIdMissing", "LeaseIdMismatchWithBlobOperation"),
        "an object there must not be replaced now (immutability policy or lease)",
        "use a LIGHTLY container without a policy, or end the lease",
    ),
    Refusal(
        DatasourceError,
        ("InvalidResourceName", "InvalidUri", "OutOfRangeInput"),
        "the store does not take this name",
        "rename the video, or use another LIGHTLY datasource",
    ),
)
"""What no waiting mends, by the store's code."""

NO_CREDENTIALS: Reason = (
    "no credentials found",
    "log in (az login), run with a managed identity, or set AZURE_STORAGE_CONNECTION_STRING, "
    "AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN",
)
CERTIFICATE: Reason = (
    "the store's certificate is not trusted",
    "name the bundle of your certificate authority in REQUESTS_CA_BUNDLE",
)


def reasons() -> list[tuple[str, str, str]]:
    """Returns what this store can end a video or a run for: its codes, what it is, what to do."""
    lasting = [(", ".join(r.codes), r.says, r.do) for r in REFUSALS]
    others = {"no credentials": NO_CREDENTIALS, "CERTIFICATE_VERIFY_FAILED": CERTIFICATE}
    return lasting + [(codes, *reason) for codes, reason in others.items()]
