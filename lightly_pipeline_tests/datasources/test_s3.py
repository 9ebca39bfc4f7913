"""A bucket behaves as a store of objects, and its refusals are explained."""

import os

import boto3
import pytest

from lightly_pipeline.datasources import (
    S3Datasource,
    datasource_from_url,
    list_videos,
)
from lightly_pipeline.errors import (
    DatasourceError,
    InvalidConfigurationError,
    PermissionDeniedError,
)

pytestmark = pytest.mark.slow

SECRET = "canary-secret-5f3c"


@pytest.fixture
def store(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> S3Datasource:
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST"))
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    client(endpoint).create_bucket(Bucket="bucket")
    return S3Datasource(
        "s3://bucket/some/prefix/",
        endpoint_url=endpoint,
        access_key_id="key",
        secret_access_key=SECRET,
        region="us-east-1",
    )


def client(endpoint: str, **keys: str):
    plain = {"aws_access_key_id": "admin", "aws_secret_access_key": "admin", **keys}
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **plain)


def test_listing_pages_in_byte_order(store: S3Datasource) -> None:
    names = sorted(
        [f"d{i % 7}/{i:04}.mp4" for i in range(1100)] + ["é.mp4", "a.mp4", "a/b.mp4"],
        key=str.encode,
    )
    bucket = client(store.endpoint_url)
    for name in reversed(names):
        bucket.put_object(Bucket="bucket", Key=f"some/prefix/{name}", Body=b"")
    bucket.put_object(Bucket="bucket", Key="some/prefix/d1/", Body=b"")
    bucket.put_object(Bucket="bucket", Key="elsewhere/x.mp4", Body=b"")
    assert [video.path for video in list_videos(store)] == names
    assert [item.path for item in store.list("d3/")] == [n for n in names if n.startswith("d3/")]


def test_a_bucket_that_is_not_there_is_named(store: S3Datasource) -> None:
    absent = S3Datasource(
        "s3://absent/", endpoint_url=store.endpoint_url, access_key_id="a", secret_access_key="b"
    )
    with pytest.raises(DatasourceError, match="no such bucket"):
        list(absent.list())


def test_without_credentials_it_says_what_to_set(
    store: S3Datasource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nonexistent")
    bare = S3Datasource("s3://bucket/", endpoint_url=store.endpoint_url)
    with pytest.raises(PermissionDeniedError, match="AWS_PROFILE"):
        list(bare.list())


def test_an_unreachable_store_is_an_infrastructure_error() -> None:
    gone = S3Datasource(
        "s3://bucket/",
        endpoint_url="http://127.0.0.1:9",
        access_key_id="a",
        secret_access_key=SECRET,
    ).patient(0)
    with pytest.raises(
        DatasourceError, match=r"cannot list s3://bucket/: the store does not answer"
    ) as e:
        list(gone.list())
    assert SECRET not in str(e.value)


@pytest.mark.parametrize("path", ["bucket/x", "s3://", "http://bucket/x", "s3:///x"])
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(InvalidConfigurationError, match="s3://bucket/prefix/"):
        S3Datasource(path)


def test_a_url_is_enough() -> None:
    store = datasource_from_url("s3://bucket/a/b")
    assert store.describe() == "s3://bucket/a/b/"
