"""Secrets come out nowhere, whatever goes wrong.

Markers are planted by every way of configuration, users' processes run into every kind of error,
and then everything that was printed, stored or started is searched for them. What may hold one is
listed below, with the reason.
"""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import quote

import boto3
import psycopg2
import pytest
import yaml

from lightly_pipeline_tests.support.clients import BY_NAME
from lightly_pipeline_tests.support.faults import Fault, FaultyStore
from lightly_pipeline_tests.support.markers import MARKERS, forms, found_below, found_in
from lightly_pipeline_tests.support.postgres_server import has_postgres, postgres_server
from lightly_pipeline_tests.support.s3_servers import (
    ACCESS_KEY,
    SECRET_KEY,
    has_swift,
    swift_server,
)
from lightly_pipeline_tests.support.videos import make_video

pytestmark = [
    pytest.mark.slow,
    pytest.mark.integration,
    pytest.mark.skipif(not has_swift(), reason="Swift is not installed (Linux only)"),
]

SCRIPTS = "lightly_pipeline_tests.reliability.secret_scripts"
# Which secret may be where, and why.
ALLOWED = (
    ("profile", "user/.aws/credentials", "the user's own file"),
    ("YAML", "files/*.yaml", "the user's own file"),
    ("YAML, URL", "files/*.yaml", "the user's own file"),
    ("options", "files/*.yaml", "the user's own file"),
    ("client*", "state/credentials/*.json", "mode 0600, one per datasource; docs/from-lightly.md"),
    ("launch", "dagster/*", "Dagster stores a launch before we see it; docs/deployment.md"),
)
# How the process list shows which processes are ours.
SIGN = "LIGHTLY_PIPELINE_TEST_OF_SECRETS"


class Processes:
    """Notes the command lines of all processes that carry the sign."""

    def __init__(self, sign: str) -> None:
        self._sign = f"{SIGN}={sign}".encode()
        self._ended = threading.Event()
        self.seen: dict[int, bytes] = {}
        self.typed: set[int] = set()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        foreign: set[int] = set()
        while not self._ended.wait(0.05):
            numbers = {int(name) for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208
            foreign &= numbers
            for number in numbers - foreign:
                folder = Path("/proc", str(number))
                try:
                    if self._sign in (folder / "environ").read_bytes().split(b"\0"):
                        self.seen[number] = (folder / "cmdline").read_bytes()
                    else:
                        foreign.add(number)
                except OSError:
                    continue

    def close(self) -> dict[int, bytes]:
        """Returns what was seen of processes that no user typed."""
        self._ended.set()
        self._thread.join()
        return {number: line for number, line in self.seen.items() if number not in self.typed}


@pytest.fixture
def stores(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[dict[str, str]]:
    """URLs of a store with a video, and of others of all moods."""
    folder = tmp_path_factory.mktemp("swift")
    make_video(tmp_path / "in", BY_NAME["mpeg4.avi"], "a.avi")
    with ExitStack() as stack:
        url = stack.enter_context(swift_server(folder))
        client = client_of(url)
        client.create_bucket(Bucket="bucket")
        client.upload_file(str(tmp_path / "in" / "a.avi"), "bucket", "videos/a.avi")
        urls = {"AWS_ENDPOINT_URL_S3": url, "AWS_ENDPOINT_URL_STS": url}
        for name, fault in (
            ("FORBIDDEN", Fault("status", ".", 10**6, status=403, code="AccessDenied")),
            ("HTML", Fault("page", ".", 10**6)),
            ("SILENT", Fault("reset", ".", 10**6)),
        ):
            store = FaultyStore(url)
            stack.callback(store.close)
            store.add(fault)
            urls[name] = store.url
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            urls["GONE"] = f"http://127.0.0.1:{probe.getsockname()[1]}"
        yield urls


def client_of(url: str) -> object:
    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
    return boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)


def plant(root: Path, stores: Mapping[str, str]) -> dict[str, str]:
    """Writes the user's files and returns the environment of his processes."""
    for name in ("user/.aws", "files", "state", "dagster", "tmp", "output"):
        (root / name).mkdir(parents=True)
    (root / "user" / ".aws" / "credentials").write_text(
        f"[planted]\naws_access_key_id = test:admin\naws_secret_access_key = {MARKERS['profile']}\n"
    )
    place = {"resource_path": "s3://bucket/videos/", "region": "us-east-1"}
    files: dict[str, object] = {
        "key": {"datasets": {"a": {"input": {**place, "secret_access_key": MARKERS["YAML"]}}}},
        "url": {"datasets": {"a": {"input": f"s3://AK:{MARKERS['YAML, URL']}@b/", "lightly": "o"}}},
        "type": {"datasets": {"a": {"input": {**place, "external_id": [MARKERS["YAML"]]}}}},
        "options": {"worker_config": {"datasource": {"secret_key": MARKERS["options"]}}},
    }
    for name, content in files.items():
        (root / "files" / f"{name}.yaml").write_text(yaml.safe_dump(content))
    (root / "files" / "torn.yaml").write_text(f"datasets: {{a: {{password: {MARKERS['YAML']}]\n")
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "LIGHTLY_"))},
        **stores,
        SIGN: str(root),
        "HOME": str(root / "user"),
        "TMPDIR": str(root / "tmp"),
        "FILES": str(root / "files"),
        "DAGSTER_HOME": str(root / "dagster"),
        "LIGHTLY_PIPELINE_HOME": str(root / "state"),
        "SECRET_OF_MINE": MARKERS["EnvVar"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }


def test_secrets_come_out_nowhere(tmp_path: Path, stores: dict[str, str]) -> None:
    root = tmp_path / "root"
    environment = plant(root, stores)
    processes = Processes(str(root))

    def do(name: str, *arguments: str, **more: str) -> None:
        with (root / "output" / name).open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                env={**environment, **more},
                stdout=output,
                stderr=output,
            )
            # What a user types himself is his; what we start is not.
            processes.typed.add(process.pid)
            process.wait(600)

    with server(root) as state:
        refused = {
            "AWS_SECRET_ACCESS_KEY": MARKERS["environment"],
            "AWS_SESSION_TOKEN": MARKERS["environment, session token"],
        }
        command = ("lightly_pipeline", "run", "--lightly", "s3://bucket/other/", "--n-samples", "2")
        worker = ("lightly_pipeline", "worker", "--once")
        good = (*command, "--input", "s3://bucket/videos/")
        do("python", SCRIPTS, "from_python")
        do("client", SCRIPTS, "from_client")
        do("worker", *worker)
        do("dagster", SCRIPTS, "from_dagster")
        do("wrong", *good, **refused)
        do("url", *command, "--input", f"s3://AKIA:{MARKERS['command line']}@bucket/")
        do("options", *good, "--config", str(root / "files" / "options.yaml"))
        do("child", *good)
        if state is not None:
            on_server = {
                "LIGHTLY_PIPELINE_STATE": state,
                "LIGHTLY_PIPELINE_STATE_KEY": MARKERS["state's key"],
            }
            do("server, client", SCRIPTS, "from_client", **on_server)
            do("server, worker", *worker, **on_server)
            lost = {"gone": state.replace("127.0.0.1", "no-host.invalid"), "odd": f"{state}@"}
            for name, url in lost.items():
                do(f"server, {name}", *worker, LIGHTLY_PIPELINE_STATE=url)
            (root / "rows").write_text(rows_of(state))
    fetch_bucket(stores["AWS_ENDPOINT_URL_S3"], root / "bucket")

    happened(root)
    markers = {**MARKERS, "the store's own": SECRET_KEY}
    started = b"\n".join(processes.close().values())
    assert b"lightly_pipeline.video.isolated_child" in started
    assert list(found_in(started, markers)) == []
    found = [hit for hit in found_below(root, markers) if not is_allowed(*hit)]
    assert found == []


def is_allowed(name: str, file: str) -> bool:
    return any(fnmatch(name, secret) and fnmatch(file, place) for secret, place, _ in ALLOWED)


def happened(root: Path) -> None:
    """Checks that what was meant to go wrong did, and what was meant to work, too."""
    said = {file.name: file.read_text() for file in (root / "output").iterdir()}
    for name, texts in {
        "python": (
            "does not belong to the access key",
            "must not hold a user",
            "in the middle of Dataset(",
            "RunResult(",
            "secret_access_key: unknown option",
            "(line ",
        ),
        "client": ("FAILED", "can_list", "resource_path: a URL must", "endpoint_url: a URL must"),
        "worker": ("failed: ",),
        "dagster": ("RUN_FAILURE", "RUN_SUCCESS"),
        "wrong": ("rror",),
        "url": ("must not hold a user",),
        "options": ("unknown option",),
        "child": ("images",),
    }.items():
        for text in texts:
            assert text in said[name], f"{name}: no {text!r} in:\n{said[name][-3000:]}"
    if (root / "rows").exists():
        assert "gAAAA" in (root / "rows").read_text()
        assert "cannot be read or written" in said["server, gone"]
        assert "%40 for @" in said["server, odd"]


@contextmanager
def server(root: Path) -> Iterator[str | None]:
    """Yields the URL of a state on a server with a planted password; None where there is none."""
    if not has_postgres():
        yield None
        return
    with postgres_server(MARKERS["state's password"]) as running:
        yield running.url
        shutil.copy(running.log, root / "postgres.log")


def rows_of(url: str) -> str:
    """Returns everything that the server keeps for us."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
        rows: list[str] = []
        for schema, table in cursor.fetchall():
            cursor.execute(f'SELECT * FROM "{schema}"."{table}"')
            rows += [table, *map(str, cursor.fetchall())]
    return "\n".join(rows)


def fetch_bucket(url: str, folder: Path) -> None:
    bucket = client_of(url)
    for page in bucket.get_paginator("list_objects_v2").paginate(Bucket="bucket"):
        for item in page.get("Contents", ()):
            file = folder / quote(item["Key"], safe="/")
            file.parent.mkdir(parents=True, exist_ok=True)
            bucket.download_file("bucket", item["Key"], str(file))


@pytest.mark.parametrize("secret", MARKERS.values(), ids=MARKERS)
def test_the_search_finds_what_is_written_otherwise(secret: str, tmp_path: Path) -> None:
    import base64

    for before in (b"", b"x", b"xy", b"secret: "):
        encoded = base64.b64encode(before + secret.encode() + b" and more")
        assert any(form in encoded for form in forms(secret))
    (tmp_path / "file").write_text(f"https://me:{quote(secret, safe='')}@host/")
    assert [place for _, place in found_below(tmp_path)] == ["file"]
