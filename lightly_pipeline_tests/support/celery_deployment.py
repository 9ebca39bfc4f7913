"""A deployment of several machines on this one: PostgreSQL, Redis, Dagster, Celery workers.

Everything is configured by `deploy/dagster-celery.yaml`, as operators copy it.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lightly_pipeline_tests.support.dagster_server import (
    ROOT,
    WAIT_S,
    Dagster,
    running_dagster,
)
from lightly_pipeline_tests.support.postgres_server import (
    PostgresServer,
    has_postgres,
    postgres_server,
)
from lightly_pipeline_tests.support.redis_server import RedisServer, has_redis, redis_server

_STARTS_WITHIN_S = 120
_WILL_RETRY = "dagster/will_retry"


def missing_servers() -> str:
    """Says what has to be installed for a deployment; nothing where all of it is there."""
    missing = [
        package
        for package, is_there in (("redis-server", has_redis()), ("postgresql", has_postgres()))
        if not is_there
    ]
    return f"not installed: {', '.join(missing)} (Debian's packages)" if missing else ""


class Worker:
    """A Celery worker, in a process group of its own, as on a machine of its own."""

    def __init__(
        self, name: str, home: Path, environment: dict[str, str], queue: str = "dagster"
    ) -> None:
        self.log = home / f"{name}.log"
        command = [sys.executable, "-m", "celery", "-A", "lightly_pipeline.defs.celery_app"]
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [*command, "worker", "-n", f"{name}@%h", "-Q", queue, "--loglevel", "INFO"],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the process group, too."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Waits until it takes runs."""
        deadline = time.monotonic() + _STARTS_WITHIN_S
        while " ready." not in self.log.read_text():
            assert self._process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.1)

    def kill(self) -> None:
        """Ends all of it at once, as a power failure does."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def stop(self) -> None:
        """Ends it as an operator does: the run in hand is finished."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(_STARTS_WITHIN_S)


@dataclass
class Deployment:
    """A running deployment.

    Attributes:
        dagster: Its webserver.
        postgres: Where Dagster keeps its state.
        redis: Where runs wait for workers.
        home: DAGSTER_HOME.
        environment: Of the workers.
        workers: Those that were started.
    """

    dagster: Dagster
    postgres: PostgresServer
    redis: RedisServer
    home: Path
    environment: dict[str, str]
    workers: list[Worker] = field(default_factory=list)

    def start_workers(self, n_workers: int, queue: str = "dagster") -> None:
        """Starts workers and waits until they take runs."""
        started = [
            Worker(f"worker{len(self.workers) + i}", self.home, self.environment, queue)
            for i in range(n_workers)
        ]
        self.workers += started
        for worker in started:
            worker.wait_until_ready()

    def materialize(self, dataset: str, partitions: Sequence[str]) -> str:
        """Launches one chunk as a backfill does; returns the run."""
        keys = [{"path": [dataset, name]} for name in ("video_frames", "frame_embeddings")]
        tags = {
            "dagster/asset_partition_range_start": partitions[0],
            "dagster/asset_partition_range_end": partitions[-1],
        }
        answer = self.dagster.ask(
            "mutation($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename "
            "... on LaunchRunSuccess { run { runId } } ... on PythonError { message } "
            "... on InvalidSubsetError { message } "
            "... on RunConfigValidationInvalid { errors { message } } } }",
            p={
                "selector": {
                    "repositoryLocationName": "lightly_pipeline",
                    "repositoryName": "__repository__",
                    "pipelineName": "__ASSET_JOB",
                    "assetSelection": keys,
                    "assetCheckSelection": [],
                },
                "runConfigData": {},
                "mode": "default",
                "executionMetadata": {
                    "tags": [{"key": key, "value": value} for key, value in tags.items()]
                },
            },
        )["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def runs(self) -> list[dict[str, Any]]:
        """All runs, the newest first: runId, status, rootRunId, tags by name."""
        found = self.dagster.ask(
            "{ runsOrError { ... on Runs { results { runId status rootRunId jobName "
            "tags { key value } } } } }"
        )["runsOrError"]["results"]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def ended_at_last(self, run_id: str) -> str:
        """Waits for a run, and for those that Dagster starts in place of a lost one."""
        deadline = time.monotonic() + WAIT_S
        while True:
            assert time.monotonic() < deadline, f"run {run_id} has not ended"
            newest = next(r for r in self.runs() if run_id in (r["runId"], r["rootRunId"]))
            if newest["status"] in ("SUCCESS", "CANCELED"):
                return str(newest["status"])
            if newest["status"] == "FAILURE" and newest["tags"].get(_WILL_RETRY) == "false":
                return "FAILURE"
            time.sleep(0.5)

    def lines(self, text: str) -> list[str]:
        """Lines with a text in the logs of all workers."""
        logs = [worker.log.read_text() for worker in self.workers]
        return [line for log in logs for line in log.splitlines() if text in line]

    def process_of(self, run_id: str) -> int | None:
        """The process that executes a run; None before it says so."""
        events = self.dagster.ask(
            "query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events { "
            "... on MessageEvent { message } } } } }",
            id=run_id,
        )["logsForRun"]["events"]
        lines = [e["message"] for e in events if "Started process for run" in e.get("message", "")]
        return int(lines[0].rpartition("pid: ")[2].split(")")[0]) if lines else None

    def worker_of(self, run_id: str) -> Worker | None:
        """The worker that executes a run; None before it has begun."""
        pid = self.process_of(run_id)
        if pid is None:
            return None
        return next(worker for worker in self.workers if worker.pid == os.getpgid(pid))


def quick_settings(**launcher: Any) -> str:
    """Returns `deploy/dagster-celery.yaml` with pauses that fit a test.

    Args:
        launcher: What else is changed in the launcher's configuration.
    """
    settings = yaml.safe_load((ROOT / "deploy" / "dagster-celery.yaml").read_text())
    settings["run_monitoring"]["poll_interval_seconds"] = 1
    # A run says how far it is every ten seconds; a busy machine may make it some more.
    settings["run_launcher"]["config"].update({"lost_after_seconds": 40, **launcher})
    return json.dumps(settings)


@contextmanager
def celery_deployment(
    folder: Path, datasets: Path, n_workers: int, settings: str | None = None
) -> Iterator[Deployment]:
    """Starts servers, Dagster and workers; ends them all afterwards.

    Args:
        folder: For everything but PostgreSQL's files; made if it is missing.
        datasets: The file that declares the datasets.
        n_workers: How many workers to begin with.
        settings: Text of `dagster.yaml`; `quick_settings()` by default.
    """
    folder.mkdir(exist_ok=True)
    with postgres_server() as postgres, redis_server(folder / "redis") as redis:
        servers = {
            "DAGSTER_PG_HOST": "127.0.0.1",
            "DAGSTER_PG_PORT": str(postgres.port),
            "DAGSTER_PG_USER": postgres.user,
            "DAGSTER_PG_PASSWORD": postgres.password,
            "DAGSTER_PG_DB": postgres.database,
            "DAGSTER_BROKER_URL": redis.url,
        }
        home = folder / "home"
        text = settings or quick_settings()
        with running_dagster(home, datasets, servers, text) as dagster:
            environment = {
                **os.environ,
                **servers,
                "DAGSTER_HOME": str(home),
                "LIGHTLY_PIPELINE_DATASETS": str(datasets),
            }
            environment.pop("LIGHTLY_PIPELINE_HOME", None)
            deployment = Deployment(dagster, postgres, redis, home, environment)
            try:
                deployment.start_workers(n_workers)
                yield deployment
            finally:
                for worker in deployment.workers:
                    worker.kill()
