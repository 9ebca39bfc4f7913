"""For what reasons any store ends a video or a run, in the words of the one who owns it.

What only one kind of store says is in `s3_reasons.py` and the like; the tables of docs/storage.md
are made of all of them.
"""

from dataclasses import dataclass

from lightly_pipeline.datasources.answers import (
    CutBodyError,
    IgnoredRangeError,
    WrongAnswerError,
)
from lightly_pipeline.errors import DatasourceError

Reason = tuple[str, str]
"""What it is, and what to do."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A lasting reason of a store, in the words of the one who owns it.

    Attributes:
        kind: The error of ours.
        codes: The store's words for it.
        says: What it is.
        do: What to do.
    """

    kind: type[DatasourceError]
    codes: tuple[str, ...]
    says: str
    do: str


THROTTLED: Reason = (
    "throttled for longer than was waited",
    "run again later, with fewer threads (num_threads) or more pipeline_config.store_patience_s",
)
UNREACHABLE: Reason = (
    "the store does not answer",
    "check the endpoint, the network and, between both, the proxy; then run again",
)
WRONG_ANSWER: Reason = (
    "something else answers in the store's place",
    "look at the proxy or load balancer between here and the store; then run again",
)
IGNORED_RANGE: Reason = (
    "the store sends whole objects where a part is asked for",
    "use a store, and a proxy before it, that knows the Range of a request",
)
DAMAGED: Reason = (
    "what comes is not what the store's checksum says",
    "look at the network, the proxy and the store's disks; then run again",
)


PASSING = (408, 429, 500, 502, 503, 504)
"""HTTP statuses after which the same request may work a little later."""


def refused_for_now(status: int, tried: str, seen: str) -> DatasourceError | None:
    """Returns the error that a user sees of a status that did not pass; None of a lasting one.

    Args:
        status: HTTP status.
        tried: What was tried.
        seen: The store's own word for it.
    """
    if status in (429, 503):
        return DatasourceError(line(tried, THROTTLED, seen))
    if status in PASSING:
        return DatasourceError(line(tried, UNREACHABLE, f"HTTP {status}"))
    return None


def line(tried: str, reason: Reason, seen: str = "") -> str:
    """Returns a message: what was tried, what it is, what was seen, what to do."""
    says, do = reason
    return f"{tried}: {says}{f' ({seen})' if seen else ''}: {do}"


def passing_answer(error: Exception) -> str | None:
    """Returns in a few words what is the matter if an answer is worth asking for again."""
    if isinstance(error, CutBodyError):
        return f"its answer ended early: {error}"
    return f"it answered wrongly: {error}" if isinstance(error, WrongAnswerError) else None


def wrongly_answered(error: WrongAnswerError, tried: str) -> DatasourceError:
    """Returns the error that a user sees of an answer that stayed wrong."""
    if isinstance(error, IgnoredRangeError):
        return DatasourceError(line(tried, IGNORED_RANGE, str(error)))
    reason = UNREACHABLE if isinstance(error, CutBodyError) else WRONG_ANSWER
    return DatasourceError(line(tried, reason, str(error)))
