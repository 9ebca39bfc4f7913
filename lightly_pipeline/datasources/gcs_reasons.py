"""For what reasons Google Cloud Storage ends a video or a run.

The list of what only this store says: messages are made of it (`gcs_errors.py`), and a table in
docs/storage.md.
"""

from lightly_pipeline.datasources.reasons import Reason

NO_CREDENTIALS: Reason = (
    "no credentials found",
    "run gcloud auth application-default login, set GOOGLE_APPLICATION_CREDENTIALS, or run where a "
    "service account is attached",
)
NOT_RENEWED: Reason = (
    "the credentials have expired or were withdrawn",
    "log in again (gcloud auth application-default login) or make a new key of the service "
    "account, and check this machine's clock; then run again",
)
DENIED: Reason = (
    "the credentials do not allow it",
    "grant roles/storage.objectViewer on INPUT's bucket, and roles/storage.objectUser on "
    "LIGHTLY's, where replacing an object takes storage.objects.delete",
)
NO_BUCKET: Reason = (
    "there is no such bucket",
    "check the bucket's name, and the project it belongs to",
)
RETAINED: Reason = (
    "an object there must not be replaced yet (retention or hold)",
    "use a LIGHTLY bucket without a retention policy, or remove the hold",
)
PAYER: Reason = (
    "who reads this bucket pays for it, which is not supported for gs://",
    "copy the videos to a bucket of yours, or have requester pays switched off",
)
CERTIFICATE: Reason = (
    "the store's certificate is not trusted",
    "name the bundle of your certificate authority in REQUESTS_CA_BUNDLE",
)


def reasons() -> list[tuple[str, str, str]]:
    """Returns what this store can end a run for: what is seen, what it is, what to do."""
    seen = {
        "DefaultCredentialsError": NO_CREDENTIALS,
        "RefreshError, 401": NOT_RENEWED,
        "403": DENIED,
        "403 retentionPolicyNotMet, objectUnderActiveHold": RETAINED,
        "400 UserProjectMissing": PAYER,
        "404 of a listing": NO_BUCKET,
        "CERTIFICATE_VERIFY_FAILED": CERTIFICATE,
    }
    return [(codes, *reason) for codes, reason in seen.items()]
