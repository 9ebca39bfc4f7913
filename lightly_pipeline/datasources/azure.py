"""A prefix of a container in Azure Blob Storage as a datasource.

Its options, and how its client is made. How it is asked is in `azure_requests.py`, what its errors
mean in `azure_errors.py`, and all that is the same for every store in `bucket.py`.
"""

import os
from dataclasses import dataclass, field
from typing import Any

from lightly_pipeline.datasources import azure_errors
from lightly_pipeline.datasources.azure_requests import AzureRequests
from lightly_pipeline.datasources.bucket import BucketDatasource, Requests
from lightly_pipeline.datasources.secrets import refuse_secrets
from lightly_pipeline.errors import DatasourceError, InvalidConfigurationError
from lightly_pipeline.extras import package

_CONNECT_S, _READ_S, _CONNECTIONS = 5, 30, 32
_WHOLE_BYTES = 1 << 40


@dataclass(frozen=True)
class AzureDatasource(BucketDatasource):
    """Objects below `az://container/prefix/`; needs the extra `azure`.

    Needs to list and read the container, for LIGHTLY also to write it; nothing is ever deleted by a
    run. Of account key, SAS token and connection string the first that is given or in the
    environment is used; without one, whoever is logged in (azure-identity).

    Attributes:
        resource_path: `az://container/prefix/`.
        account_name: Name of the storage account; AZURE_STORAGE_ACCOUNT_NAME without it.
        account_key: Better left to a login; AZURE_STORAGE_ACCOUNT_KEY without it. Never shown.
        sas_token: As above; AZURE_STORAGE_SAS_TOKEN without it. Never shown.
        endpoint_url: Of the account, where it is not https://ACCOUNT.blob.core.windows.net.
    """

    resource_path: str
    account_name: str | None = None
    account_key: str | None = field(default=None, repr=False)
    sas_token: str | None = field(default=None, repr=False)
    endpoint_url: str | None = None

    def __post_init__(self) -> None:
        refuse_secrets(self.resource_path, "resource_path")
        refuse_secrets(self.endpoint_url or "", "endpoint_url")
        scheme, separator, rest = self.resource_path.partition("://")
        if scheme != "az" or not separator or not rest.split("/", maxsplit=1)[0]:
            raise InvalidConfigurationError(
                f"{self.resource_path!r} is not of the form az://container/prefix/"
            )

    @property
    def container(self) -> str:
        """Name of the container."""
        return self.resource_path.removeprefix("az://").split("/", maxsplit=1)[0]

    @property
    def prefix(self) -> str:
        """What all keys start with: empty, or ending in "/"."""
        _, _, prefix = self.resource_path.removeprefix("az://").partition("/")
        return f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""

    def location(self, path: str) -> str:
        """Returns an object's URL."""
        return f"az://{self.container}/{self.prefix}{path}"

    def _connect(self) -> Requests:
        blob = package("azure.storage.blob", "azure")
        requests = package("requests", "azure")
        transports = package("azure.core.pipeline.transport", "azure")
        session = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=_CONNECTIONS)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        options = {
            "transport": transports.RequestsTransport(
                session=session, connection_timeout=_CONNECT_S, read_timeout=_READ_S
            ),
            "retry_total": 0,
            # One request for whatever is asked for.
            "max_single_get_size": _WHOLE_BYTES,
        }
        account = self.account_name or os.environ.get("AZURE_STORAGE_ACCOUNT_NAME")
        text = os.environ.get("AZURE_STORAGE_CONNECTION_STRING")
        if text and not (self.account_name or self.endpoint_url):
            try:
                service = blob.BlobServiceClient.from_connection_string(text, **options)
            except ValueError:
                # What it says may quote the key.
                raise InvalidConfigurationError(
                    "AZURE_STORAGE_CONNECTION_STRING is no connection string: copy it from the "
                    "account's access keys"
                ) from None
            return AzureRequests(service, self.container)
        if account is None and self.endpoint_url is None:
            raise InvalidConfigurationError(
                f"{self.describe()}: of which storage account? Name it in account_name, "
                "AZURE_STORAGE_ACCOUNT_NAME or AZURE_STORAGE_CONNECTION_STRING"
            )
        url = self.endpoint_url or f"https://{account}.blob.core.windows.net"
        service = blob.BlobServiceClient(url, credential=self._credential(account), **options)
        return AzureRequests(service, self.container)

    def _credential(self, account: str | None) -> Any:
        key = self.account_key or os.environ.get("AZURE_STORAGE_ACCOUNT_KEY")
        token = self.sas_token or os.environ.get("AZURE_STORAGE_SAS_TOKEN")
        credentials = package("azure.core.credentials", "azure")
        if self.account_key or (key and not self.sas_token):
            return credentials.AzureNamedKeyCredential(account, key)
        if token:
            return credentials.AzureSasCredential(token.removeprefix("?"))
        return package("azure.identity", "azure").DefaultAzureCredential()

    def _passing(self, error: Exception) -> str | None:
        return azure_errors.passing(error)

    def _translated(self, error: Exception, operation: str, where: str) -> DatasourceError | None:
        if isinstance(error, DatasourceError | ImportError):
            return None
        return azure_errors.translated(error, operation, where)
