"""Looks at what an S3 store answered, as boto3 gives it, before it is believed.

Pure checks; those that every store's answers pass are in `answers.py`.
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from lightly_pipeline.datasources.answers import (
    Described,
    RangeAnswer,
    WrongAnswerError,
    is_html,
    page_note,
    plain_etag,
)
from lightly_pipeline.datasources.second_look import looks_like_md5

WRITE_ID_KEY = "write-id"
"""Under which an object's metadata name the conditional write that made it."""
_EXPIRY = re.compile(r'expiry-date="([^"]+)"')
_CHECKSUMS = {"ChecksumCRC32": "crc32", "ChecksumSHA1": "sha1", "ChecksumSHA256": "sha256"}


def is_page(answer: Mapping[str, Any]) -> bool:
    """Returns whether an answer, or a refusal's `response`, is an HTML page."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return is_html(answer.get("ContentType") or headers.get("content-type"))


def range_answer(answer: Mapping[str, Any]) -> RangeAnswer:
    """Returns an answer to GET; its body is not read."""
    return RangeAnswer(
        etag=answer.get("ETag") or "",
        content_range=str(answer.get("ContentRange", "")),
        length=answer.get("ContentLength"),
        is_part=answer.get("ResponseMetadata", {}).get("HTTPStatusCode") == 206,
        is_page=is_page(answer),
        md5=md5_of(answer),
        body=answer["Body"],
    )


def md5_of(answer: Mapping[str, Any]) -> str:
    """Returns the MD5 of the object's content, which an ETag often is; empty where it is none.

    A key of the customer's or of KMS makes an ETag that only looks like one.
    """
    md5 = plain_etag(answer.get("ETag"))
    is_keyed = answer.get("ServerSideEncryption", "AES256") != "AES256" or (
        "SSECustomerAlgorithm" in answer
    )
    return md5 if looks_like_md5(md5) and not is_keyed else ""


def described(head: Mapping[str, Any]) -> Described:
    """Returns what an answer to HEAD says.

    Raises:
        WrongAnswerError: It is none.
    """
    check_described(head, "ETag", "ContentLength")
    # Stores differ in the case of the keys.
    metadata = {key.lower(): value for key, value in head.get("Metadata", {}).items()}
    is_of_parts = head.get("ChecksumType") == "COMPOSITE"
    return Described(
        size_bytes=head["ContentLength"],
        etag=head["ETag"],
        modified_s=modified_s(head),
        expires_s=expiry_s(head),
        write_id=metadata.get(WRITE_ID_KEY, ""),
        checksums={}
        if is_of_parts
        else {name: b64decode(head[key]) for key, name in _CHECKSUMS.items() if key in head},
    )


def check_described(answer: Mapping[str, Any], *fields: str) -> Any:
    """Returns an answer to HEAD or PUT, if it has the fields a store's has.

    Raises:
        WrongAnswerError: One is missing.
    """
    if any(answer.get(field) in (None, "") for field in fields):
        raise WrongAnswerError(
            f"an answer without {' or '.join(fields)}{page_note(is_page(answer))}"
        )
    return answer


def check_listing(page: Mapping[str, Any]) -> Any:
    """Returns a page of a listing, if it is one: a page of HTML reads as an empty one.

    Raises:
        WrongAnswerError: It is something else, or does not say where the next page begins.
    """
    if "IsTruncated" not in page and "Name" not in page:
        raise WrongAnswerError(f"no listing{page_note(is_page(page))}")
    if page.get("IsTruncated") and not page.get("NextContinuationToken"):
        raise WrongAnswerError("a listing that is cut off")
    for item in page.get("Contents", ()):
        check_described(item, "Key", "Size")
    return page


def modified_s(item: Mapping[str, Any]) -> float | None:
    """Returns when an object was last written, Unix time, by a listing or an answer to HEAD."""
    date = item.get("LastModified")
    return date.timestamp() if isinstance(date, datetime) else None


def expiry_s(head: Mapping[str, Any]) -> float | None:
    """Returns when a lifecycle rule deletes an object, Unix time, by the answer to HEAD.

    Such as `expiry-date="Fri, 21 Dec 2029 00:00:00 GMT", rule-id="thirty days"`; None where there
    is no rule.
    """
    found = _EXPIRY.search(str(head.get("Expiration", "")))
    try:
        return parsedate_to_datetime(found[1]).timestamp() if found else None
    except ValueError:
        return None
