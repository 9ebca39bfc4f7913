"""A client with a deployment of its own, as fixtures."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from lightly_pipeline.api import ApiWorkflowClient, DatasetType, DatasourcePurpose
from lightly_pipeline_tests.support.postgres_server import (
    PostgresServer,
    has_postgres,
    postgres_server,
)
from lightly_pipeline_tests.support.videos import RECIPES, make_video

# What the state is kept in; a module asks for both by `usefixtures("state")`.
STATES = ("sqlite", "postgres")
BY_NAME = {recipe.name: recipe for recipe in RECIPES}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIGHTLY_PIPELINE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for all tests of a process."""
    if not has_postgres():
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_state(
    postgres: PostgresServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> PostgresServer:
    """An empty state on the server; there is no state folder."""
    monkeypatch.delenv("LIGHTLY_PIPELINE_HOME")
    monkeypatch.setenv("LIGHTLY_PIPELINE_STATE", postgres.url)
    with closing(psycopg2.connect(postgres.url)) as connection, connection:
        connection.cursor().execute("DROP SCHEMA IF EXISTS lightly_pipeline CASCADE")
    return postgres


@pytest.fixture(params=STATES)
def state(request: pytest.FixtureRequest, home: Path) -> str:
    """Where the deployment's state is: in a folder, and then on a server."""
    if request.param == "postgres":
        request.getfixturevalue("postgres_state")
    return str(request.param)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    make_video(tmp_path / "in", BY_NAME["h264.mp4"], "a.mp4", seed=1)
    make_video(tmp_path / "in", BY_NAME["mpeg4.avi"], "sub dir/b,c.avi", seed=3)
    return tmp_path / "in"


@pytest.fixture
def client(videos: Path) -> ApiWorkflowClient:
    """A client with a dataset in folders."""
    client = ApiWorkflowClient(token="MY_LIGHTLY_TOKEN")
    add_dataset(client, "dataset-name", videos, videos.parent / "out")
    return client


def add_dataset(client: ApiWorkflowClient, name: str, videos: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    client.create_dataset(name, DatasetType.VIDEOS)
    client.set_local_config(str(videos), purpose=DatasourcePurpose.INPUT)
    client.set_local_config(str(out), purpose=DatasourcePurpose.LIGHTLY)
