"""Google Cloud Storage and Azure through networks and proxies that spoil requests."""

import random
from collections.abc import Callable, Iterator

import pytest

from lightly_pipeline.datasources import (
    AzureDatasource,
    Datasource,
    bucket,
    confirmed,
    datasource_from_url,
    patience,
)
from lightly_pipeline.errors import (
    DatasourceError,
    InvalidConfigurationError,
    ObjectChangedError,
    PermissionDeniedError,
    PreconditionFailedError,
)
from lightly_pipeline_tests.support.cloud_servers import (
    azurite,
    azurite_program,
    fake_gcs,
    gcs_program,
)
from lightly_pipeline_tests.support.faults import Fault, FaultyStore, faulty
from lightly_pipeline_tests.support.targets import (
    azure_at,
    gcs_at,
    make_azure_container,
    make_gcs_bucket,
)

pytestmark = pytest.mark.slow

MB = 1024 * 1024
ALWAYS = 10_000
# By which Azure's own answers are known.
OWN = {"x-ms-request-id": "1"}
CONTENT = random.Random(7).randbytes(3 * MB + 5)


class Cloud:
    """A store behind a proxy, and the requests of its kind."""

    def __init__(self, proxy: FaultyStore, at: Callable[[str], Datasource], is_azure: bool) -> None:
        self.proxy, self.at, self.is_azure = proxy, at, is_azure
        self.get = "GET .*/video" if is_azure else "GET .*video.*alt=media"
        self.put = "PUT .*/video" if is_azure else "POST .*upload"
        self.listing = "GET .*comp=list" if is_azure else "GET .*/o\\?.*prefix"


@pytest.fixture(scope="module", params=["gcs", "azure"])
def server(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    if request.param == "gcs":
        if gcs_program() is None:
            pytest.skip("fake-gcs-server is not installed")
        with fake_gcs() as url, faulty(url) as proxy:
            make_gcs_bucket(url)
            yield Cloud(proxy, lambda prefix: gcs_at(proxy.url, prefix), is_azure=False)
        return
    if azurite_program() is None:
        pytest.skip("Azurite is not installed (.ci/run shows how)")
    with azurite() as url, faulty(url) as proxy:
        make_azure_container(url)
        account = url.rpartition("/")[2]
        yield Cloud(proxy, lambda prefix: azure_at(f"{proxy.url}/{account}", prefix), is_azure=True)


@pytest.fixture
def cloud(server: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    monkeypatch.setattr(patience, "_BASE_S", 0.02)
    monkeypatch.setattr(bucket, "DEFAULT_PATIENCE_S", 30)
    server.proxy.clear()
    return server


READING = {
    "503": Fault("status", "", times=2, skip=1),
    "500": Fault("status", "", status=500, code="InternalError"),
    "429": Fault("status", "", status=429, code="TooManyRequests"),
    "a reset": Fault("reset", "", times=2, skip=1),
    "a body that ends early": Fault("truncate", "", skip=1),
    "a page": Fault("page", "", skip=1),
    "a page with status 403": Fault("page", "", status=403),
    "another range": Fault("with", "", skip=1, headers={"Content-Range": "bytes 5-9/3145733"}),
    "the whole object": Fault("whole", "", skip=1),
}


@pytest.mark.parametrize("name", READING)
def test_passing_faults_of_reading_change_nothing(cloud: Cloud, name: str) -> None:
    store = cloud.at("reading/")
    etag = store.write("video", CONTENT).etag
    fault = Fault(**{**vars(READING[name]), "match": cloud.get})
    if name == "the whole object" and cloud.is_azure:
        pytest.skip("Azure's client asks by x-ms-range, which the proxy cannot take away")
    cloud.proxy.add(fault)
    with store.open("video", etag=etag) as file:
        assert file.read() == CONTENT
        assert confirmed(file)
    assert not fault.times, "the fault happened"


@pytest.mark.parametrize("kind", ["status", "reset", "truncate", "page"])
def test_retries_do_not_nest(cloud: Cloud, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt is one request, and pauses of half a second leave room for few of them."""
    monkeypatch.setattr(patience, "_BASE_S", 20)
    monkeypatch.setattr(patience.random, "uniform", lambda _, bound: 0.5)
    store = cloud.at("nest/")
    etag = store.write("video", CONTENT).etag
    cloud.proxy.add(Fault(kind, cloud.get, times=ALWAYS))  # type: ignore[arg-type]
    with pytest.raises(DatasourceError):
        store.patient(2).open("video", etag=etag)
    assert cloud.proxy.count(cloud.get) <= 6


@pytest.mark.parametrize("kind", ["status", "reset", "lost answer"])
def test_writes_are_repeated_until_they_are_answered(cloud: Cloud, kind: str) -> None:
    store = cloud.at(f"writing-{kind[:4]}/")
    cloud.proxy.add(Fault(kind, cloud.put))  # type: ignore[arg-type]
    first = store.write("video", b"1", if_absent=True)
    cloud.proxy.add(Fault(kind, cloud.put))  # type: ignore[arg-type]
    second = store.write("video", b"22", if_match=first.etag)
    assert store.stat("video") == second
    cloud.proxy.add(Fault(kind, cloud.put))  # type: ignore[arg-type]
    with store.writer("video") as file:
        file.write(b"streamed" * 10_000)
    assert store.read("video") == b"streamed" * 10_000


def test_another_writers_equal_content_is_a_conflict(cloud: Cloud) -> None:
    store = cloud.at("equal/")

    def other() -> None:
        store.write("video", b"same", if_absent=True)

    cloud.proxy.add(Fault("first", cloud.put, action=other))
    with pytest.raises(PreconditionFailedError):
        store.write("video", b"same", if_absent=True)


@pytest.mark.parametrize("kind", ["status", "page", "truncate"])
def test_a_listing_that_fails_or_is_none_is_asked_for_again(cloud: Cloud, kind: str) -> None:
    store = cloud.at("listing/")
    store.write("video", b"1")
    cloud.proxy.add(Fault(kind, cloud.listing, times=2))  # type: ignore[arg-type]
    assert [item.path for item in store.list()] == ["video"]


def test_a_condition_that_fails_is_a_changed_object(cloud: Cloud) -> None:
    store = cloud.at("changed/")
    etag = store.write("video", b"1").etag
    cloud.proxy.add(Fault("status", cloud.get, status=412, code="x", headers=OWN))
    with pytest.raises(ObjectChangedError, match="run again to take the new version"):
        store.open("video", etag=etag)


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (403, PermissionDeniedError, "the credentials do not allow it"),
        (503, DatasourceError, "throttled for longer than was waited"),
        (500, DatasourceError, "the store does not answer"),
    ],
)
def test_lasting_refusals_say_what_to_do(
    cloud: Cloud, status: int, kind: type[DatasourceError], said: str
) -> None:
    cloud.proxy.add(Fault("status", cloud.get, times=ALWAYS, status=status, code="x", headers=OWN))
    with pytest.raises(kind, match=said):
        cloud.at("lasting/").patient(0.2).open("video")
    if status == 403:
        assert cloud.proxy.count(cloud.get) == 1


def test_a_bucket_that_is_not_there_is_named(cloud: Cloud) -> None:
    there = cloud.at("x/")
    absent = datasource_from_url(
        "az://absent/" if cloud.is_azure else "gs://absent/",
        options={
            name: getattr(there, name)
            for name in ("account_name", "account_key", "endpoint_url")
            if hasattr(there, name)
        },
    )
    with pytest.raises(DatasourceError, match=r"there is no such (bucket|container)"):
        next(absent.list(), None)


def test_a_byte_turned_over_is_seen_by_the_stores_md5(cloud: Cloud) -> None:
    store = cloud.at("flip/")
    etag = store.write("video", CONTENT).etag
    cloud.proxy.add(Fault("flip", cloud.get, skip=1, at=1000))
    with store.open("video", etag=etag) as file:
        assert file.read() != CONTENT
        assert not confirmed(file)


@pytest.mark.parametrize(
    "url",
    [
        "az://container/x?sv=2024&sig=canary",
        "az://canary@container/x",
        "gs://key:canary@bucket/",
    ],
)
def test_a_secret_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidConfigurationError, match="must not hold a user") as caught:
        datasource_from_url(url)
    assert "canary" not in str(caught.value)


def test_a_key_file_that_is_none_is_refused_and_not_repeated() -> None:
    for credentials in ("canary", '{"type": "authorized_user", "refresh_token": "canary"}'):
        with pytest.raises(InvalidConfigurationError, match="key file") as caught:
            datasource_from_url("gs://bucket/", options={"credentials": credentials})
        assert "canary" not in str(caught.value)
    store = AzureDatasource("az://c/", account_name="a", account_key="canary", sas_token="canary")
    assert "canary" not in repr(store)


def test_an_account_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCOUNT_NAME", "CONNECTION_STRING"):
        monkeypatch.delenv(f"AZURE_STORAGE_{name}", raising=False)
    with pytest.raises(InvalidConfigurationError, match="AZURE_STORAGE_ACCOUNT_NAME"):
        next(AzureDatasource("az://c/").list(), None)


@pytest.mark.parametrize(
    ("url", "meant"), [("gcs://b/x", "gs://bucket/"), ("abfss://c/x", "az://container/")]
)
def test_other_spellings_are_told_the_right_one(url: str, meant: str) -> None:
    with pytest.raises(InvalidConfigurationError, match=f"write {meant}"):
        datasource_from_url(url)
