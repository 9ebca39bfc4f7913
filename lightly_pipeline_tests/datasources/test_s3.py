"""A bucket behaves as a store of objects, and its refusals are explained."""

import os

import boto3
import pytest

from lightly_pipeline.datasources import (
    S3Datasource,
    datasource_from_url,
    list_videos,
    verify_access,
)
from lightly_pipeline.errors import (
    DatasourceError,
    InvalidConfigurationError,
    ObjectChangedError,
    ObjectNotFoundError,
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


def test_what_is_written_is_read_and_listed(store: S3Datasource) -> None:
    record = store.write("sub/a b é%.bin", b"content")
    assert store.read("sub/a b é%.bin") == b"content"
    assert store.stat("sub/a b é%.bin") == record
    assert list(store.list()) == [record]
    assert store.stat("nothing") is None
    assert store.location("x") == "s3://bucket/some/prefix/x"


def test_listing_pages_in_byte_order(store: S3Datasource) -> None:
    names = sorted(
        [f"d{i % 7}/{i:04}.mp4" for i in range(1100)] + ["é.mp4", "a.mp4", "a/b.mp4"],
        key=str.encode,
    )
    for name in reversed(names):
        client(store.endpoint_url).put_object(Bucket="bucket", Key=f"some/prefix/{name}", Body=b"")
    client(store.endpoint_url).put_object(Bucket="bucket", Key="some/prefix/d1/", Body=b"")
    client(store.endpoint_url).put_object(Bucket="bucket", Key="elsewhere/x.mp4", Body=b"")
    assert [video.path for video in list_videos(store)] == names
    assert [item.path for item in store.list("d3/")] == [n for n in names if n.startswith("d3/")]


@pytest.mark.parametrize("size", [0, 1, 1024**2 - 1, 1024**2, 5 * 1024**2 + 7])
def test_ranges_give_the_content_and_few_requests(store: S3Datasource, size: int) -> None:
    content = os.urandom(size)
    record = store.write("a", content)
    with store.open("a", etag=record.etag) as file:
        assert file.read() == content
        assert file.traffic.n_requests <= size / (8 * 1024**2) + 6
        assert file.traffic.n_bytes == size
        for position in (0, size // 2, size):
            file.seek(position)
            assert file.read(1000) == content[position : position + 1000]
        assert file.seek(0, os.SEEK_END) == size


def test_a_replaced_object_is_noticed_before_and_while_reading(store: S3Datasource) -> None:
    first = store.write("a", b"1" * 3 * 1024**2)
    with store.open("a", etag=first.etag) as file:
        file.read(10)
        store.write("a", b"2" * 3 * 1024**2)
        file.seek(2 * 1024**2)
        with pytest.raises(ObjectChangedError, match="changed since it was listed"):
            file.read(10)
    with pytest.raises(ObjectChangedError):
        store.open("a", etag=first.etag)


def test_streamed_writes_appear_whole_or_not_at_all(store: S3Datasource) -> None:
    with store.writer("a") as file:
        file.write(b"....content")
        file.seek(0)
        file.write(b"head")
        assert store.stat("a") is None
    assert store.read("a") == b"headcontent"

    def die_halfway() -> None:
        with store.writer("b") as file:
            file.write(b"half")
            raise RuntimeError("died")

    with pytest.raises(RuntimeError):
        die_halfway()
    assert store.stat("b") is None


def test_missing_things_are_named(store: S3Datasource) -> None:
    with pytest.raises(ObjectNotFoundError, match="s3://bucket/some/prefix/no does not exist"):
        store.read("no")
    with pytest.raises(ObjectNotFoundError):
        store.open("no")
    absent = S3Datasource(
        "s3://absent/", endpoint_url=store.endpoint_url, access_key_id="a", secret_access_key="b"
    )
    with pytest.raises(DatasourceError, match="no such bucket"):
        list(absent.list())


def test_secrets_are_never_shown(store: S3Datasource) -> None:
    import pickle

    assert SECRET not in repr(store) + str(store)
    with pytest.raises(TypeError, match="may hold credentials"):
        pickle.dumps(store)


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


def test_input_that_may_only_list_and_get_and_lightly_that_may_put(
    store: S3Datasource, endpoint: str
) -> None:
    import json
    import urllib.request

    store.write("v.mp4", b"x")
    iam = boto3.client(
        "iam",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    users = {
        "reader": ["s3:ListBucket", "s3:GetObject"],
        "writer": ["s3:ListBucket", "s3:GetObject", "s3:PutObject"],
    }
    stores = {}
    for user, actions in users.items():
        iam.create_user(UserName=user)
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": actions,
                    "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"],
                }
            ],
        }
        iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=user)["AccessKey"]
        stores[user] = S3Datasource(
            "s3://bucket/some/prefix/",
            endpoint_url=endpoint,
            region="us-east-1",
            access_key_id=key["AccessKeyId"],
            secret_access_key=key["SecretAccessKey"],
        )

    def reset_auth(n: int) -> None:
        request = urllib.request.Request(
            f"{endpoint}/moto-api/reset-auth",
            data=str(n).encode(),
            method="POST",
            headers={"Content-Type": "text/plain"},
        )
        urllib.request.urlopen(request)

    reset_auth(0)
    try:
        verify_access(stores["reader"], writable=False)
        verify_access(stores["writer"], writable=True)
        with pytest.raises(
            DatasourceError, match=r"cannot write objects in s3://bucket/some/prefix/"
        ):
            verify_access(stores["reader"], writable=True)
        unknown = S3Datasource(
            "s3://bucket/", endpoint_url=endpoint, access_key_id="nobody", secret_access_key=SECRET
        )
        with pytest.raises(DatasourceError, match="access key is not known") as caught:
            verify_access(unknown, writable=False)
        assert SECRET not in str(caught.value)
    finally:
        reset_auth(10_000_000)


@pytest.mark.parametrize("path", ["bucket/x", "s3://", "http://bucket/x", "s3:///x"])
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(InvalidConfigurationError, match="s3://bucket/prefix/"):
        S3Datasource(path)


def test_a_url_is_enough() -> None:
    store = datasource_from_url("s3://bucket/a/b")
    assert store.describe() == "s3://bucket/a/b/"
