"""A running Dagster deployment of this package, spoken to as the UI does."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 600
_QUERIES = 10
IMPATIENT = {
    "PYTHONPATH": os.pathsep.join(
        [str(Path(__file__).with_name("impatient")), str(ROOT), os.environ.get("PYTHONPATH", "")]
    )
}
"""Environment of a Dagster that goes on with backfills every 3 seconds, not every 30."""


class Dagster:
    """A running deployment, spoken to as the UI does."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        answer = json.loads(self._answer(body, 1 if query.startswith("mutation") else _QUERIES))
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def _answer(self, body: bytes, n_tries: int) -> bytes:
        """Asks again where a connection to a PostgreSQL that was away is given up for a new one."""
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/graphql", data=body, headers=headers)
        while True:
            n_tries -= 1
            try:
                with urllib.request.urlopen(request, timeout=60) as response:
                    answer: bytes = response.read()
                return answer
            except urllib.error.HTTPError as error:
                if error.code != HTTPStatus.INTERNAL_SERVER_ERROR or n_tries == 0:
                    raise
                time.sleep(0.5)

    def launch(self, job: str, run_config: dict[str, Any]) -> str:
        selector = {
            "repositoryLocationName": "lightly_pipeline",
            "repositoryName": "__repository__",
            "pipelineName": job,
        }
        answer = self.ask(
            "mutation($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename "
            "... on LaunchRunSuccess { run { runId } } ... on PythonError { message } "
            "... on RunConfigValidationInvalid { errors { message } } } }",
            p={"selector": selector, "runConfigData": run_config, "mode": "default"},
        )["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        run_id: str = answer["run"]["runId"]
        return run_id

    def status(self, run_id: str) -> str:
        query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
        status: str = self.ask(query, id=run_id)["runOrError"]["status"]
        return status

    def ended(self, run_id: str) -> str:
        return wait_for(lambda: self.status(run_id), ("SUCCESS", "FAILURE", "CANCELED"))

    def materialize_all(self, dataset: str, run_config: dict[str, Any]) -> str:
        """Presses "Materialize all" on everything behind the catalogue; returns the backfill."""
        names = ("video_frames", "frame_embeddings", "selected_frames", "uploaded_frames")
        selection = [{"path": [dataset, name]} for name in names]
        answer = self.ask(
            "mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) { "
            "__typename ... on LaunchBackfillSuccess { backfillId } "
            "... on PythonError { message } } }",
            p={"assetSelection": selection, "allPartitions": True, "runConfigData": run_config},
        )["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        return str(answer["backfillId"])

    def backfill_status(self, backfill_id: str) -> str:
        query = (
            "query($id: String!) { partitionBackfillOrError(backfillId: $id) { "
            "... on PartitionBackfill { status } } }"
        )
        return str(self.ask(query, id=backfill_id)["partitionBackfillOrError"]["status"])

    def failures(self, run_id: str) -> str:
        answer = self.ask(
            "query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events { "
            "... on ExecutionStepFailureEvent { error { message } "
            "failureMetadata { description } } } } } }",
            id=run_id,
        )
        return json.dumps([e for e in answer["logsForRun"]["events"] if e])


def wait_for(ask: Any, wanted: tuple[str, ...]) -> str:
    deadline = time.monotonic() + WAIT_S
    while (state := ask()) not in wanted:
        assert time.monotonic() < deadline, f"still {state} after {WAIT_S} s"
        time.sleep(0.5)
    return str(state)


@contextmanager
def running_dagster(
    home: Path,
    datasets: Path,
    environment: Mapping[str, str] | None = None,
    settings: str | None = None,
) -> Iterator[Dagster]:
    """Starts webserver, daemon and code server as `make dev` does, with a fresh home folder.

    Args:
        home: DAGSTER_HOME, to be made.
        datasets: The file that declares the datasets.
        environment: Variables besides those that the caller has.
        settings: Text of `dagster.yaml`; that of `deploy/` by default.
    """
    home.mkdir()
    settings = settings or (ROOT / "deploy" / "dagster.yaml").read_text()
    (home / "dagster.yaml").write_text(settings)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {
        **os.environ,
        **(environment or {}),
        "DAGSTER_HOME": str(home),
        "LIGHTLY_PIPELINE_DATASETS": str(datasets),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    # The state of clients lies beside Dagster's instance.
    variables.pop("LIGHTLY_PIPELINE_HOME", None)
    command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-p", str(port)]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=variables, stdout=log, stderr=log, start_new_session=True
        )
    dagster = Dagster(port)
    try:
        wait_for(lambda: _answers(dagster), ("yes",))
        yield dagster
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        print((home / "log").read_text()[-3000:])


def _answers(dagster: Dagster) -> str:
    try:
        dagster.ask("{ version }")
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return "no"
    return "yes"
