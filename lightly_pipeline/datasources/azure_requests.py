"""Asks Azure Blob Storage once: one method a question, with the client of azure-storage-blob.

The client tries nothing again: what it would ask for a second time by itself is stopped here. What
errors mean is in `azure_errors.py`, asking again in `bucket.py`.
"""

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, BinaryIO

from lightly_pipeline.datasources.answers import (
    CONTENT_RANGE,
    Content,
    CutBodyError,
    Described,
    IgnoredRangeError,
    NoSuchRangeError,
    Page,
    RangeAnswer,
    WrongAnswerError,
    is_html,
    page_note,
    plain_etag,
)
from lightly_pipeline.datasources.azure_errors import status_of
from lightly_pipeline.datasources.bucket import Condition
from lightly_pipeline.datasources.deletion import BatchUnknownError
from lightly_pipeline.datasources.protocol import StoredObject
from lightly_pipeline.errors import DatasourceError, ObjectChangedError, PermissionDeniedError

PAGE_OBJECTS = 5000
WRITE_ID_KEY = "write_id"
"""Of an object's metadata, whose names are those of C# here."""


@dataclass(frozen=True, slots=True)
class AzureRequests:
    """Questions to one container. Versions are ETags, without the quotes that not all answers have.

    Attributes:
        service: BlobServiceClient, which tries once.
        container: Name of the container.
    """

    service: Any
    container: str

    def page(self, prefix: str, token: str | None) -> Page:
        """As in the protocol."""
        container = self.service.get_container_client(self.container)
        pages = container.list_blobs(
            name_starts_with=prefix, results_per_page=PAGE_OBJECTS, raw_response_hook=_believe
        ).by_page(token)
        objects = [
            StoredObject(item.name, item.size, plain_etag(item.etag), _modified_s(item))
            for item in next(pages, ())
        ]
        return Page(objects, pages.continuation_token or None)

    def describe(self, key: str, *, checksums: bool = False) -> Described:  # noqa: ARG002
        """As in the protocol; checksums cost nothing."""
        found = self._blob(key).get_blob_properties(raw_response_hook=_believe)
        md5 = found.content_settings.content_md5
        metadata = {name.lower(): value for name, value in (found.metadata or {}).items()}
        return Described(
            size_bytes=found.size,
            etag=plain_etag(found.etag),
            modified_s=_modified_s(found),
            write_id=metadata.get(WRITE_ID_KEY, ""),
            checksums={"md5": bytes(md5)} if md5 else {},
        )

    def content(self, key: str) -> Content:
        """As in the protocol."""
        downloaded = self._blob(key).download_blob(
            decompress=False, raw_request_hook=_only_once(), raw_response_hook=_believe
        )
        # The client compares nothing, and the sum of the whole is with the object's properties.
        md5 = downloaded.properties.content_settings.content_md5
        return Content(downloaded.readall(), bytes(md5).hex() if md5 else "")

    def range_of(self, key: str, first: int, last: int, etag: str | None) -> RangeAnswer:
        """As in the protocol; its body has come."""
        from azure.core import MatchConditions

        head: dict[str, str] = {}

        def look(answer: Any) -> None:
            _believe(answer)
            head.update({k.lower(): v for k, v in answer.http_response.headers.items()})
            status, length = answer.http_response.status_code, head.get("content-length", "")
            if status == 200 and "content-range" not in head:
                # What comes is not read.
                raise IgnoredRangeError(f"all {length} bytes instead of {last + 1 - first}")
            if status == 206 and not CONTENT_RANGE.fullmatch(head.get("content-range", "")):
                raise WrongAnswerError("a part of which it is not said which")

        condition = {"etag": f'"{etag}"', "match_condition": MatchConditions.IfNotModified}
        try:
            downloaded = self._blob(key).download_blob(
                offset=first,
                length=last + 1 - first,
                decompress=False,
                raw_request_hook=_only_once(),
                raw_response_hook=look,
                **(condition if etag else {}),
            )
        except DatasourceError:
            raise
        except Exception as error:
            if status_of(error) == 416:
                raise NoSuchRangeError from None
            if status_of(error) == 412:
                raise ObjectChangedError(
                    f"az://{self.container}/{key} was changed since it was listed; "
                    "run again to take the new version"
                ) from None
            raise
        length = head.get("content-length", "")
        return RangeAnswer(
            etag=head.get("etag", ""),
            content_range=head.get("content-range", ""),
            length=int(length) if length.isdecimal() else None,
            is_part=True,
            is_page=False,
            md5=b64decode(head.get("x-ms-blob-content-md5", "")).hex(),
            body=BytesIO(downloaded.readall()),
        )

    def put(self, key: str, body: bytes | BinaryIO, condition: Condition | None) -> str:
        """As in the protocol; large bodies go in several requests, and appear at once."""
        from azure.core import MatchConditions

        options: dict[str, Any] = {"overwrite": True}
        if condition is not None:
            options = {
                "overwrite": condition.etag is not None,
                "metadata": {WRITE_ID_KEY: condition.write_id},
            }
            if condition.etag is not None:
                options |= {
                    "etag": f'"{condition.etag}"',
                    "match_condition": MatchConditions.IfNotModified,
                }
        answer = self._blob(key).upload_blob(body, raw_response_hook=_believe, **options)
        if not answer.get("etag"):
            raise WrongAnswerError("an answer without ETag")
        return plain_etag(answer["etag"])

    def delete(self, key: str) -> None:
        """As in the protocol."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            self._blob(key).delete_blob(raw_response_hook=_believe)
        except ResourceNotFoundError:
            return

    def delete_some(self, keys: Sequence[str]) -> Mapping[str, Exception]:  # noqa: ARG002
        """As in the protocol: objects go one by one."""
        raise BatchUnknownError

    def read_url(self, key: str, valid_s: int) -> str:
        """As in the protocol, signed with the account's key or one that a login was given."""
        from azure.storage.blob import BlobSasPermissions, generate_blob_sas

        blob, now = self._blob(key), datetime.now(UTC)
        until = now + timedelta(seconds=valid_s)
        credential = self.service.credential
        if hasattr(credential, "account_key"):
            signer = {"account_key": credential.account_key}
        elif hasattr(credential, "get_token"):
            signer = {"user_delegation_key": self.service.get_user_delegation_key(now, until)}
        else:
            raise PermissionDeniedError(
                f"cannot sign a URL for az://{self.container}/{key}: a SAS token signs nothing: "
                "log in (az login), use a managed identity, or set AZURE_STORAGE_ACCOUNT_KEY"
            )
        token = generate_blob_sas(
            account_name=self.service.account_name,
            container_name=self.container,
            blob_name=key,
            permission=BlobSasPermissions(read=True),
            expiry=until,
            **signer,
        )
        return f"{blob.url}?{token}"

    def _blob(self, key: str) -> Any:
        if "\\" in key or any(part in (".", "..") for part in key.split("/")):
            # A request would reach another object.
            raise DatasourceError(
                f"az://{self.container}/{key}: Azure knows no names with a backslash, or with . or "
                ".. between slashes: rename it"
            )
        return self.service.get_blob_client(self.container, key)


def _believe(answer: Any) -> None:
    """Looks whether an answer is Azure's, which numbers each.

    Raises:
        WrongAnswerError: It is something else's.
    """
    headers = answer.http_response.headers
    if "x-ms-request-id" not in headers:
        is_page = is_html(headers.get("Content-Type"))
        raise WrongAnswerError(f"an answer without a number{page_note(is_page)}")


def _only_once() -> Callable[[Any], None]:
    """Returns a hook that lets one request through.

    The client's downloader asks three times for a body that breaks off, whatever its retry policy.
    """
    asked: list[Any] = []

    def hook(request: Any) -> None:
        # Of an empty blob the client asks once more, without a range.
        if asked and "x-ms-range" in request.http_request.headers:
            raise CutBodyError("the connection broke off")
        asked.append(request)

    return hook


def _modified_s(item: Any) -> float | None:
    return item.last_modified.timestamp() if item.last_modified else None
