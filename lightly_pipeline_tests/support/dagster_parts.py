"""Dagster's daemon and code server as two processes, each of which can be killed and started.

As in a deployment, unlike `dagster_server`, where one command starts everything. Runs are processes
that the code server starts.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg
import psutil

from lightly_pipeline_tests.support.dagster_server import IMPATIENT, ROOT

_ACTIVE = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


class DagsterParts:
    """The processes of a deployment.

    Args:
        home: DAGSTER_HOME; made here.
        environment: What the processes are started with, besides this one's.
    """

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        home.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "deploy" / "dagster.yaml", home)
        self._home = home
        self._environment = {**os.environ, **IMPATIENT, **environment}
        self._environment["DAGSTER_HOME"] = str(home)
        self._environment.pop("LIGHTLY_PIPELINE_HOME", None)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        (home / "workspace.yaml").write_text(
            f"load_from:\n  - grpc_server: {{host: 127.0.0.1, port: {self._port}, "
            "location_name: lightly_pipeline}\n"
        )
        self.instance = dg.DagsterInstance.from_config(str(home))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start_code_server(self) -> None:
        """Starts the process that knows the definitions and starts runs; waits until it answers."""
        port = str(self._port)
        module = "lightly_pipeline.definitions"
        self._start("code_server", "dagster", "api", "grpc", "-m", module, "-p", port)
        eventually(self._listens, "a code server that listens")

    def start_daemon(self) -> None:
        """Starts the process that ticks sensors and takes runs from the queue."""
        workspace = str(self._home / "workspace.yaml")
        self._start("daemon", "dagster._daemon", "run", "-w", workspace)

    def kill(self, name: str) -> None:
        """Ends one of the processes at once, as a machine's want of memory does."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def worker_of(self, run: dg.DagsterRun) -> psutil.Process | None:
        """Returns the process that executes the steps of a run; None before that or after."""
        for event in self.instance.all_logs(run.run_id):
            found = re.search(r"Executing steps in process \(pid: (\d+)\)", event.message)
            if found:
                with suppress(psutil.NoSuchProcess):
                    return psutil.Process(int(found[1]))
        return None

    def active_runs(self) -> list[dg.DagsterRun]:
        """Returns the runs that wait or are executed."""
        return list(self.instance.get_runs(dg.RunsFilter(statuses=list(_ACTIVE))))

    def log(self, name: str) -> str:
        """Returns what a process has printed."""
        return (self._home / f"{name}.log").read_text(errors="replace")

    def close(self) -> None:
        """Ends everything, runs included."""
        running = [psutil.Process(process.pid) for process in self.processes.values()]
        for process in [*(c for p in running for c in p.children(recursive=True)), *running]:
            with suppress(psutil.Error):
                process.kill()
        for started in self.processes.values():
            started.wait()
        self.instance.dispose()

    def _start(self, name: str, *module: str) -> None:
        with (self._home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=self._home,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _listens(self) -> bool:
        assert self.processes["code_server"].poll() is None, self.log("code_server")[-2000:]
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


@contextmanager
def dagster_parts(home: Path, environment: Mapping[str, str]) -> Iterator[DagsterParts]:
    """Runs a daemon and a code server with a fresh home folder."""
    parts = DagsterParts(home, environment)
    try:
        parts.start_code_server()
        parts.start_daemon()
        yield parts
    finally:
        parts.close()


def eventually(condition: Callable[[], object], what: str, within_s: float = 300) -> None:
    """Waits until a condition holds.

    Raises:
        AssertionError: It took too long.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.2)
