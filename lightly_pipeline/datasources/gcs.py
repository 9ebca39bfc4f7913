"""A prefix of a bucket in Google Cloud Storage as a datasource.

Its options, and how its client is made. How it is asked is in `gcs_requests.py`, what its errors
mean in `gcs_errors.py`, and all that is the same for every store in `bucket.py`.
"""

import json
import os
from dataclasses import dataclass, field
from typing import Any

from lightly_pipeline.datasources import gcs_errors
from lightly_pipeline.datasources.bucket import BucketDatasource, Requests
from lightly_pipeline.datasources.gcs_requests import GCSRequests
from lightly_pipeline.datasources.secrets import refuse_secrets
from lightly_pipeline.errors import DatasourceError, InvalidConfigurationError
from lightly_pipeline.extras import package

_SERVICE = "https://storage.googleapis.com"
_SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)
_EMULATOR_VARIABLE = "STORAGE_EMULATOR_HOST"
_CONNECTIONS = 32


@dataclass(frozen=True)
class GCSDatasource(BucketDatasource):
    """Objects below `gs://bucket/prefix/`; needs the extra `gcs`.

    Needs permission to list and get objects, for LIGHTLY also to create them and, because replacing
    takes it there, to delete them; nothing is ever deleted by a run.

    Attributes:
        resource_path: `gs://bucket/prefix/`.
        project_id: Project of the client; the credentials' own without it.
        credentials: Content of a service account's key file (JSON). Better left out: application
            default credentials are used then. Never shown.
        endpoint_url: Of a private endpoint or an emulator; STORAGE_EMULATOR_HOST serves as well. No
            credentials are sent to one without https.
        kms_key_id: KMS key that written objects are encrypted with.
    """

    resource_path: str
    project_id: str | None = None
    credentials: str | None = field(default=None, repr=False)
    endpoint_url: str | None = None
    kms_key_id: str | None = None

    def __post_init__(self) -> None:
        refuse_secrets(self.resource_path, "resource_path")
        refuse_secrets(self.endpoint_url or "", "endpoint_url")
        scheme, separator, rest = self.resource_path.partition("://")
        if scheme != "gs" or not separator or not rest.split("/", maxsplit=1)[0]:
            raise InvalidConfigurationError(
                f"{self.resource_path!r} is not of the form gs://bucket/prefix/"
            )
        if self.credentials is not None:
            _account_info(self.credentials)

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return self.resource_path.removeprefix("gs://").split("/", maxsplit=1)[0]

    @property
    def prefix(self) -> str:
        """What all keys start with: empty, or ending in "/"."""
        _, _, prefix = self.resource_path.removeprefix("gs://").partition("/")
        return f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""

    def location(self, path: str) -> str:
        """Returns an object's URL."""
        return f"gs://{self.bucket}/{self.prefix}{path}"

    def _connect(self) -> Requests:
        storage = package("google.cloud.storage", "gcs")
        transport = package("google.auth.transport.requests", "gcs")
        adapters = package("requests.adapters", "gcs")
        endpoint = self.endpoint_url or os.environ.get(_EMULATOR_VARIABLE) or _SERVICE
        credentials, project = self._credentials(endpoint)
        client = storage.Client(
            # Only listing and making buckets, which is not done, would need one.
            project=self.project_id or project or "none",
            credentials=credentials,
            client_options={"api_endpoint": endpoint},
        )
        session = transport.AuthorizedSession(credentials)
        session.mount(endpoint, adapters.HTTPAdapter(pool_maxsize=_CONNECTIONS))
        return GCSRequests(client, session, endpoint, self.bucket, self.kms_key_id)

    def _credentials(self, endpoint: str) -> tuple[Any, str | None]:
        """Returns credentials, and the project that they name."""
        if not endpoint.startswith("https://"):
            return package("google.auth.credentials", "gcs").AnonymousCredentials(), None
        if self.credentials is not None:
            accounts = package("google.oauth2.service_account", "gcs")
            info = _account_info(self.credentials)
            try:
                account = accounts.Credentials.from_service_account_info(info, scopes=_SCOPES)
            except ValueError:
                # What it says quotes the key.
                raise InvalidConfigurationError(_NO_KEY_FILE) from None
            return account, account.project_id
        found: tuple[Any, str | None] = package("google.auth", "gcs").default(scopes=_SCOPES)
        return found

    def _passing(self, error: Exception) -> str | None:
        return gcs_errors.passing(error)

    def _translated(self, error: Exception, operation: str, where: str) -> DatasourceError | None:
        if isinstance(error, DatasourceError | ImportError):
            return None
        return gcs_errors.translated(error, operation, where)


_NO_KEY_FILE = (
    "credentials: expected the content of a service account's key file (JSON with type "
    "service_account), as it is downloaded"
)


def _account_info(credentials: str) -> dict[str, Any]:
    """Returns what a key file holds, without repeating any of it in an error."""
    try:
        info = json.loads(credentials)
    except ValueError:
        info = None
    if not isinstance(info, dict) or info.get("type") != "service_account":
        raise InvalidConfigurationError(_NO_KEY_FILE)
    return info
