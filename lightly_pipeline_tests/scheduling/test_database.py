"""Where the state is, and what becomes of a file that an earlier release wrote."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lightly_pipeline.api import ApiWorkflowClient, InvalidConfigurationError
from lightly_pipeline.scheduling.address import StateFolder, StateServer, state_address
from lightly_pipeline.scheduling.database import Database

# As the release before SQLAlchemy made it.
OLD_FILE = """
CREATE TABLE datasets (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL,
    created_ms INTEGER NOT NULL, modified_ms INTEGER NOT NULL);
CREATE TABLE datasources (
    dataset_id TEXT NOT NULL, purpose TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,
    full_path TEXT NOT NULL, options TEXT NOT NULL, PRIMARY KEY (dataset_id, purpose));
CREATE TABLE runs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, dataset_id TEXT NOT NULL,
    blocks TEXT NOT NULL, priority TEXT NOT NULL, rank INTEGER NOT NULL, runs_on TEXT NOT NULL,
    state TEXT NOT NULL, run_state TEXT NOT NULL, message TEXT NOT NULL,
    executor TEXT, claims INTEGER NOT NULL DEFAULT 0, silences INTEGER NOT NULL DEFAULT 0,
    beat_ms INTEGER NOT NULL DEFAULT 0, started_ms INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL, modified_ms INTEGER NOT NULL);
CREATE INDEX runs_by_state ON runs (state);
CREATE TABLE run_changes (
    number INTEGER PRIMARY KEY, run_id TEXT NOT NULL, run_state TEXT NOT NULL,
    message TEXT NOT NULL);
CREATE INDEX changes_by_run ON run_changes (run_id, number);
"""
NEWER_TABLES = """
CREATE TABLE processed_until (
    dataset_id TEXT PRIMARY KEY, timestamp INTEGER NOT NULL);
CREATE TABLE workers (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, labels TEXT NOT NULL,
    is_registered INTEGER NOT NULL, executor TEXT, version TEXT,
    beat_ms INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL, modified_ms INTEGER NOT NULL);
INSERT INTO processed_until VALUES ('d1', 1700000000);
INSERT INTO workers VALUES ('w1', 'berlin 1', '["gpu"]', 1, NULL, '0.1.0', 0, 4, 4);
"""
ROWS = """
INSERT INTO datasets VALUES
    ('d1', 'first set', 'Videos', 1, 2), ('d2', 'second set', 'Images', 1, 3);
INSERT INTO datasources VALUES ('d1', 'INPUT_OUTPUT', 's1', 'LOCAL', '/videos', '{}');
INSERT INTO runs VALUES (7, 'r1', 'd1', '{"selection_config": {"n_samples": 3}}', 'HIGH', 1,
    '["gpu"]', 'OPEN', 'OPEN', 'waiting', NULL, 0, 0, 0, 0, 5, 5);
INSERT INTO run_changes VALUES (1, 'r0', 'COMPLETED', 'completed');
"""


def make_file(home: Path, script: str, version: int) -> None:
    home.mkdir()
    with closing(sqlite3.connect(home / "state.sqlite")) as connection:
        connection.executescript(f"{script}; PRAGMA user_version = {version}")


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_of_an_earlier_release_goes_on_being_used(home: Path, version: int) -> None:
    make_file(home, OLD_FILE + ROWS + (NEWER_TABLES if version == 2 else ""), version)
    client = ApiWorkflowClient()
    assert [data.name for data in client.get_datasets()] == ["first set", "second set"]
    client.set_dataset_id_by_name("first set")
    assert client.get_datasource().full_path == "/videos"
    (run,) = client.get_scheduled_compute_worker_runs()
    assert (run.id, run.priority, run.runs_on) == ("r1", "HIGH", ("gpu",))
    if version == 2:
        (worker,) = client.get_compute_workers()
        assert (worker.name, worker.labels, worker.state) == ("berlin 1", ("gpu",), "OFFLINE")
        assert client.get_processed_until_timestamp() == 1700000000
    taken = client._deployment.queue.claim_next(["gpu"], "worker")
    assert taken is not None
    assert taken.blocks == {"selection_config": {"n_samples": 3}}
    later = client.schedule_compute_worker_run()
    assert [run.id for run in client.get_scheduled_compute_worker_runs()] == ["r1", later]


def test_a_new_file_is_one_that_the_earlier_release_reads(home: Path, tmp_path: Path) -> None:
    make_file(tmp_path / "old", OLD_FILE + NEWER_TABLES, 2)
    Database(StateFolder(home))
    described = []
    for folder in (home, tmp_path / "old"):
        with closing(sqlite3.connect(folder / "state.sqlite")) as file:
            version = file.execute("PRAGMA user_version").fetchone()
            tables = file.execute(
                "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
            ).fetchall()
            columns = {
                name: [
                    (column[1], column[4])
                    for column in file.execute(f"PRAGMA table_info({name})").fetchall()
                ]
                for kind, name in tables
                if kind == "table"
            }
        described.append((version, sorted(tables), {k: _defaults(v) for k, v in columns.items()}))
    assert described[0] == described[1]


def _defaults(columns: list[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    return [(name, default and default.strip("'")) for name, default in columns]


def test_the_environment_says_where_the_state_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTLY_PIPELINE_HOME", "/srv/state")
    assert state_address() == StateFolder(Path("/srv/state"))
    monkeypatch.setenv(
        "LIGHTLY_PIPELINE_STATE", "postgresql://me:hidden@db:5433/runs?sslmode=require"
    )
    assert isinstance(state_address(), StateServer)
    assert state_address().setting == "LIGHTLY_PIPELINE_STATE=postgresql://me@db:5433/runs"
    assert "hidden" not in repr(state_address())


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("/srv/hidden", "no URL of a PostgreSQL server"),
        ("mysql://me:hidden@db/runs", "no URL of a PostgreSQL server"),
        ("postgresql://me:hid@den@db/runs", "%40 for @"),
        ("postgresql://me:hid/hidden@db/runs", "no port"),
        ("postgresql://me:1/hidden@db/runs", "%2F for /"),
        ("postgresql://me:hidden#1@db/runs", "no port"),
        ("postgresql://me:hidden", "no port"),
        ("postgresql://me:hidden@db", "names no database"),
        ("postgresql://me:hidden@db:x/runs", "no port"),
    ],
)
def test_a_wrong_address_is_refused_without_being_repeated(
    monkeypatch: pytest.MonkeyPatch, url: str, message: str
) -> None:
    monkeypatch.setenv("LIGHTLY_PIPELINE_STATE", url)
    with pytest.raises(InvalidConfigurationError, match=message) as caught:
        ApiWorkflowClient()
    shown = str(caught.value)
    assert "LIGHTLY_PIPELINE_STATE" in shown
    assert not any(part in shown for part in ("hid", "den", "db/"))
