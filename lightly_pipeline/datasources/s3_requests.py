"""Asks an S3 store once: one method a question, with boto3's client.

What errors mean is in `s3_errors.py`, what is believed in `s3_answers.py`; asking again is in
`bucket.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from botocore.exceptions import ClientError

from lightly_pipeline.datasources.answers import (
    Content,
    Described,
    NoSuchRangeError,
    Page,
    RangeAnswer,
    check_content,
    plain_etag,
)
from lightly_pipeline.datasources.bucket import Condition
from lightly_pipeline.datasources.protocol import StoredObject
from lightly_pipeline.datasources.s3_answers import (
    WRITE_ID_KEY,
    check_described,
    check_listing,
    described,
    is_page,
    md5_of,
    modified_s,
    range_answer,
)
from lightly_pipeline.datasources.s3_deletion import delete_keys
from lightly_pipeline.datasources.s3_errors import NOT_IMPLEMENTED, status_of
from lightly_pipeline.errors import ObjectChangedError


@dataclass(frozen=True, slots=True)
class S3Requests:
    """Questions to one bucket.

    Attributes:
        client: boto3's.
        bucket: Name of the bucket.
        payer: Parameter of every request that says who pays; empty where nobody asks.
        encryption: Parameters of every put.
        habits: What is known of the store by its answers.
    """

    client: Any
    bucket: str
    payer: Mapping[str, str] = field(default_factory=dict)
    encryption: Mapping[str, str] = field(default_factory=dict)
    habits: set[str] = field(default_factory=set)

    def page(self, prefix: str, token: str | None) -> Page:
        """As in the protocol."""
        following = {} if token is None else {"ContinuationToken": token}
        page = check_listing(
            self.client.list_objects_v2(
                Bucket=self.bucket, Prefix=prefix, **following, **self.payer
            )
        )
        objects = [
            StoredObject(item["Key"], item["Size"], item.get("ETag", ""), modified_s(item))
            for item in page.get("Contents", ())
        ]
        return Page(objects, page["NextContinuationToken"] if page.get("IsTruncated") else None)

    def describe(self, key: str, *, checksums: bool = False) -> Described:
        """As in the protocol, by a HEAD request."""
        mode = {"ChecksumMode": "ENABLED"} if checksums else {}
        return described(self.client.head_object(**self._key(key), **mode))

    def content(self, key: str) -> Content:
        """As in the protocol."""
        answer = self.client.get_object(**self._key(key))
        data = check_content(answer["Body"].read(), answer.get("ETag"), is_page=is_page(answer))
        return Content(data, md5_of(answer))

    def range_of(self, key: str, first: int, last: int, etag: str | None) -> RangeAnswer:
        """As in the protocol, without the condition where it never holds."""
        asked = {**self._key(key), "Range": f"bytes={first}-{last}"}
        try:
            return range_answer(self._get(key, asked, etag))
        except ClientError as error:
            if status_of(error) != 416:
                raise
            raise NoSuchRangeError from None

    def put(self, key: str, body: bytes | BinaryIO, condition: Condition | None) -> str:
        """As in the protocol, without the condition where it is not known (Swift's If-Match)."""
        options: dict[str, Any] = {**self._key(key), **self.encryption, "Body": body}
        if condition is None:
            return self._put(options)
        options["Metadata"] = {WRITE_ID_KEY: condition.write_id}
        asked = {"IfNoneMatch": "*"} if condition.etag is None else {"IfMatch": condition.etag}
        try:
            return self._put({**options, **asked})
        except ClientError as error:
            if status_of(error) != NOT_IMPLEMENTED:
                raise
        return self._put(options)

    def delete(self, key: str) -> None:
        """As in the protocol; S3 does not mind when there is none."""
        self.client.delete_object(**self._key(key))

    def delete_some(self, keys: Sequence[str]) -> Mapping[str, Exception]:
        """As in the protocol, with one request where the store knows it."""
        return delete_keys(self.client, self.bucket, keys, self.payer)

    def read_url(self, key: str, valid_s: int) -> str:
        """As in the protocol.

        Where the reader pays, who uses it has to send the header `x-amz-request-payer: requester`.
        """
        url: str = self.client.generate_presigned_url(
            "get_object", Params=self._key(key), ExpiresIn=valid_s
        )
        return url

    def _key(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": key, **self.payer}

    def _put(self, options: Mapping[str, Any]) -> str:
        return str(check_described(self.client.put_object(**options), "ETag")["ETag"])

    def _get(self, key: str, asked: Mapping[str, str], etag: str | None) -> Any:
        if not etag or "unconditional" in self.habits:
            return self.client.get_object(**asked)
        try:
            return self.client.get_object(**asked, IfMatch=etag)
        except ClientError as error:
            if status_of(error) != 412:
                raise
        if plain_etag(self.describe(key).etag) != plain_etag(etag):
            raise ObjectChangedError(
                f"s3://{self.bucket}/{key} was changed since it was listed; "
                "run again to take the new version"
            )
        # SeaweedFS 3.97 refuses every condition (its issue 7274); answers are compared anyway.
        self.habits.add("unconditional")
        return self.client.get_object(**asked)
