"""Faults that need another store: one that checks signatures and digests, one behind TLS."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import botocore.auth
import pytest

from lightly_pipeline import Dataset, S3Datasource, run
from lightly_pipeline.datasources import patience
from lightly_pipeline.errors import DatasourceError
from lightly_pipeline_tests.reliability.stores.cases import (
    ALWAYS,
    IMAGE,
    IMPATIENT_S,
    MANIFEST,
    RAW,
    TABLE,
)
from lightly_pipeline_tests.reliability.stores.conftest import SECRET, MakeChain, at, quick_client
from lightly_pipeline_tests.support.certificates import make_certificate
from lightly_pipeline_tests.support.chains import N_SAMPLES, Chain, Truths, Videos
from lightly_pipeline_tests.support.faults import Fault, FaultyStore, faulty
from lightly_pipeline_tests.support.s3_servers import (
    ACCESS_KEY,
    SECRET_KEY,
    make_bucket,
    store_at,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
OPTIONS: dict[str, Any] = {
    "worker_config": {"upload_report": False},
    "selection_config": {"n_samples": N_SAMPLES},
}


@pytest.fixture(scope="module")
def swift_proxy(swift: str) -> Iterator[FaultyStore]:
    with faulty(swift) as store:
        yield store


@pytest.fixture
def on_swift(
    swift: str,
    swift_proxy: FaultyStore,
    truths: Truths,
    contents: Videos,
    monkeypatch: pytest.MonkeyPatch,
) -> Chain:
    """A chain on a store that checks signatures, clocks and digests."""
    monkeypatch.setattr(patience, "_BASE_S", 0.05)
    make_bucket(swift, "edges")
    prefix = uuid.uuid4().hex
    behind = store_at(swift_proxy.url, f"s3://edges/{prefix}/")
    dataset = Dataset("chain", input=at(behind, "in"), lightly=at(behind, "out"))
    chain = Chain(dataset, store_at(swift, f"s3://edges/{prefix}"), swift_proxy, truths)
    chain.put(contents)
    swift_proxy.clear()
    return chain


@pytest.mark.parametrize("kind", ["flip sent", "cut sent"])
def test_12_and_13_what_arrives_damaged_is_sent_again(
    on_swift: Chain, kind: Literal["flip sent", "cut sent"]
) -> None:
    faults = [Fault(kind, match, times=2, at=40) for match in (IMAGE, TABLE, MANIFEST)]
    on_swift.proxy.add(*faults)
    result = on_swift.run()
    assert not any(fault.times for fault in faults)
    on_swift.check(result)


@pytest.mark.parametrize(
    ("key", "secret", "says"),
    [
        (ACCESS_KEY, SECRET, "the secret key does not belong to the access key"),
        ("test:nobody", SECRET, "the access key is not known there|does not belong to the access"),
    ],
    ids=["wrong secret", "unknown key"],
)
def test_28_wrong_keys_are_told_before_any_work(
    on_swift: Chain, key: str, secret: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    place = on_swift.direct.describe()
    source, store = (
        S3Datasource(
            f"{place}{folder}/",
            endpoint_url=on_swift.proxy.url,
            region="us-east-1",
            access_key_id=key,
            secret_access_key=secret,
        )
        for folder in ("in", "out")
    )
    with pytest.raises(DatasourceError, match=says) as caught:
        run(Dataset("chain", input=source, lightly=store), **OPTIONS)
    assert SECRET not in str(caught.value) + caplog.text
    assert len(on_swift.proxy.requests) <= 2
    on_swift.check_failure(caught.value)


@pytest.mark.parametrize("hours", [2, -2])
def test_30_a_wrong_clock_is_named(
    on_swift: Chain, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = botocore.auth.get_current_datetime

    def skewed(**how: Any) -> dt.datetime:
        return right(**how) + dt.timedelta(hours=hours)

    with monkeypatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", skewed)
        with pytest.raises(DatasourceError, match=r"this machine's clock is wrong.*set the clock"):
            on_swift.run()
    on_swift.check(on_swift.run())


def needs_length(request: str, headers: Any) -> Fault | None:
    """Ceph 16, and others: a body has its length in a header, or is refused."""
    if request.startswith("PUT") and "Content-Length" not in headers:
        return Fault("status", "", status=411, code="MissingContentLength")
    return None


@pytest.fixture
def by_tls(
    endpoint: str, make_chain: MakeChain, tmp_path: Path
) -> Iterator[Callable[[str | None], Chain]]:
    """Makes a chain on an old store that is spoken to by TLS, trusting a bundle of authorities."""
    chain = make_chain()
    context, bundle = make_certificate(tmp_path)
    with faulty(endpoint, context) as old:
        old.refuses = needs_length

        def make(verify: str | None) -> Chain:
            behind = S3Datasource(
                chain.direct.describe(),
                endpoint_url=old.url,
                region="us-east-1",
                access_key_id=ACCESS_KEY,
                secret_access_key=SECRET_KEY,
                verify=str(bundle) if verify else None,
            )
            dataset = Dataset("chain", input=at(behind, "in"), lightly=at(behind, "out"))
            return Chain(dataset, chain.direct, old, chain.truths)

        yield make


def test_34_an_old_store_is_spoken_to_by_tls(
    by_tls: Callable[[str | None], Chain], tmp_path: Path
) -> None:
    chain = by_tls("its own authority")
    chain.check(chain.run())
    # The store would refuse what boto3 sends by default.
    url, bundle = chain.proxy.url, str(tmp_path / "authority.pem")
    client = quick_client(url, verify=bundle, request_checksum_calculation="when_supported")
    with pytest.raises(client.exceptions.ClientError, match="MissingContentLength"):
        client.put_object(Bucket=chain.direct.bucket, Key="x", Body=b"1")


def test_34_an_authority_that_is_not_trusted_is_told(
    by_tls: Callable[[str | None], Chain],
) -> None:
    with pytest.raises(DatasourceError, match=r"certificate is not trusted.*name the bundle"):
        by_tls(None).run(patience_s=60)


def test_34_a_connection_that_breaks_is_no_matter_of_certificates(
    by_tls: Callable[[str | None], Chain],
) -> None:
    chain = by_tls("its own authority")
    fault = Fault("reset", RAW, times=2)
    chain.proxy.add(fault)
    chain.check(chain.run())
    assert not fault.times
    chain.proxy.add(Fault("reset", ".", times=ALWAYS))
    with pytest.raises(DatasourceError, match="the store does not answer"):
        chain.run(patience_s=IMPATIENT_S)


@pytest.mark.parametrize("match", [RAW, IMAGE], ids=["reading", "storing"])
def test_35_a_slow_link_is_no_fault(make_chain: MakeChain, match: str) -> None:
    """Whatever comes within a time-out keeps it from running out."""
    chain = make_chain(is_impatient=True)
    kind, pace = ("trickle", 700_000) if match == RAW else ("trickle sent", 12_000)
    chain.proxy.add(Fault(kind, match, times=ALWAYS, at=pace))  # type: ignore[arg-type]
    chain.check(chain.run())
