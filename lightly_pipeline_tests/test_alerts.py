"""The example that tells a chat of failed runs and checks does so, on real runs."""

import importlib.util
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import pytest

from lightly_pipeline import Dataset, LocalDatasource, build_definitions
from lightly_pipeline.tables.catalog import Catalog, write_catalog

ALERTS = Path(__file__).resolve().parents[1] / "examples" / "alerts.py"

pytestmark = pytest.mark.skipif(not ALERTS.exists(), reason="not in a checkout")


@pytest.fixture
def alerts() -> ModuleType:
    spec = importlib.util.spec_from_file_location("alerts", ALERTS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What a chat was told."""
    texts: list[str] = []

    class Chat(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            texts.append(json.loads(body)["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("ALERT_WEBHOOK_URL", f"http://127.0.0.1:{server.server_address[1]}")
    yield texts
    server.shutdown()
    server.server_close()


def street(folder: Path) -> Dataset:
    (folder / "in").mkdir()
    (folder / "in" / "a.mp4").write_bytes(b"x")
    return Dataset(
        "street",
        input=LocalDatasource(folder / "in"),
        lightly=LocalDatasource(folder / "out"),
        checks={"arrival_hours": {"warn": 1e-9}},
    )


def context_of(result: Any, instance: dg.DagsterInstance, event: dg.DagsterEvent) -> Any:
    return dg.build_run_status_sensor_context(
        sensor_name="alerts",
        dagster_event=event,
        dagster_instance=instance,
        dagster_run=result.dagster_run,
    )


def test_a_failed_run_is_told_with_what_to_do(
    alerts: ModuleType, told: list[str], tmp_path: Path
) -> None:
    job = build_definitions(street(tmp_path)).resolve_job_def("street_selection_job")
    with dg.DagsterInstance.ephemeral() as instance:
        failed = job.execute_in_process(instance=instance, raise_on_error=False)
        event = failed.get_run_failure_event()
        alerts.run_failed(context_of(failed, instance, event).for_run_failure())
    [text] = told
    assert f"street_selection_job failed (run {failed.run_id})" in text
    assert "materialize video_catalog" in text


def test_a_failed_check_is_told_with_its_figures(
    alerts: ModuleType, told: list[str], tmp_path: Path
) -> None:
    dataset = street(tmp_path)
    write_catalog(dataset.lightly, Catalog(tuple(dataset.input.list())))
    checks = build_definitions(dataset).asset_checks
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize(
            checks, instance=instance, selection=dg.AssetSelection.all_asset_checks()
        )
        alerts.checks_failed(context_of(done, instance, done.get_run_success_event()))
    [text] = told
    assert "WARN street/video_catalog: videos_arrive: the last came" in text
