"""Looks at what a store answered before it is believed: what is the same for every store.

A proxy, a load balancer or a captive portal can answer in the store's place, with status 200 and a
page of its own. Pure checks; a wrong answer is asked for again like a missing one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, Protocol

from lightly_pipeline.datasources.protocol import StoredObject

CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
"""What the header of that name says of a part: first and last byte, size of the object."""


class WrongAnswerError(Exception):
    """An answer that no store gives to this question; worth asking again."""


class IgnoredRangeError(WrongAnswerError):
    """The whole object came where a part was asked for; its content was not read."""


class CutBodyError(WrongAnswerError):
    """A body ended early."""


class NoSuchRangeError(Exception):
    """The object has no byte in the range that was asked for (416)."""


class Body(Protocol):
    """The content of an answer, not read yet."""

    def read(self) -> bytes: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class RangeAnswer:
    """A store's answer to a request for a range, as it came.

    Attributes:
        etag: The object's version; "" where the answer names none.
        content_range: The header of that name.
        length: Of the body by its header, in bytes.
        is_part: Whether it says that it is a part of the object (206).
        is_page: Whether it calls itself HTML.
        md5: Of the whole object in hexadecimal digits, "" where that is not known.
        body: The content.
    """

    etag: str
    content_range: str
    length: int | None
    is_part: bool
    is_page: bool
    md5: str
    body: Body


class Content(NamedTuple):
    """A whole object.

    Attributes:
        data: Its bytes.
        md5: As in `RangeAnswer`.
    """

    data: bytes
    md5: str


@dataclass(frozen=True, slots=True)
class Described:
    """What a store says of an object without giving it.

    Attributes:
        size_bytes: Its length.
        etag: Its version.
        modified_s: When it was last written, Unix time.
        expires_s: When the store will delete it, Unix time.
        write_id: Of the conditional write that made it; "" of any other.
        checksums: Of the whole content, by the names md5, sha1, sha256 and crc32.
    """

    size_bytes: int
    etag: str
    modified_s: float | None = None
    expires_s: float | None = None
    write_id: str = ""
    checksums: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing.

    Attributes:
        objects: Their whole keys in place of paths.
        following: Token of the next page; None of the last one.
    """

    objects: list[StoredObject]
    following: str | None


def plain_etag(etag: str | None) -> str:
    """Returns an ETag without quotes and weakness, which stores add or not."""
    return (etag or "").removeprefix("W/").strip('"')


def is_html(kind: str | None) -> bool:
    """Returns whether a Content-Type is that of a page."""
    return (kind or "").lower().startswith(("text/html", "application/xhtml"))


def check_range(answer: RangeAnswer, start: int, end: int, etag: str | None) -> int:
    """Checks the head of an answer to a request for bytes `start` to `end`, `end` excluded.

    Args:
        answer: Its body was not read.
        start: First byte asked for.
        end: Behind the last byte asked for; may lie behind the object's.
        etag: Version of the object, if that is known.

    Returns:
        The object's size.

    Raises:
        WrongAnswerError: It answers another question.
    """
    if not plain_etag(answer.etag):
        raise WrongAnswerError(f"an answer without a version{page_note(answer.is_page)}")
    place = CONTENT_RANGE.fullmatch(answer.content_range)
    if place is None:
        return _check_whole(answer, start, end, etag)
    first, last, size = map(int, place.groups())
    if (first, last) != (start, min(end, size) - 1):
        raise WrongAnswerError(f"bytes {first}-{last} instead of {start}-{end - 1}")
    length = last + 1 - first if answer.length is None else answer.length
    if length != last + 1 - first:
        raise WrongAnswerError(f"{length} bytes instead of {last + 1 - first}")
    return size


def _check_whole(answer: RangeAnswer, start: int, end: int, etag: str | None) -> int:
    """Checks an answer that is not said to be a part: right only where all was asked for."""
    if answer.is_part:
        raise WrongAnswerError("a part of the object that does not say which")
    size = end if answer.length is None else answer.length
    is_meant = etag is not None and plain_etag(answer.etag) == plain_etag(etag)
    if start == 0 and size <= end and (is_meant or not answer.is_page):
        return size
    if is_meant:
        raise IgnoredRangeError(f"all {size} bytes instead of {end - start}")
    raise WrongAnswerError(f"no range although one was asked for{page_note(answer.is_page)}")


def check_content(content: bytes, etag: str | None, *, is_page: bool) -> bytes:
    """Returns the content of a whole object, if the answer is the store's.

    Raises:
        WrongAnswerError: It is a page, or without a version.
    """
    if not plain_etag(etag):
        raise WrongAnswerError(f"an answer without a version{page_note(is_page)}")
    if is_page and content.lstrip()[:1] == b"<":
        raise WrongAnswerError("an HTML page in place of an object")
    return content


def page_note(is_page: bool) -> str:
    """Returns what a message says of an answer that is a page."""
    return " (an HTML page, from something between here and the store)" if is_page else ""
