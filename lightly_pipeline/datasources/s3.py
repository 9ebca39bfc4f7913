"""A prefix of an S3 bucket as a datasource; AWS or any store that speaks its protocol.

One cached client (`s3_client.py`), one loop of retries (`patience.py`). Reading is in `s3_open.py`
and `s3_reader.py`, what is believed in `s3_answers.py`, what errors mean in `s3_errors.py`. It has
over 300 lines because it is one class: the protocol's methods, and the options of every store.
"""

import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any, BinaryIO, Literal, Self, TypeVar, cast

from botocore.exceptions import ClientError

from lightly_pipeline.datasources.local_files import naming_full_disk
from lightly_pipeline.datasources.patience import DEFAULT_PATIENCE_S, Patience
from lightly_pipeline.datasources.protocol import ByteRange, StoredObject
from lightly_pipeline.datasources.s3_answers import (
    check_content,
    check_described,
    check_listing,
    expiry_s,
    modified_s,
    plain_etag,
)
from lightly_pipeline.datasources.s3_client import make_client
from lightly_pipeline.datasources.s3_errors import (
    NOT_IMPLEMENTED,
    passing,
    status_of,
    translated,
)
from lightly_pipeline.datasources.s3_open import REFUSED, ObjectVersion, TranslatingReader
from lightly_pipeline.datasources.secrets import refuse_secrets
from lightly_pipeline.errors import (
    InvalidConfigurationError,
    ObjectNotFoundError,
    PreconditionFailedError,
)

_Answer = TypeVar("_Answer")
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
    _lock: threading.Lock = field(
        default_factory=threading.Lock, init=False, repr=False, compare=False
    )
    _cache: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    _patience: Patience = field(
        default_factory=lambda: Patience(DEFAULT_PATIENCE_S), init=False, repr=False, compare=False
    )

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

    def __getstate__(self) -> dict[str, Any]:
        raise TypeError("S3Datasource is not pickled: it may hold credentials; make it anew")

    def patient(self, seconds: float) -> Self:
        """Returns the same place, waited for this long, by the same client."""
        values = {name: getattr(self, name) for name in _FIELDS}
        other = type(self)(**values)
        for name, value in (
            ("_lock", self._lock),
            ("_cache", self._cache),
            ("_patience", Patience(seconds)),
        ):
            object.__setattr__(other, name, value)
        return other

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

    def describe(self) -> str:
        """Returns bucket and prefix."""
        return f"s3://{self.bucket}/{self.prefix}"

    def location(self, path: str) -> str:
        """Returns an object's URL."""
        return f"s3://{self.bucket}/{self.prefix}{path}"

    def read_url(self, path: str, *, valid_s: int) -> str:
        """Returns a URL signed with the datasource's credentials; it ends with them at latest.

        Where the reader pays, who uses it has to send the header `x-amz-request-payer: requester`.
        """

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
                    yield StoredObject(path, item["Size"], item.get("ETag", ""), modified_s(item))
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def stat(self, path: str) -> StoredObject | None:
        """Returns the object's record by a HEAD request, or None when there is none."""
        head = self._head(path)
        if head is None:
            return None
        return StoredObject(path, head["ContentLength"], head["ETag"], modified_s(head))

    def expiry(self, path: str) -> float | None:
        """Returns what a HEAD request says of the bucket's lifecycle rules."""
        return expiry_s(self._head(path) or {})

    def open(
        self, path: str, *, etag: str | None = None, ranges: Sequence[ByteRange] = ()
    ) -> BinaryIO:
        """Returns a reader that gets ranges of this version as they are asked for."""

        def opened(client: Any) -> TranslatingReader:
            where = self.location(path)
            version = ObjectVersion(client, self._key(path), where, etag, self._cache)
            return TranslatingReader(
                version.get,
                where,
                ranges,
                etag=etag,
                head=version.head,
                patiently=lambda call: self._patiently(call, where),
            )

        return cast(BinaryIO, self._translating("read", path, opened))

    def read(self, path: str) -> bytes:
        """Returns an object's content."""

        def get(client: Any) -> bytes:
            answer = client.get_object(**self._key(path))
            return check_content(answer, answer["Body"].read())

        return self._call("read", path, get)

    def prepare_writing(self) -> None:
        """Needs nothing: S3 creates once by itself, and an unfinished put leaves nothing."""

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
        with (
            naming_full_disk(f"the folder of temporary files, {tempfile.gettempdir()}, (TMPDIR)"),
            tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as file,
        ):
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
            return check_listing(
                client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, **token, **self._payer())
            )

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
                answer = client.put_object(**options, Body=body, **condition)
                return str(check_described(answer, "ETag")["ETag"])
            except ClientError as error:
                if not condition or status_of(error) != NOT_IMPLEMENTED:
                    raise
            return put(client, {})

        return self._call("write", path, put)

    def _head(self, path: str) -> Any:
        """Returns the answer to a HEAD request, or None when there is no such object."""

        def head(client: Any) -> Any:
            return check_described(client.head_object(**self._key(path)), "ETag", "ContentLength")

        try:
            return self._call("read", path, head)
        except ObjectNotFoundError:
            return None

    def _require(self, path: str, head: Any, if_match: str | None) -> None:
        """Checks that there is no object, or the version that is meant."""
        if if_match is None and head is not None:
            raise PreconditionFailedError(f"{self.location(path)} exists already")
        if if_match is not None and (
            head is None or plain_etag(head["ETag"]) != plain_etag(if_match)
        ):
            raise PreconditionFailedError(f"{self.location(path)} is another version by now")

    def _key(self, path: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.prefix + path, **self._payer()}

    def _payer(self) -> dict[str, str]:
        return {"RequestPayer": self.request_payer} if self.request_payer else {}

    def _call(self, operation: str, path: str, call: Callable[[Any], _Answer]) -> _Answer:
        """Calls the store until it answers, and translates what it refuses."""
        where = self.location(path) if path else self.describe()
        return self._translating(
            operation, path, lambda client: self._patiently(lambda: call(client), where)
        )

    def _translating(self, operation: str, path: str, call: Callable[[Any], _Answer]) -> _Answer:
        try:
            return call(self._client())
        except REFUSED as error:
            where = self.location(path) if path else self.describe()
            raise translated(error, operation, where) from None

    def _patiently(self, call: Callable[[], _Answer], what: str) -> _Answer:
        return self._patience.call(call, passes=passing, what=what)

    def _client(self) -> Any:
        with self._lock:
            if "client" not in self._cache:
                self._cache["client"] = (self.client_factory or partial(make_client, self))()
            return self._cache["client"]


_FIELDS = tuple(name for name, value in S3Datasource.__dataclass_fields__.items() if value.init)


def _metadata(head: Any) -> dict[str, str]:
    """Returns an object's own metadata; stores differ in the case of the keys."""
    return {key.lower(): value for key, value in head.get("Metadata", {}).items()}
