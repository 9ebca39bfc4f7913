"""Stores with habits, in front of a real one; what they hold, how they are named, who pays."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightly_pipeline import Dataset, LocalDatasource, S3Datasource, run
from lightly_pipeline.datasets import load_datasets
from lightly_pipeline.datasources import patience, s3_client, verify_access
from lightly_pipeline.errors import (
    ArchivedObjectError,
    DatasourceError,
    InvalidConfigurationError,
    PermissionDeniedError,
    StoreFullError,
)
from lightly_pipeline_tests.support.faults import Fault, FaultyStore, faulty
from lightly_pipeline_tests.support.s3_servers import ACCESS_KEY, SECRET_KEY, client_at, make_bucket
from lightly_pipeline_tests.support.videos import RECIPES, make_video

BY_NAME = {recipe.name: recipe for recipe in RECIPES}
BUCKET = "odd"
ALWAYS = 10_000


@pytest.fixture(scope="module")
def proxy(endpoint: str) -> Iterator[FaultyStore]:
    with faulty(endpoint) as store:
        yield store


@pytest.fixture
def odd(
    endpoint: str,
    proxy: FaultyStore,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> FaultyStore:
    """The proxy, with nothing in the environment but keys."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setattr(patience, "_BASE_S", 0.02)
    make_bucket(endpoint, BUCKET)
    proxy.clear()
    return proxy


def place(request: pytest.FixtureRequest) -> str:
    return f"s3://{BUCKET}/{abs(hash(request.node.name))}/"


@pytest.mark.parametrize("storage", ["GLACIER", "DEEP_ARCHIVE"])
@pytest.mark.parametrize("name", ["0-first.mp4", "z-last.mp4"])
def test_archived_videos_are_named_and_the_others_are_done(
    odd: FaultyStore,
    endpoint: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    storage: str,
    name: str,
) -> None:
    store = S3Datasource(place(request), endpoint_url=odd.url)
    video = make_video(tmp_path, BY_NAME["h264.mp4"], "a.mp4", seed=1).read_bytes()
    store.write("m.mp4", video)
    key = {"Bucket": BUCKET, "Key": f"{store.prefix}{name}"}
    client_at(endpoint).put_object(**key, Body=video, StorageClass=storage)
    result = run(
        Dataset("a", input=store, lightly=LocalDatasource(tmp_path / "out")),
        selection_config={"n_samples": 3},
    )
    assert result.n_selected == 3
    assert {frame.video for frame in result.selected} == {"m.mp4"}
    assert set(result.failed_videos) == {name}
    assert "it is archived and cannot be read at once" in result.failed_videos[name]
    assert "restore" in result.failed_videos[name]
    with pytest.raises(ArchivedObjectError):
        store.open(name)


def never_matches(request: str, headers: Any) -> Fault | None:
    """SeaweedFS 3.97."""
    if request.startswith("GET") and headers.get("If-Match"):
        return Fault("status", "", status=412, code="PreconditionFailed")
    return None


def test_a_store_whose_conditions_never_hold_is_read_and_versions_are_still_compared(
    odd: FaultyStore, endpoint: str, request: pytest.FixtureRequest
) -> None:
    odd.refuses = never_matches
    store = S3Datasource(place(request), endpoint_url=odd.url)
    for name in "ab":
        store.write(name, b"1" * 3_000_000)
    first = {item.path: item for item in store.list()}
    for name in "ab":
        with store.open(name, etag=first[name].etag) as file:
            assert len(file.read()) == 3_000_000
    # Once it is known, a condition is no longer tried.
    assert odd.count("HEAD") == 1
    with store.open("a", etag=first["a"].etag) as file:
        file.read(10)
        store.write("a", b"2" * 3_000_000)
        file.seek(2_500_000)
        with pytest.raises(DatasourceError, match="changed"):
            file.read(10)
    with pytest.raises(DatasourceError, match="changed"):
        store.open("a", etag=first["a"].etag)


@pytest.mark.parametrize("spelling", ["bare", "weak", "quoted"])
def test_etags_are_the_same_however_they_are_spelt(
    odd: FaultyStore, request: pytest.FixtureRequest, spelling: str
) -> None:
    store = S3Datasource(place(request), endpoint_url=odd.url)
    etag = store.write("a", b"content").etag.strip('"')
    spelt = {"bare": etag, "weak": f'W/"{etag}"', "quoted": f'"{etag}"'}[spelling]
    odd.refuses = never_matches
    with store.open("a", etag=spelt) as file:
        assert file.read() == b"content"


def refuses_checksums(request: str, headers: Any) -> Fault | None:
    """Backblaze B2 as in s3transfer's issue 327, and others."""
    if any(name.lower().startswith("x-amz-sdk-checksum") for name in headers):
        return Fault("status", "", status=400, code="InvalidArgument")
    return None


@pytest.mark.parametrize(
    "way",
    [
        "option",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "profile",
        "default profile",
        "service of a profile",
    ],
)
def test_checksum_headers_follow_the_endpoint_that_is_really_used(
    odd: FaultyStore,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    way: str,
) -> None:
    odd.refuses = refuses_checksums
    options: dict[str, Any] = {}
    config = tmp_path / "aws-config"
    if way == "option":
        options["endpoint_url"] = odd.url
    elif way == "profile":
        config.write_text(
            f"[profile mine]\nendpoint_url = {odd.url}\naws_access_key_id = a\n"
            "aws_secret_access_key = b\n"
        )
        options["profile"] = "mine"
    elif way == "default profile":
        config.write_text(f"[default]\nendpoint_url = {odd.url}\n")
    elif way == "service of a profile":
        config.write_text(
            f"[default]\nservices = own\n[services own]\ns3 =\n  endpoint_url = {odd.url}\n"
        )
    else:
        monkeypatch.setenv(way, odd.url)
    store = S3Datasource(place(request), **options)
    verify_access(store, writable=True)
    with store.writer("b") as file:
        file.write(b"streamed")
    assert store.read("b") == b"streamed"


@pytest.mark.parametrize(
    ("url", "is_aws"),
    [
        ("https://s3.amazonaws.com", True),
        ("https://s3.eu-west-1.amazonaws.com", True),
        ("https://s3.cn-north-1.amazonaws.com.cn", True),
        ("https://s3.dualstack.us-east-1.api.aws", True),
        ("https://bucket.vpce-1a2b-3c.s3.us-east-1.vpce.amazonaws.com", True),
        ("https://amazonaws.com.example.org", False),
        ("https://s3.us-west-004.backblazeb2.com", False),
        ("http://localhost:9000", False),
    ],
)
def test_which_endpoints_are_awss(url: str, is_aws: bool) -> None:
    assert s3_client.is_aws(url) is is_aws


def wants_a_payer(request: str, headers: Any) -> Fault | None:
    if headers.get("x-amz-request-payer") != "requester":
        return Fault("status", "", status=403, code="AccessDenied")
    return None


def test_where_the_reader_pays_every_request_says_so(
    odd: FaultyStore, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    odd.refuses = wants_a_payer
    silent = S3Datasource(place(request), endpoint_url=odd.url)
    with pytest.raises(PermissionDeniedError, match="set request_payer"):
        silent.write("a", b"1")
    paying = S3Datasource(place(request), endpoint_url=odd.url, request_payer="requester")
    verify_access(paying, writable=True)
    first = paying.write("a", b"1", if_absent=True)
    assert paying.stat("a") == first
    assert paying.patient(1).read("a") == b"1"
    with paying.open("a", etag=first.etag) as file:
        assert file.read() == b"1"
    assert [item.path for item in paying.list("a")] == ["a"]
    paying.delete("a")
    assert "x-amz-request-payer" in paying.read_url("a", valid_s=60)
    declared = tmp_path / "datasets.yaml"
    declared.write_text(
        "datasets:\n  a:\n    input: {resource_path: s3://b/in/, request_payer: requester}\n"
        "    lightly: out\n"
    )
    (dataset,) = load_datasets(declared)
    assert dataset.input.request_payer == "requester"  # type: ignore[attr-defined]


SECRET = "canary/9f2+secret"


@pytest.mark.parametrize(
    "options",
    [
        {"resource_path": f"s3://KEY:{SECRET}@bucket/prefix/"},
        {"resource_path": "s3://canary@bucket/"},
        {"resource_path": "s3://bucket/", "endpoint_url": f"https://user:{SECRET}@host:9000"},
        {"resource_path": "s3://bucket/", "endpoint_url": "http://canary@host"},
    ],
    ids=str,
)
def test_a_secret_in_a_url_is_refused_and_not_repeated(
    options: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(InvalidConfigurationError, match="must not hold a user") as caught:
        S3Datasource(**options)
    assert "canary" not in str(caught.value)
    declared = tmp_path / "datasets.yaml"
    declared.write_text(json.dumps({"datasets": {"a": {"input": options, "lightly": "out"}}}))
    with pytest.raises(InvalidConfigurationError) as caught:
        load_datasets(declared)
    assert "canary" not in str(caught.value)
    if "endpoint_url" not in options:
        arguments = ["--input", options["resource_path"], "--lightly", str(tmp_path / "out")]
        done = subprocess.run(
            [sys.executable, "-m", "lightly_pipeline", "run", *arguments],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        assert "must not hold a user" in done.stderr
        assert "canary" not in done.stdout + done.stderr


def test_while_a_store_is_waited_for_the_log_says_so_and_for_how_long(
    odd: FaultyStore,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(patience, "_SILENT_S", 0.2)
    monkeypatch.setattr(patience, "_SAY_EVERY_S", 0.5)
    store = S3Datasource(place(request), endpoint_url=odd.url).patient(2)
    odd.add(Fault("status", "GET .*/a", times=ALWAYS))
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(DatasourceError, match="throttled for longer than was waited"),
    ):
        store.read("a")
    lines = [record.getMessage() for record in caplog.records if "waiting" in record.getMessage()]
    assert 1 <= len(lines) <= 5
    assert f"waiting for {store.location('a')}: throttled (SlowDown); trying for" in lines[0]


@pytest.mark.parametrize("kind", ["status", "reset", "page", "truncate", "whole"])
def test_retries_do_not_nest(
    odd: FaultyStore, request: pytest.FixtureRequest, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt is one request, and pauses of half a second leave room for few of them."""
    monkeypatch.setattr(patience, "_BASE_S", 20)
    monkeypatch.setattr(patience.random, "uniform", lambda _, bound: 0.5)
    store = S3Datasource(place(request), endpoint_url=odd.url).patient(2)
    store.write("a", b"1" * 3_000_000)
    odd.add(Fault(kind, "GET .*/a", times=ALWAYS))  # type: ignore[arg-type]
    with pytest.raises(DatasourceError), store.open("a") as file:
        file.read()
    assert odd.count("GET .*/a") <= 6


@pytest.mark.parametrize(
    ("status", "code", "kind", "said"),
    [
        (507, "XMinioStorageFull", StoreFullError, "the store is full"),
        (403, "QuotaExceeded", StoreFullError, "make room"),
        (403, "InvalidAccessKeyId", PermissionDeniedError, "the access key is not known there"),
        (400, "InvalidToken", PermissionDeniedError, "AWS_SESSION_TOKEN"),
        (301, "PermanentRedirect", DatasourceError, "another region"),
        (400, "KeyTooLongError", DatasourceError, "does not take this name"),
    ],
)
def test_lasting_refusals_end_at_once_and_say_what_to_do(
    odd: FaultyStore,
    request: pytest.FixtureRequest,
    status: int,
    code: str,
    kind: type[DatasourceError],
    said: str,
) -> None:
    odd.add(Fault("status", "PUT .*/a", times=ALWAYS, status=status, code=code))
    with pytest.raises(kind, match=said):
        S3Datasource(place(request), endpoint_url=odd.url).write("a", b"1")
    assert odd.count("PUT .*/a") <= 2
