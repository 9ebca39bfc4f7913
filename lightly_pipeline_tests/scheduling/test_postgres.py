"""What a deployment's state on a real PostgreSQL server withstands."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

from lightly_pipeline.api import (
    ApiWorkflowClient,
    DatasetType,
    DatasourcePurpose,
    InvalidConfigurationError,
    RunState,
)
from lightly_pipeline.datasources import S3Datasource
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.scheduling import database as database_module
from lightly_pipeline.scheduling.address import state_address
from lightly_pipeline.scheduling.database import Database, now_ms
from lightly_pipeline.scheduling.deployment import Deployment
from lightly_pipeline.scheduling.errors import StateUnavailableError
from lightly_pipeline.scheduling.models import Priority
from lightly_pipeline.scheduling.queue import RunQueue
from lightly_pipeline.scheduling.scheduled_run import EXPIRY_MS
from lightly_pipeline_tests.support.clients import BY_NAME, add_dataset
from lightly_pipeline_tests.support.postgres_server import PostgresServer
from lightly_pipeline_tests.support.videos import make_video

pytestmark = pytest.mark.slow

SECRET = "canary-secret-5b1e"
KEYS = (
    "q1SxoL5Vg6f4bHwDuxLQ6n5a7dq/v1v4yW+8ZbVvXxA=",
    "n5a7dq1v1v4yWQ8ZbVvXxAq1SxoL5Vg6f4bHwDuxLQ6=",
)


@contextmanager
def stopped(server: PostgresServer) -> Iterator[None]:
    """A server that crashes, and is back when the context ends."""
    server.stop("immediate")
    try:
        yield
    finally:
        server.start()


def everything_in(server: PostgresServer) -> str:
    """All rows of the state as text."""
    with closing(psycopg2.connect(server.url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = 'lightly_pipeline'"
        )
        rows = []
        for (name,) in cursor.fetchall():
            cursor.execute(f'SELECT * FROM lightly_pipeline."{name}"')
            rows += [name, *map(str, cursor.fetchall())]
        return "\n".join(rows)


@pytest.mark.usefixtures("state")
def test_many_workers_take_every_run_once_and_a_dataset_one_at_a_time() -> None:
    queue = RunQueue(Database(state_address()))
    wanted = {
        queue.add(f"d{number % 3}", {}, priority=Priority.MID, runs_on=(), message="")
        for number in range(12)
    }
    left, taken, in_progress = threading.Event(), [], set()
    guard = threading.Lock()

    def work(name: str) -> None:
        mine = RunQueue(Database(state_address()))
        while not left.is_set():
            run = mine.claim_next((), name)
            if run is None:
                continue
            with guard:
                taken.append(run.id)
                assert run.dataset_id not in in_progress
                in_progress.add(run.dataset_id)
            mine.beat(run, "at work")
            with guard:
                in_progress.remove(run.dataset_id)
                if len(taken) == len(wanted):
                    left.set()
            mine.finish(run, RunState.COMPLETED, "completed")

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, f"worker {number}") for number in range(4)]:
            done.result(120)
    assert len(taken) == 12
    assert set(taken) == wanted
    assert queue.unended() == []


def test_many_first_users_make_one_state(postgres_state: PostgresServer) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: Database(state_address()), range(4)))
    assert everything_in(postgres_state).count("(2,)") == 1


def test_a_server_that_is_gone_and_back_costs_a_worker_no_run(
    postgres_state: PostgresServer, tmp_path: Path
) -> None:
    make_video(tmp_path / "in", replace(BY_NAME["mpeg4.avi"], n_frames=600), "long.avi")
    client = ApiWorkflowClient()
    add_dataset(client, "long one", tmp_path / "in", tmp_path / "out")
    runs = [client.schedule_compute_worker_run(selection_config={"n_samples": n}) for n in (3, 4)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "lightly_pipeline", "worker"], stderr=log, stdout=log
        )
        try:
            while client.get_compute_worker_run_info(runs[0]).state != "EMBEDDING":
                assert process.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.02)
            with stopped(postgres_state):
                # The run ends meanwhile, and there is nobody to tell.
                while "waiting: the state in" not in (tmp_path / "log").read_text():
                    assert process.poll() is None, (tmp_path / "log").read_text()
                    time.sleep(0.1)
                with pytest.raises(StateUnavailableError, match="postgresql://dagster@127"):
                    client.get_compute_worker_run_info(runs[0])
            for run_id in runs:
                assert client.wait_for_run(run_id, timeout_s=300).ended_successfully()
        finally:
            process.terminate()
            process.wait(60)
    assert process.returncode == 0
    for run_id in runs:
        _, changes, _ = client._deployment.queue.watch(run_id, 0)
        assert [info.state for info in changes].count("STARTED") == 1
    text = (tmp_path / "log").read_text()
    assert "can be reached again" in text
    assert postgres_state.password not in text


def test_nobody_is_taken_for_dead_while_nobody_could_say_that_he_lives(
    postgres_state: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = RunQueue(Database(state_address()))
    queue.add("d", {}, priority=Priority.MID, runs_on=(), message="")
    run = queue.claim_next((), "one")
    assert run is not None
    monkeypatch.setattr(database_module, "now_ms", lambda: now_ms() + EXPIRY_MS + 1000)
    with stopped(postgres_state), pytest.raises(StateUnavailableError):
        queue.claim_next((), "two")
    assert queue.claim_next((), "two") is None
    monkeypatch.setattr(database_module, "_GRACE_S", 0)
    assert queue.claim_next((), "two") is not None


def test_an_end_whose_answer_got_lost_can_be_told_again(postgres_state: PostgresServer) -> None:
    queue = RunQueue(Database(state_address()))
    queue.add("d", {}, priority=Priority.MID, runs_on=(), message="")
    run = queue.claim_next((), "one")
    assert run is not None
    for _ in range(2):
        queue.finish(run, RunState.COMPLETED, "completed")
    assert [info.state for info in queue.watch(run.id, 0)[1]] == ["STARTED", "COMPLETED"]


def test_a_machine_with_a_wrong_clock_takes_nobody_for_dead(
    postgres_state: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = RunQueue(Database(state_address()))
    queue.add("d", {}, priority=Priority.MID, runs_on=(), message="")
    assert queue.claim_next((), "one") is not None
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 3600)
    other = RunQueue(Database(state_address()))
    assert other.claim_next((), "two") is None
    (run,) = other.unended()
    assert run.executor == "one"


def test_the_code_location_stands_without_the_server(
    postgres_state: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    from lightly_pipeline.defs.scheduled import client_datasets

    with stopped(postgres_state):
        assert client_datasets() == []
    assert "datasets of clients are missing" in caplog.text
    assert postgres_state.password not in caplog.text


def test_other_tables_of_the_database_are_left_alone(postgres_state: PostgresServer) -> None:
    with closing(psycopg2.connect(postgres_state.url)) as connection, connection:
        connection.cursor().execute(
            "CREATE TABLE runs (id int); CREATE TABLE datasets (id int)"  # As Dagster's might be.
        )
    try:
        ApiWorkflowClient().create_dataset("a name", DatasetType.VIDEOS)
        assert "a name" in everything_in(postgres_state)
    finally:
        with closing(psycopg2.connect(postgres_state.url)) as connection, connection:
            connection.cursor().execute("DROP TABLE runs; DROP TABLE datasets")


def test_a_state_of_a_newer_release_is_left_alone(postgres_state: PostgresServer) -> None:
    Database(state_address())
    with closing(psycopg2.connect(postgres_state.url)) as connection, connection:
        connection.cursor().execute("UPDATE lightly_pipeline.state SET version = 99")
    with pytest.raises(LightlyPipelineError, match="newer release"):
        ApiWorkflowClient()


def test_the_password_may_lie_in_a_file_and_a_wrong_one_is_not_shown(
    postgres_state: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = postgres_state.url.replace(f":{postgres_state.password}", "")
    file = tmp_path / "pgpass"
    file.touch(0o600)
    file.write_text(f"127.0.0.1:*:*:*:{postgres_state.password}\n")
    monkeypatch.setenv("PGPASSFILE", str(file))
    monkeypatch.setenv("LIGHTLY_PIPELINE_STATE", bare)
    assert Deployment().datasets.all() == []
    wrong = bare.replace("@", f":{SECRET}@")
    monkeypatch.setenv("LIGHTLY_PIPELINE_STATE", f"{wrong}?application_name=test")
    with pytest.raises(StateUnavailableError, match="password authentication failed") as caught:
        Deployment()
    assert SECRET not in str(caught.value) + str(caught.value.__cause__)


@pytest.fixture
def dataset(postgres_state: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> ApiWorkflowClient:
    monkeypatch.delenv("LIGHTLY_PIPELINE_STATE_KEY", raising=False)
    client = ApiWorkflowClient()
    client.create_dataset("a name", DatasetType.VIDEOS)
    return client


def give_keys(client: ApiWorkflowClient) -> None:
    client.set_s3_config(
        "s3://videos/in", "eu-west-1", "AKIA", SECRET, purpose=DatasourcePurpose.INPUT
    )


def test_keys_are_refused_where_they_could_be_kept_in_clear_only(
    dataset: ApiWorkflowClient, postgres_state: PostgresServer
) -> None:
    with pytest.raises(InvalidConfigurationError, match=r"LIGHTLY_PIPELINE_STATE_KEY.*openssl"):
        give_keys(dataset)
    assert SECRET not in everything_in(postgres_state)
    dataset.set_s3_config("s3://videos/in", "eu-west-1")
    found = dataset._deployment.datasource(dataset.dataset_id, DatasourcePurpose.INPUT)
    assert found == S3Datasource("s3://videos/in", region="eu-west-1")


def test_keys_are_sealed_and_opened_by_whoever_has_the_key(
    dataset: ApiWorkflowClient, postgres_state: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = KEYS
    monkeypatch.setenv("LIGHTLY_PIPELINE_STATE_KEY", first)
    give_keys(dataset)
    stored = everything_in(postgres_state)
    assert not any(text in stored for text in ("AKIA", SECRET))

    def opened() -> object:
        # As a worker elsewhere does.
        return Deployment().datasource(dataset.dataset_id, DatasourcePurpose.INPUT)

    expected = S3Datasource(
        "s3://videos/in", region="eu-west-1", access_key_id="AKIA", secret_access_key=SECRET
    )
    assert opened() == expected
    # A new key in front of the old one.
    monkeypatch.setenv("LIGHTLY_PIPELINE_STATE_KEY", f"{second}, {first}")
    assert opened() == expected
    for key, message in (
        (None, "are sealed: set LIGHTLY_PIPELINE_STATE_KEY"),
        (second, "does not open"),
        ("a-key-of-nobody", "holds no key"),
    ):
        if key is None:
            monkeypatch.delenv("LIGHTLY_PIPELINE_STATE_KEY")
        else:
            monkeypatch.setenv("LIGHTLY_PIPELINE_STATE_KEY", key)
        with pytest.raises(InvalidConfigurationError, match=message) as caught:
            opened()
        assert key is None or key not in str(caught.value)
    dataset.delete_dataset_by_id(dataset.dataset_id)
    assert "gAAAA" not in everything_in(postgres_state)


def test_the_driver_is_named_where_it_is_missing() -> None:
    code = (
        "import sys; sys.modules['psycopg2'] = None\n"
        "from lightly_pipeline.api import ApiWorkflowClient\n"
        "ApiWorkflowClient()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "LIGHTLY_PIPELINE_STATE": "postgresql://me:hidden@nowhere/db"},
        check=False,
    )
    assert "pip install 'lightly-pipeline[postgres]'" in done.stderr
    assert "hidden" not in done.stderr
