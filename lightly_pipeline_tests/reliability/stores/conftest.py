"""The whole chain behind a proxy, once a test; servers, clients and the truth once a session."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.config import Config

from lightly_pipeline import Dataset, S3Datasource
from lightly_pipeline.datasources import patience
from lightly_pipeline_tests.support.chains import Chain, Truths, Videos, client_of, make_contents
from lightly_pipeline_tests.support.faults import FaultyStore, faulty
from lightly_pipeline_tests.support.s3_servers import ACCESS_KEY, make_bucket

BUCKET = "matrix"
SECRET = "canary-secret-71b0"
MakeChain = Callable[..., Chain]


@pytest.fixture(scope="session")
def truths() -> Truths:
    return Truths()


@pytest.fixture(scope="session")
def contents() -> dict[str, bytes]:
    return make_contents()


@pytest.fixture(scope="session")
def proxy(endpoint: str) -> Iterator[FaultyStore]:
    with faulty(endpoint) as store:
        yield store


@pytest.fixture(scope="session")
def direct(endpoint: str) -> S3Datasource:
    """The bucket, past the proxy."""
    make_bucket(endpoint, BUCKET)
    return _at(endpoint)


@pytest.fixture(scope="session")
def behind(proxy: FaultyStore) -> S3Datasource:
    """The bucket behind the proxy, by the client that the package makes."""
    return _at(proxy.url)


@pytest.fixture(scope="session")
def impatient(proxy: FaultyStore) -> S3Datasource:
    """The same by a client that waits a second for an answer, where the package's waits 30."""
    return _at(proxy.url).with_client(lambda: quick_client(proxy.url))


@pytest.fixture
def make_chain(
    direct: S3Datasource,
    behind: S3Datasource,
    impatient: S3Datasource,
    proxy: FaultyStore,
    truths: Truths,
    contents: Videos,
    monkeypatch: pytest.MonkeyPatch,
) -> MakeChain:
    """Makes a chain of its own, with the usual videos and nothing in LIGHTLY."""
    # Pauses between tries; how long is tried is an option.
    monkeypatch.setattr(patience, "_BASE_S", 0.05)

    def make(videos: Videos = contents, *, is_impatient: bool = False, **options: Any) -> Chain:
        prefix = uuid.uuid4().hex
        base = impatient if is_impatient else behind
        dataset = Dataset(
            "chain", input=at(base, f"{prefix}/in"), lightly=at(base, f"{prefix}/out")
        )
        chain = Chain(dataset, at(direct, prefix), proxy, truths, options)
        chain.put(videos)
        proxy.clear()
        return chain

    return make


def at(base: S3Datasource, folder: str) -> S3Datasource:
    """Returns a folder of the bucket, reached by the same client."""
    place = replace(base, resource_path=f"{base.describe()}{folder}/")
    return place.with_client(lambda: client_of(base))


def quick_client(
    url: str, *, verify: str | None = None, request_checksum_calculation: str = "when_required"
) -> Any:
    """Returns a client that waits a second for an answer and tries once."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET,
        verify=verify,
        config=Config(
            read_timeout=1,
            retries={"total_max_attempts": 1},
            request_checksum_calculation=request_checksum_calculation,
            s3={"addressing_style": "path"},
        ),
    )


def _at(url: str) -> S3Datasource:
    return S3Datasource(
        f"s3://{BUCKET}/",
        endpoint_url=url,
        region="us-east-1",
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET,
    )
