"""Asks Google Cloud Storage once: one method a question.

Writing and signing is google-cloud-storage's. What is read comes through the session of
google-auth: the client shows neither version nor range of what it downloads, and both are compared.
What errors mean is in `gcs_errors.py`, asking again in `bucket.py`.
"""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import SEEK_END, BytesIO
from typing import Any, BinaryIO
from urllib.parse import quote

from lightly_pipeline.datasources.answers import (
    Content,
    Described,
    NoSuchRangeError,
    Page,
    RangeAnswer,
    WrongAnswerError,
    check_content,
    is_html,
    page_note,
)
from lightly_pipeline.datasources.bucket import Condition
from lightly_pipeline.datasources.deletion import BatchUnknownError
from lightly_pipeline.datasources.protocol import StoredObject
from lightly_pipeline.errors import ObjectChangedError, PermissionDeniedError
from lightly_pipeline.extras import package

WRITE_ID_KEY = "write-id"
_TIMEOUTS_S = (5, 30)
PAGE_OBJECTS = 1000
_FIELDS = "name,size,generation,updated"


@dataclass(frozen=True, slots=True)
class GCSRequests:
    """Questions to one bucket. Versions are generations.

    Attributes:
        client: google-cloud-storage's.
        session: google-auth's, with the same credentials.
        endpoint: URL of the service.
        bucket: Name of the bucket.
        kms_key_id: KMS key that written objects are encrypted with.
    """

    client: Any
    session: Any
    endpoint: str
    bucket: str
    kms_key_id: str | None = None

    def page(self, prefix: str, token: str | None) -> Page:
        """As in the protocol."""
        asked = {
            "prefix": prefix,
            "maxResults": str(PAGE_OBJECTS),
            "fields": f"kind,nextPageToken,items({_FIELDS})",
        }
        answer = self._json("", {**asked, **({} if token is None else {"pageToken": token})})
        if answer.get("kind") != "storage#objects":
            raise WrongAnswerError("no listing")
        try:
            objects = [_stored(item) for item in answer.get("items", ())]
        except (KeyError, ValueError):
            raise WrongAnswerError("a listing that lacks names, sizes or generations") from None
        return Page(objects, answer.get("nextPageToken"))

    def describe(self, key: str, *, checksums: bool = False) -> Described:  # noqa: ARG002
        """As in the protocol; checksums cost nothing."""
        answer = self._json(key, {})
        try:
            found = _stored(answer)
        except (KeyError, ValueError):
            raise WrongAnswerError("no description of an object") from None
        md5 = answer.get("md5Hash")
        return Described(
            size_bytes=found.size_bytes,
            etag=found.etag,
            modified_s=found.modified_s,
            write_id=answer.get("metadata", {}).get(WRITE_ID_KEY, ""),
            checksums={"md5": b64decode(md5)} if md5 else {},
        )

    def content(self, key: str) -> Content:
        """As in the protocol."""
        with self._get(key, {"alt": "media"}) as answer:
            content: bytes = answer.raw.read(decode_content=False)
            data = check_content(content, _generation(answer), is_page=_is_page(answer))
            return Content(data, _md5(answer.headers.get("X-Goog-Hash", "")))

    def range_of(self, key: str, first: int, last: int, etag: str | None) -> RangeAnswer:
        """As in the protocol."""
        from google.api_core.exceptions import PreconditionFailed, RequestRangeNotSatisfiable

        asked = {"alt": "media", **({"ifGenerationMatch": etag} if etag else {})}
        try:
            answer = self._get(key, asked, {"Range": f"bytes={first}-{last}"})
        except RequestRangeNotSatisfiable:
            raise NoSuchRangeError from None
        except PreconditionFailed:
            raise ObjectChangedError(
                f"gs://{self.bucket}/{key} was changed since it was listed; "
                "run again to take the new version"
            ) from None
        length = answer.headers.get("Content-Length", "")
        return RangeAnswer(
            etag=_generation(answer),
            content_range=answer.headers.get("Content-Range", ""),
            length=int(length) if length.isdecimal() else None,
            is_part=answer.status_code == 206,
            is_page=_is_page(answer),
            md5=_md5(answer.headers.get("X-Goog-Hash", "")),
            body=_Body(answer),
        )

    def put(self, key: str, body: bytes | BinaryIO, condition: Condition | None) -> str:
        """As in the protocol; large bodies go in several requests, and appear at once."""
        from google.cloud.storage.exceptions import DataCorruption

        blob = self.client.bucket(self.bucket).blob(key, kms_key_name=self.kms_key_id)
        options: dict[str, Any] = {"retry": None, "timeout": _TIMEOUTS_S, "checksum": "crc32c"}
        if condition is not None:
            blob.metadata = {WRITE_ID_KEY: condition.write_id}
            options["if_generation_match"] = int(condition.etag or 0)
        file = BytesIO(body) if isinstance(body, bytes) else body
        # Of a known size what is small goes in one request.
        options["size"] = file.seek(0, SEEK_END)
        file.seek(0)
        try:
            blob.upload_from_file(file, content_type="application/octet-stream", **options)
        except DataCorruption:
            raise WrongAnswerError("what arrived is not what was sent") from None
        if not blob.generation:
            raise WrongAnswerError("an answer without a generation")
        return str(blob.generation)

    def delete(self, key: str) -> None:
        """As in the protocol."""
        from google.api_core.exceptions import NotFound

        try:
            _checked(self.session.delete(self._url(key), timeout=_TIMEOUTS_S))
        except NotFound:
            return

    def delete_some(self, keys: Sequence[str]) -> Mapping[str, Exception]:  # noqa: ARG002
        """As in the protocol: objects go one by one."""
        raise BatchUnknownError

    def read_url(self, key: str, valid_s: int) -> str:
        """As in the protocol, signed with a key, or by IAM for a service account without one."""
        blob = self.client.bucket(self.bucket).blob(key)
        url: str = blob.generate_signed_url(
            version="v4", expiration=timedelta(seconds=valid_s), **self._signer()
        )
        return url

    def _signer(self) -> dict[str, str]:
        """Returns what signing takes where the credentials hold no key: IAM signs then."""
        from google.auth.credentials import Signing
        from google.auth.transport.requests import Request

        credentials = self.session.credentials
        if isinstance(credentials, Signing):
            return {}
        email = getattr(credentials, "service_account_email", None)
        if email is None:
            raise PermissionDeniedError(
                f"cannot sign a URL for objects of gs://{self.bucket}/: only service accounts do: "
                "set GOOGLE_APPLICATION_CREDENTIALS, or impersonate one (gcloud auth "
                "application-default login --impersonate-service-account=...)"
            )
        credentials.refresh(Request())
        return {"service_account_email": email, "access_token": credentials.token}

    def _url(self, key: str) -> str:
        place = f"{self.endpoint}/storage/v1/b/{quote(self.bucket, safe='')}/o"
        return f"{place}/{quote(key, safe='')}" if key else place

    def _get(
        self, key: str, asked: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Any:
        """Returns an answer whose body is not read, as the object is stored: not unpacked."""
        return _checked(
            self.session.get(
                self._url(key),
                params=asked,
                headers={"Accept-Encoding": "gzip", **(headers or {})},
                stream=True,
                timeout=_TIMEOUTS_S,
            )
        )

    def _json(self, key: str, asked: Mapping[str, str]) -> Any:
        answer = _checked(self.session.get(self._url(key), params=asked, timeout=_TIMEOUTS_S))
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise WrongAnswerError(f"no JSON{page_note(_is_page(answer))}")
        return found


class _Body:
    """The content of an answer, as it is stored."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def read(self) -> bytes:
        content: bytes = self._answer.raw.read(decode_content=False)
        return content

    def close(self) -> None:
        self._answer.close()


def _checked(answer: Any) -> Any:
    """Returns an answer that is no refusal; a refusal by a page is something else's."""
    exceptions: Any = package("google.api_core.exceptions", "gcs")
    if answer.status_code < 400:
        return answer
    is_refused = not _is_page(answer)
    error = exceptions.from_http_response(answer)
    answer.close()
    if is_refused:
        raise error
    raise WrongAnswerError(f"an HTML page, HTTP {answer.status_code}")


def _stored(item: Mapping[str, Any]) -> StoredObject:
    updated = item.get("updated")
    modified_s = datetime.fromisoformat(updated).timestamp() if updated else None
    return StoredObject(item["name"], int(item["size"]), str(int(item["generation"])), modified_s)


def _generation(answer: Any) -> str:
    return str(answer.headers.get("X-Goog-Generation", ""))


def _is_page(answer: Any) -> bool:
    # An object may be a page, too: the store says of which generation.
    return is_html(answer.headers.get("Content-Type")) and not _generation(answer)


def _md5(sums: str) -> str:
    """Returns the MD5 that a header such as `crc32c=n03x6A==,md5=Ojk9c3dhfxgoKVVHYwFbHQ==` has."""
    for part in sums.split(","):
        name, _, value = part.strip().partition("=")
        if name == "md5":
            return b64decode(value).hex()
    return ""
