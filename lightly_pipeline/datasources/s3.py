"""A prefix of an S3 bucket as a datasource; AWS or any store that speaks its protocol.

Its options only. Its client is made in `s3_client.py`, how it is asked is in `s3_requests.py`, what
its errors mean in `s3_errors.py`, and all that is the same for every store in `bucket.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, Literal

from lightly_pipeline.datasources.bucket import BucketDatasource, Requests
from lightly_pipeline.datasources.s3_client import make_client
from lightly_pipeline.datasources.s3_errors import REFUSED, passing, translated
from lightly_pipeline.datasources.s3_requests import S3Requests
from lightly_pipeline.datasources.secrets import refuse_secrets
from lightly_pipeline.errors import DatasourceError, InvalidConfigurationError


@dataclass(frozen=True)
class S3Datasource(BucketDatasource):
    """Objects below `s3://bucket/prefix/`.

    Needs permission to list the bucket and get objects, for LIGHTLY also to put them; to delete
    only for those who clean up, as no run does. Objects are written by single puts, never in parts.

    Attributes:
        resource_path: `s3://bucket/prefix/`.
        region: AWS region; boto3's own default without it.
        endpoint_url: Of a store that is not AWS; AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL and a
            profile's endpoint_url serve as well.
        profile: Profile in the AWS configuration files.
        role_arn: Role to assume.
        external_id: Its external id.
        access_key_id: Better left to the environment, a profile or a role.
        secret_access_key: As above; never shown.
        session_token: As above; never shown.
        addressing_style: How the bucket is put into requests.
        verify: False is not offered; a path names a bundle of certificate authorities.
        kms_key_id: KMS key that written objects are encrypted with.
        request_payer: "requester" where who reads the bucket pays for it.
        client_factory: Makes the boto3 client, once, in place of what the fields above say of one.
    """

    doubts_conditions: ClassVar[bool] = True

    resource_path: str
    region: str | None = None
    endpoint_url: str | None = None
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = field(default=None, repr=False)
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    addressing_style: Literal["auto", "path", "virtual"] = "auto"
    verify: str | None = None
    kms_key_id: str | None = None
    request_payer: Literal["requester"] | None = None
    client_factory: Callable[[], Any] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        refuse_secrets(self.resource_path, "resource_path")
        refuse_secrets(self.endpoint_url or "", "endpoint_url")
        scheme, separator, rest = self.resource_path.partition("://")
        if scheme != "s3" or not separator or not rest.split("/", maxsplit=1)[0]:
            raise InvalidConfigurationError(
                f"{self.resource_path!r} is not of the form s3://bucket/prefix/"
            )
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise InvalidConfigurationError(
                f"{self.resource_path}: access_key_id and secret_access_key belong together"
            )

    def with_client(self, client_factory: Callable[[], Any]) -> "S3Datasource":
        """Returns the same place, reached by the boto3 client that `client_factory` returns."""
        return replace(self, client_factory=client_factory)

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return self.resource_path.removeprefix("s3://").split("/", maxsplit=1)[0]

    @property
    def prefix(self) -> str:
        """What all keys start with: empty, or ending in "/"."""
        _, _, prefix = self.resource_path.removeprefix("s3://").partition("/")
        return f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""

    def location(self, path: str) -> str:
        """Returns an object's URL."""
        return f"s3://{self.bucket}/{self.prefix}{path}"

    def _connect(self) -> Requests:
        kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key_id or ""}
        return S3Requests(
            (self.client_factory or partial(make_client, self))(),
            self.bucket,
            payer={"RequestPayer": self.request_payer} if self.request_payer else {},
            encryption=kms if self.kms_key_id else {},
        )

    def _passing(self, error: Exception) -> str | None:
        return passing(error)

    def _translated(self, error: Exception, operation: str, where: str) -> DatasourceError | None:
        return translated(error, operation, where) if isinstance(error, REFUSED) else None
