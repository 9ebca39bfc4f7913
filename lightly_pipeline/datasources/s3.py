"""A prefix of an S3 bucket as a datasource; AWS or any store that speaks its protocol.

One cached boto3 client; credentials come from the environment, a profile, a role or boto3's own
chain. Reading in ranges is in `s3_reader.py`, what errors mean in `s3_errors.py`.
"""

import os
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, BinaryIO, Literal, TypeVar, cast

from botocore.exceptions import BotoCoreError, ClientError

from lightly_pipeline.datasources.protocol import ByteRange, StoredObject
from lightly_pipeline.datasources.s3_errors import (
    NOT_IMPLEMENTED,
    status_of,
    translated,
    with_retries,
)
from lightly_pipeline.datasources.s3_reader import RangeReader
from lightly_pipeline.errors import (
    InvalidConfigurationError,
    ObjectChangedError,
    ObjectNotFoundError,
    PreconditionFailedError,
)

_Answer = TypeVar("_Answer")
_CONNECT_S, _READ_S, _ATTEMPTS, _POOL = 5, 30, 6, 32
# Larger tables spill from memory to a temporary file before they are sent.
_SPOOL_BYTES = 16 * 1024 * 1024
_WRITE_ID_KEY = "write-id"


@dataclass(frozen=True)
class S3Datasource:
    """Objects below `s3://bucket/prefix/`.

    Needs permission to list the bucket and get objects, for LIGHTLY also to put them; nothing is
    ever deleted by a run. Objects are written by single puts, never in parts.

    Attributes:
        resource_path: `s3://bucket/prefix/`.
        region: AWS region; boto3's own default without it.
        endpoint_url: Of a store that is not AWS; AWS_ENDPOINT_URL_S3 serves as well.
        profile: Profile in the AWS configuration files.
        role_arn: Role to assume.
        external_id: Its external id.
        access_key_id: Better left to the environment, a profile or a role.
        secret_access_key: As above; never shown.
        session_token: As above; never shown.
        addressing_style: How the bucket is put into requests.
        verify: False is not offered; a path names a bundle of certificate authorities.
        kms_key_id: KMS key that written objects are encrypted with.
    """

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
    _lock: threading.Lock = field(
        default_factory=threading.Lock, init=False, repr=False, compare=False
    )
    _cache: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        scheme, separator, rest = self.resource_path.partition("://")
        if scheme != "s3" or not separator or not rest.split("/", maxsplit=1)[0]:
            raise InvalidConfigurationError(
                f"{self.resource_path!r} is not of the form s3://bucket/prefix/"
            )
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise InvalidConfigurationError(
                f"{self.resource_path}: access_key_id and secret_access_key belong together"
            )

    def __getstate__(self) -> dict[str, Any]:
        raise TypeError("S3Datasource is not pickled: it may hold credentials; make it anew")

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return self.resource_path.removeprefix("s3://").split("/", maxsplit=1)[0]

    @property
    def prefix(self) -> str:
        """What all keys start with: empty, or ending in "/"."""
        _, _, prefix = self.resource_path.removeprefix("s3://").partition("/")
        return f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""

    def describe(self) -> str:
        """Returns bucket and prefix."""
        return f"s3://{self.bucket}/{self.prefix}"

    def location(self, path: str) -> str:
        """Returns an object's URL."""
        return f"s3://{self.bucket}/{self.prefix}{path}"

    def read_url(self, path: str, *, valid_s: int) -> str:
        """Returns a URL signed with the datasource's credentials; it ends with them at latest."""

        def sign(client: Any) -> str:
            url: str = client.generate_presigned_url(
                "get_object", Params=self._key(path), ExpiresIn=valid_s
            )
            return url

        return self._call("sign a URL for", path, sign)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yields objects page by page, in UTF-8 byte order, as S3 lists them."""
        token: dict[str, str] = {}
        while True:
            page = self._page(self.prefix + prefix, token)
            for item in page.get("Contents", ()):
                path = item["Key"][len(self.prefix) :]
                if path and not path.endswith("/"):
                    yield StoredObject(path, item["Size"], item["ETag"])
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def stat(self, path: str) -> StoredObject | None:
        """Returns the object's record by a HEAD request, or None when there is none."""
        head = self._head(path)
        return StoredObject(path, head["ContentLength"], head["ETag"]) if head else None

    def open(
        self, path: str, *, etag: str | None = None, ranges: Sequence[ByteRange] = ()
    ) -> BinaryIO:
        """Returns a reader that gets ranges of this version as they are asked for."""
        match = {"IfMatch": etag} if etag else {}
        client = self._client()

        def get(byte_range: str) -> Any:
            try:
                return client.get_object(**self._key(path), Range=byte_range, **match)
            except ClientError as error:
                if status_of(error) == 412:
                    raise ObjectChangedError(
                        f"{self.location(path)} was changed since it was listed; "
                        "run again to take the new version"
                    ) from None
                raise

        def opened(_: Any) -> RangeReader:
            return _TranslatingReader(get, self.location(path), ranges)

        return cast(BinaryIO, self._call("read", path, opened))

    def read(self, path: str) -> bytes:
        """Returns an object's content."""

        def get(client: Any) -> bytes:
            content: bytes = client.get_object(**self._key(path))["Body"].read()
            return content

        return self._call("read", path, get)

    def write(
        self, path: str, data: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> StoredObject:
        """Puts an object in one request.

        A condition is checked here first and then left to the store, which alone can check and
        write in one step: AWS does, some others ignore it or refuse it altogether. There, two
        writers that arrive together may both succeed.
        """
        if not if_absent and if_match is None:
            return StoredObject(path, len(data), self._put(path, data))
        self._require(path, self._head(path), if_match)
        condition = {"IfNoneMatch": "*"} if if_match is None else {"IfMatch": if_match}
        # A lost answer and its repetition look like somebody else's write; this tells them apart.
        write_id = uuid.uuid4().hex
        try:
            etag = self._put(path, data, condition, {_WRITE_ID_KEY: write_id})
        except PreconditionFailedError:
            current = self._head(path)
            if current is not None and _metadata(current).get(_WRITE_ID_KEY) == write_id:
                return StoredObject(path, len(data), current["ETag"])
            if if_match is None:
                raise
            self._require(path, current, if_match)
            # Some stores refuse every If-Match, true or not (Ceph).
            etag = self._put(path, data)
        return StoredObject(path, len(data), etag)

    @contextmanager
    def writer(self, path: str) -> Iterator[BinaryIO]:
        """Yields a temporary file that is put when the context ends well."""
        with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as file:
            yield cast(BinaryIO, file)
            self._put(path, file)

    def delete(self, path: str) -> None:
        """Removes an object; S3 does not mind when there is none."""
        self._call("delete", path, lambda client: client.delete_object(**self._key(path)))

    def is_case_insensitive(self) -> bool:
        """Never."""
        return False

    def _page(self, prefix: str, token: dict[str, str]) -> Any:
        def get(client: Any) -> Any:
            return client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, **token)

        return self._call("list", "", get)

    def _put(
        self,
        path: str,
        body: Any,
        condition: Mapping[str, str] = MappingProxyType({}),
        metadata: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        options: dict[str, Any] = {**self._key(path), "Metadata": dict(metadata)}
        if self.kms_key_id:
            options |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key_id}

        def put(client: Any, condition: Mapping[str, str] = condition) -> str:
            if not isinstance(body, bytes):
                body.seek(0)
            try:
                return str(client.put_object(**options, Body=body, **condition)["ETag"])
            except ClientError as error:
                if not condition or status_of(error) != NOT_IMPLEMENTED:
                    raise
            return put(client, {})

        return self._call("write", path, put)

    def _head(self, path: str) -> Any:
        """Returns the answer to a HEAD request, or None when there is no such object."""
        try:
            return self._call("read", path, lambda client: client.head_object(**self._key(path)))
        except ObjectNotFoundError:
            return None

    def _require(self, path: str, head: Any, if_match: str | None) -> None:
        """Checks that there is no object, or the version that is meant."""
        if if_match is None and head is not None:
            raise PreconditionFailedError(f"{self.location(path)} exists already")
        if if_match is not None and (head is None or head["ETag"] != if_match):
            raise PreconditionFailedError(f"{self.location(path)} is another version by now")

    def _key(self, path: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.prefix + path}

    def _call(self, operation: str, path: str, call: Callable[[Any], _Answer]) -> _Answer:
        """Calls the store, with retries, and translates what it refuses."""
        try:
            client = self._client()
            return with_retries(lambda: call(client))
        except (ClientError, BotoCoreError) as error:
            where = self.location(path) if path else self.describe()
            raise translated(error, operation, where) from None

    def _client(self) -> Any:
        with self._lock:
            if "client" not in self._cache:
                self._cache["client"] = self._make_client()
            return self._cache["client"]

    def _make_client(self) -> Any:
        import boto3
        from botocore.config import Config

        foreign = self.endpoint_url or os.environ.get("AWS_ENDPOINT_URL_S3")
        style = self.addressing_style
        options: dict[str, Any] = {
            "connect_timeout": _CONNECT_S,
            "read_timeout": _READ_S,
            "retries": {"mode": "standard", "total_max_attempts": _ATTEMPTS},
            "max_pool_connections": _POOL,
            # Also for signed URLs, where the default would be the signature AWS has retired.
            "signature_version": "s3v4",
            "s3": {"addressing_style": "path" if foreign and style == "auto" else style},
        }
        if foreign:
            # Older stores refuse the trailing checksums that AWS takes.
            options["request_checksum_calculation"] = "when_required"
        session = boto3.Session(
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            aws_session_token=self.session_token,
            profile_name=self.profile,
            region_name=self.region,
        )
        if self.role_arn:
            session = _assumed(session, self.role_arn, self.external_id)
        return session.client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name=self.region or session.region_name or "us-east-1",
            verify=self.verify,
            config=Config(**options),
        )


def _metadata(head: Any) -> dict[str, str]:
    """Returns an object's own metadata; stores differ in the case of the keys."""
    return {key.lower(): value for key, value in head.get("Metadata", {}).items()}


class _TranslatingReader(RangeReader):
    """A reader whose later failures are the datasource's errors, too."""

    def read_available(self, size: int = -1) -> bytes:
        try:
            return super().read_available(size)
        except (ClientError, BotoCoreError) as error:
            raise translated(error, "read", self._location) from None


def _assumed(session: Any, role_arn: str, external_id: str | None) -> Any:
    """Returns a session with credentials of a role that refresh themselves."""
    import boto3
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
    from botocore.session import get_session

    core = session._session
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=core.create_client,
        source_credentials=core.get_credentials(),
        role_arn=role_arn,
        extra_args={"ExternalId": external_id} if external_id else {},
    )
    assumed: Any = get_session()
    assumed._credentials = DeferredRefreshableCredentials(
        method="assume-role", refresh_using=fetcher.fetch_credentials
    )
    return boto3.Session(botocore_session=assumed, region_name=session.region_name)
