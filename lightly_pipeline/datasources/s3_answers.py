"""Looks at what an S3 store answered before it is believed.

A proxy, a load balancer or a captive portal can answer in the store's place, with status 200 and a
page of its own. Pure checks; a wrong answer is asked for again like a missing one.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import BotoCoreError

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_EXPIRY = re.compile(r'expiry-date="([^"]+)"')


class WrongAnswerError(BotoCoreError):
    """An answer that no store gives to this question; worth asking again."""

    fmt = "{problem}"


class IgnoredRangeError(WrongAnswerError):
    """The whole object came where a part was asked for; its content was not read."""


def plain_etag(etag: str | None) -> str:
    """Returns an ETag without quotes and weakness, which stores add or not."""
    return (etag or "").removeprefix("W/").strip('"')


def is_page(answer: Mapping[str, Any]) -> bool:
    """Returns whether an answer, or a refusal's `response`, is an HTML page."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    kind = answer.get("ContentType") or headers.get("content-type") or ""
    return kind.lower().startswith(("text/html", "application/xhtml"))


def check_range(answer: Mapping[str, Any], start: int, end: int, etag: str | None) -> int:
    """Checks the head of an answer to a request for bytes `start` to `end`, `end` excluded.

    Args:
        answer: boto3's; its body was not read.
        start: First byte asked for.
        end: Behind the last byte asked for; may lie behind the object's.
        etag: Version of the object, if that is known.

    Returns:
        The object's size.

    Raises:
        WrongAnswerError: It answers another question.
    """
    if not plain_etag(answer.get("ETag")):
        raise WrongAnswerError(problem=f"an answer without a version{_kind(answer)}")
    place = _CONTENT_RANGE.fullmatch(str(answer.get("ContentRange", "")))
    if place is None:
        return _check_whole(answer, start, end, etag)
    first, last, size = map(int, place.groups())
    if (first, last) != (start, min(end, size) - 1):
        raise WrongAnswerError(problem=f"bytes {first}-{last} instead of {start}-{end - 1}")
    length = answer.get("ContentLength", last + 1 - first)
    if length != last + 1 - first:
        raise WrongAnswerError(problem=f"{length} bytes instead of {last + 1 - first}")
    return size


def _check_whole(answer: Mapping[str, Any], start: int, end: int, etag: str | None) -> int:
    """Checks an answer that is not said to be a part: right only where all was asked for."""
    size = int(answer.get("ContentLength", end))
    is_meant = etag is not None and plain_etag(answer["ETag"]) == plain_etag(etag)
    if start == 0 and size <= end and (is_meant or not is_page(answer)):
        return size
    if is_meant:
        raise IgnoredRangeError(problem=f"all {size} bytes instead of {end - start}")
    raise WrongAnswerError(problem=f"no range although one was asked for{_kind(answer)}")


def check_content(answer: Mapping[str, Any], content: bytes) -> bytes:
    """Returns the content of a whole object, if the answer is the store's.

    Raises:
        WrongAnswerError: It is a page, or without a version.
    """
    if not plain_etag(answer.get("ETag")):
        raise WrongAnswerError(problem=f"an answer without a version{_kind(answer)}")
    if is_page(answer) and content.lstrip()[:1] == b"<":
        raise WrongAnswerError(problem="an HTML page in place of an object")
    return content


def check_described(answer: Mapping[str, Any], *fields: str) -> Any:
    """Returns an answer to HEAD or PUT, if it has the fields a store's has.

    Raises:
        WrongAnswerError: One is missing.
    """
    if any(answer.get(field) in (None, "") for field in fields):
        raise WrongAnswerError(problem=f"an answer without {' or '.join(fields)}{_kind(answer)}")
    return answer


def check_listing(page: Mapping[str, Any]) -> Any:
    """Returns a page of a listing, if it is one: a page of HTML reads as an empty one.

    Raises:
        WrongAnswerError: It is something else, or does not say where the next page begins.
    """
    if "IsTruncated" not in page and "Name" not in page:
        raise WrongAnswerError(problem=f"no listing{_kind(page)}")
    if page.get("IsTruncated") and not page.get("NextContinuationToken"):
        raise WrongAnswerError(problem="a listing that is cut off")
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


def _kind(answer: Mapping[str, Any]) -> str:
    return " (an HTML page, from something between here and the store)" if is_page(answer) else ""
