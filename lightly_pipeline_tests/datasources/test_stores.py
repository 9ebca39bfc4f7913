"""One suite for every kind of store: a folder, S3, and an S3 front that knows no If-Match."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lightly_pipeline.datasources import Datasource, LocalDatasource, S3Datasource
from lightly_pipeline.errors import ObjectChangedError, PreconditionFailedError
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


@pytest.fixture(params=["folder", "moto", "swift"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Datasource:
    if request.param == "folder":
        return LocalDatasource(tmp_path)
    url = request.getfixturevalue("swift" if request.param == "swift" else "endpoint")
    return bucket_at(url, prefix_of(request))


@pytest.fixture
def spoiled(request: pytest.FixtureRequest, proxy: FaultyStore) -> S3Datasource:
    store = bucket_at(proxy.url, prefix_of(request))
    proxy.clear()
    return store


def test_create_only_writes_never_replace_anything(store: Datasource) -> None:
    first = store.write("tags/1.json", b"one", if_absent=True)
    assert store.stat("tags/1.json") == first
    for other in (b"two", b"one"):
        with pytest.raises(PreconditionFailedError, match=r"tags/1\.json exists already"):
            store.write("tags/1.json", other, if_absent=True)
    assert store.read("tags/1.json") == b"one"


def test_a_version_is_replaced_only_while_it_is_the_current_one(store: Datasource) -> None:
    first = store.write("a", b"1")
    second = store.write("a", b"22", if_match=first.etag)
    assert store.stat("a") == second
    with pytest.raises(PreconditionFailedError, match="another version by now"):
        store.write("a", b"333", if_match=first.etag)
    with pytest.raises(PreconditionFailedError):
        store.write("nothing", b"4", if_match=first.etag)
    assert store.read("a") == b"22"
    assert [item.path for item in store.list()] == ["a"]


def test_a_reader_is_bound_to_its_version(store: Datasource) -> None:
    first = store.write("a", b"1")
    store.write("a", b"22")
    with pytest.raises(ObjectChangedError):
        store.open("a", etag=first.etag)


@pytest.mark.parametrize("kind", ["folder", "moto"])
def test_of_racing_writers_exactly_one_wins(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    endpoint = request.getfixturevalue("endpoint")
    store: Datasource = (
        LocalDatasource(tmp_path) if kind == "folder" else bucket_at(endpoint, "races")
    )
    start = threading.Barrier(8)

    def write(number: int, etag: str | None) -> bool:
        start.wait()
        try:
            store.write("a", b"%d" % number, if_absent=etag is None, if_match=etag)
        except PreconditionFailedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(8), [None] * 8)) == 1
        current = store.stat("a")
        assert current is not None
        assert sum(pool.map(write, range(10, 18), [current.etag] * 8)) == 1


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


def test_a_write_that_conflicts_in_the_store_itself_is_repeated(
    spoiled: S3Datasource, proxy: FaultyStore
) -> None:
    conflict = Fault("status", "PUT .*/a", status=409, code="ConditionalRequestConflict")
    proxy.add(conflict)
    spoiled.write("a", b"1", if_absent=True)
    assert spoiled.read("a") == b"1"
