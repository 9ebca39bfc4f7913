"""Writes to S3 whose answers get lost, and stores that refuse conditions."""

import re
from collections.abc import Iterator

import pytest

from lightly_pipeline.datasources import S3Datasource
from lightly_pipeline.errors import (
    PermissionDeniedError,
    PreconditionFailedError,
)
from lightly_pipeline_tests.support.faults import Fault, FaultyStore, faulty
from lightly_pipeline_tests.support.s3_servers import make_bucket, store_at

pytestmark = pytest.mark.slow

BUCKET = "stores"


@pytest.fixture(scope="module")
def proxy(endpoint: str) -> Iterator[FaultyStore]:
    with faulty(endpoint) as store:
        yield store


def bucket_at(url: str, prefix: str) -> S3Datasource:
    make_bucket(url, BUCKET)
    return store_at(url, f"s3://{BUCKET}/{prefix}/")


def prefix_of(request: pytest.FixtureRequest) -> str:
    return re.sub(r"\W", "-", request.node.name)


@pytest.fixture
def spoiled(request: pytest.FixtureRequest, proxy: FaultyStore) -> S3Datasource:
    store = bucket_at(proxy.url, prefix_of(request))
    proxy.clear()
    return store


@pytest.mark.parametrize("times", [1, 2])
def test_a_conditional_write_whose_answer_got_lost_is_done_and_no_conflict(
    spoiled: S3Datasource, proxy: FaultyStore, times: int
) -> None:
    proxy.add(Fault("lost answer", "PUT .*/a", times))
    first = spoiled.write("a", b"1", if_absent=True)
    proxy.add(Fault("lost answer", "PUT .*/a", times))
    second = spoiled.write("a", b"22", if_match=first.etag)
    assert spoiled.read("a") == b"22"
    assert spoiled.stat("a") == second


def test_another_writers_equal_content_is_a_conflict_also_when_an_answer_got_lost(
    spoiled: S3Datasource, proxy: FaultyStore
) -> None:
    def other() -> None:
        spoiled.write("a", b"same", if_absent=True)

    proxy.add(Fault("first", "PUT .*/a", action=other))
    with pytest.raises(PreconditionFailedError):
        spoiled.write("a", b"same", if_absent=True)


@pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (412, "PreconditionFailed")])
def test_a_store_that_refuses_conditions_gets_plain_writes_after_a_check(
    spoiled: S3Datasource, proxy: FaultyStore, status: int, code: str
) -> None:
    first = spoiled.write("a", b"1")
    proxy.add(Fault("status", "PUT .*/a", status=status, code=code))
    spoiled.write("a", b"22", if_match=first.etag)
    assert spoiled.read("a") == b"22"
    proxy.add(Fault("status", "PUT .*/a", status=status, code=code))
    with pytest.raises(PreconditionFailedError):
        spoiled.write("a", b"333", if_match=first.etag)
    assert proxy.count("PUT .*/a") == 3


@pytest.mark.parametrize("kind", ["status", "reset", "lost answer"])
def test_plain_and_streamed_writes_are_repeated_until_they_are_answered(
    spoiled: S3Datasource, proxy: FaultyStore, kind: str
) -> None:
    proxy.add(Fault(kind, "PUT .*/[ab]"))  # type: ignore[arg-type]
    spoiled.write("a", b"whole")
    proxy.add(Fault(kind, "PUT .*/[ab]"))  # type: ignore[arg-type]
    with spoiled.writer("b") as file:
        file.write(b"streamed" * 10_000)
    assert spoiled.read("a") == b"whole"
    assert spoiled.read("b") == b"streamed" * 10_000


def test_a_batch_that_is_answered_wrongly_or_refused_in_part_for_now_is_asked_for_again(
    spoiled: S3Datasource, proxy: FaultyStore
) -> None:
    names = [f"n/{number}" for number in range(5)]
    for kind in ("page", "status", "reset", "lost answer"):
        for name in names:
            spoiled.write(name, b"1")
        status = 200 if kind == "page" else 503
        fault = Fault(kind, r"POST .*delete", status=status)  # type: ignore[arg-type]
        proxy.add(fault)
        assert spoiled.delete_many(names) == {}
        assert list(spoiled.list()) == []


def test_a_store_that_knows_no_batch_is_asked_one_by_one(
    spoiled: S3Datasource, proxy: FaultyStore
) -> None:
    names = [f"n/{number}" for number in range(5)]
    for name in names:
        spoiled.write(name, b"1")
    proxy.add(Fault("status", "POST .*delete", status=501, code="NotImplemented"))
    assert spoiled.delete_many(names) == {}
    assert list(spoiled.list()) == []
    assert proxy.count("DELETE .*/n/") == 5


def test_who_may_not_delete_is_told_the_permission_and_nothing_else_fails(
    spoiled: S3Datasource, proxy: FaultyStore
) -> None:
    spoiled.write("a", b"1")
    proxy.add(Fault("status", "POST .*delete", status=403, code="AccessDenied"))
    with pytest.raises(PermissionDeniedError, match="allow s3:DeleteObject on LIGHTLY"):
        spoiled.delete_many(["a"])
    assert spoiled.read("a") == b"1"


def test_a_write_that_conflicts_in_the_store_itself_is_repeated(
    spoiled: S3Datasource, proxy: FaultyStore
) -> None:
    conflict = Fault("status", "PUT .*/a", status=409, code="ConditionalRequestConflict")
    proxy.add(conflict)
    spoiled.write("a", b"1", if_absent=True)
    assert spoiled.read("a") == b"1"
