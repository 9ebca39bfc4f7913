"""Starts object stores in processes of their own."""

import importlib.util
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightly_pipeline.datasources import S3Datasource

ACCESS_KEY, SECRET_KEY = "test:admin", "adminsecret"


def has_swift() -> bool:
    """Whether Swift is installed (Linux only)."""
    return importlib.util.find_spec("swift") is not None


def store_at(url: str, place: str) -> S3Datasource:
    """Returns the datasource of s3://bucket/prefix/ on a test server."""
    return S3Datasource(
        place,
        endpoint_url=url,
        region="us-east-1",
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET_KEY,
    )


def client_at(url: str, key: str = ACCESS_KEY, secret: str = SECRET_KEY) -> Any:
    """Returns boto3's client of a test server."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )


def make_bucket(url: str, bucket: str) -> None:
    """Makes a bucket that may be there already."""
    from botocore.exceptions import ClientError

    client = client_at(url)
    try:
        client.create_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise


def emptied_bucket(url: str, name: str) -> Any:
    """Returns a boto3 bucket with nothing in it, by the credentials in the environment."""
    import boto3

    # A session of its own: boto3's default one would keep the keys of the store before.
    bucket = boto3.Session().resource("s3", endpoint_url=url).Bucket(name)
    if bucket.creation_date is None:
        bucket.create()
    for item in bucket.objects.all():
        item.delete()
    return bucket


@contextmanager
def swift_server(folder: Path, region: str = "us-east-1") -> Iterator[str]:
    """Runs Swift on a free port and yields its URL; requests must be signed for its region."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    module = "lightly_pipeline_tests.support.swift_server"
    with (
        (folder / "swift.log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", module, str(folder), str(port), region],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "ready":
                raise RuntimeError((folder / "swift.log").read_text()[-2000:])
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@contextmanager
def s3_process(kind: str, folder: Path) -> Iterator[tuple[str, int]]:
    """Runs a store in a process of its own, and yields its URL and the process' number.

    Args:
        kind: "swift", or "moto", which is meant where there is no Swift.
        folder: For its files; made here.
    """
    folder.mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = ["moto.server", "-p", port]
    if kind == "swift" and has_swift():
        module = "lightly_pipeline_tests.support.swift_server"
        command = [module, str(folder), port, "us-east-1"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", *command],
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            _wait_for_answers(int(port), process)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.kill()


def _wait_for_answers(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, "the store ended"
        assert time.monotonic() < deadline, "the store does not answer"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
