"""What operators see of a run: its log as JSON, its retries, its figures and spans."""

import json
import os
import socket
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lightly_pipeline.telemetry.metrics import INSTRUMENTS
from lightly_pipeline_tests.support.collector import Collector, collecting
from lightly_pipeline_tests.support.faults import Fault, faulty
from lightly_pipeline_tests.support.s3_servers import make_bucket, store_at
from lightly_pipeline_tests.support.videos import BY_NAME, make_video

pytestmark = pytest.mark.slow

STEPS = ["catalog", "decode_and_embed", "select", "upload", "report"]
DAGSTER_RUN = """
import sys
from pathlib import Path
import dagster as dg
from lightly_pipeline import Dataset, LocalDatasource, build_definitions
places = [LocalDatasource(folder) for folder in sys.argv[1:]]
dataset = Dataset("street", input=places[0], lightly=places[1])
job = build_definitions(dataset).resolve_job_def("street_catalog_job")
with dg.DagsterInstance.ephemeral() as instance:
    print(job.execute_in_process(instance=instance).run_id)
"""


@dataclass(frozen=True)
class Seen:
    """A run of the command line and what was to be seen of it."""

    code: int
    lines: list[dict[str, Any]]
    result: dict[str, Any]
    collector: Collector

    def of(self, logger: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["logger"] == f"lightly_pipeline.{logger}"]


def execute(command: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    variables = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
    return subprocess.run(
        [sys.executable, *command],
        env={**variables, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def run_command(
    videos: str, results: str, environment: Mapping[str, str], *more: str
) -> subprocess.CompletedProcess[str]:
    places = ["--input", videos, "--lightly", results]
    command = ["-m", "lightly_pipeline", "run", *places, "--n-samples", "3", "--json", *more]
    return execute(command, {"LIGHTLY_PIPELINE_LOG": "json", **environment})


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("in")
    make_video(folder, BY_NAME["mpeg4.avi"], "a.avi", seed=1)
    make_video(folder, BY_NAME["cinepak.avi"], "b.avi", seed=2)
    (folder / "broken.mov").write_text("no video")
    return folder


@pytest.fixture(scope="module")
def seen(endpoint: str, videos: Path) -> Seen:
    """A run on a store that throttles, with a collector."""
    make_bucket(endpoint, "operators")
    direct = store_at(endpoint, "s3://operators/")
    for video in videos.iterdir():
        direct.write(f"in/{video.name}", video.read_bytes())
    with faulty(endpoint) as proxy, collecting() as collector:
        proxy.add(
            Fault("status", "GET .*in/a.avi", times=2, skip=1),
            Fault("reset", "PUT .*frames.parquet", times=1),
        )
        environment = {
            "AWS_ENDPOINT_URL_S3": proxy.url,
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "adminsecret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        }
        done = run_command("s3://operators/in/", "s3://operators/out/", environment)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    return Seen(done.returncode, lines, json.loads(done.stdout or "{}"), collector)


def test_every_line_is_json_with_time_level_and_message(seen: Seen) -> None:
    assert seen.code == 0, seen.lines
    for line in seen.lines:
        assert {"time", "level", "logger", "message"} <= line.keys()
        assert line["time"].endswith("+00:00")


def test_each_video_step_and_run_has_one_line_with_its_figures(seen: Seen) -> None:
    run_id = seen.result["run_id"]
    videos = {line["video"]: line for line in seen.of("tables.outcome")}
    assert len(seen.of("tables.outcome")) == len(videos) == 3
    assert {line["outcome"] for line in videos.values()} == {"decoded", "corrupt"}
    assert "broken.mov: corrupt video" in videos["broken.mov"]["message"]
    for line in videos.values():
        assert (line["run"], line["step"]) == (run_id, "decode_and_embed")
        assert line["dataset"] == "command_line"
        assert line["bytes_read"] > 0
    a = videos["a.avi"]
    assert a["frames"] == a["embedded_frames"] > 0
    assert a["frames_per_s"] == pytest.approx(a["frames"] / a["seconds"], abs=0.1)
    steps = seen.of("steps.timing")
    assert [line["step"] for line in steps] == STEPS
    assert {line["outcome"] for line in steps} == {"done"}
    last = [line for line in seen.of("steps.reporting") if "selected_frames" in line]
    assert len(last) == 1
    assert last[0]["selected_frames"] == 3
    assert last[0]["seconds"] == seen.result["seconds"]["total"]


def test_a_repeated_request_is_in_the_log_the_outcome_and_the_result(seen: Seen) -> None:
    [a] = [line for line in seen.of("tables.outcome") if line["video"] == "a.avi"]
    assert a["retry_causes"]["throttled (SlowDown)"] == 2
    assert "throttled (SlowDown) 2" in a["message"]
    assert a["waited_s"] > 0
    assert seen.result["retries"]["throttled (SlowDown)"] == 2
    assert sum(seen.result["retries"].values()) == 3
    assert seen.result["waited_s"] >= a["waited_s"]
    [step] = [line for line in seen.of("steps.timing") if line["step"] == "decode_and_embed"]
    assert step["retries"] == 3


def test_figures_say_what_the_result_says(seen: Seen) -> None:
    sent, result = seen.collector, seen.result
    assert sent.services == {"lightly_pipeline"}
    assert sent.is_delta
    own = "lightly_pipeline."
    assert sent.total(own + "videos", dataset="command_line", outcome="decoded") == 2
    assert sent.total(own + "videos", outcome="corrupt") == 1
    assert sent.total(own + "frames", stage="decoded") == result["n_input_frames"]
    assert sent.total(own + "frames", stage="embedded") == result["n_input_frames"]
    assert sent.total(own + "frames", stage="selected") == 3
    assert sent.total(own + "read.bytes") == result["bytes_read"]
    assert sent.total(own + "read.requests") == result["requests"]
    assert sent.total(own + "retries", cause="throttled (SlowDown)") == 2
    assert sent.total(own + "retry.wait") == pytest.approx(result["waited_s"], abs=0.01)
    assert sent.count(own + "video.duration") == 3
    assert [sent.count(own + "step.duration", step=step) for step in STEPS] == [1] * len(STEPS)
    assert sent.count(own + "run.duration", outcome="done") == 1
    assert sent.total(own + "last_success") > 1.7e9


def test_figures_are_those_of_the_documented_list(seen: Seen) -> None:
    known = {f"lightly_pipeline.{one.name}": one for one in INSTRUMENTS}
    for name, unit in seen.collector.units.items():
        assert known[name].unit == unit
        # Nothing that grows without bound, such as runs or videos, tells them apart.
        assert seen.collector.labels(name) <= set(known[name].labels)
    of_workers = {"lightly_pipeline.queue.length", "lightly_pipeline.queue.age"}
    assert set(known) - set(seen.collector.units) == of_workers


def test_spans_of_a_run_are_one_trace_under_its_id(seen: Seen) -> None:
    spans = seen.collector.spans
    assert {span.trace_id for span in spans} == {uuid.UUID(seen.result["run_id"]).hex}
    named = Counter(span.name for span in spans)
    assert named == Counter({"video": 3, "run": 1, **dict.fromkeys(STEPS, 1)})
    by_id = {span.span_id: span for span in spans}
    for span in spans:
        parent = by_id.get(span.parent_id)
        if span.name == "video":
            assert parent is not None
            assert parent.name == "decode_and_embed"
        elif span.name in STEPS:
            assert parent is not None
            assert parent.name == "run"


def test_a_collector_that_is_gone_costs_no_run(videos: Path, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{probe.getsockname()[1]}"
    done = run_command(str(videos), str(tmp_path), {"OTEL_EXPORTER_OTLP_ENDPOINT": gone})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n_selected"] == 3
    assert all(json.loads(line)["message"] for line in done.stderr.splitlines())


def test_a_failure_is_a_line_too(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run_command(str(tmp_path / "empty"), str(tmp_path / "out"), {})
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines[-1]["level"] == "error"
    assert "no videos in" in lines[-1]["message"]
    [step] = [line for line in lines if line["logger"] == "lightly_pipeline.steps.timing"]
    assert (step["step"], step["outcome"]) == ("catalog", "failed")


def test_an_unknown_form_of_the_log_is_refused(tmp_path: Path) -> None:
    done = run_command(str(tmp_path), str(tmp_path), {"LIGHTLY_PIPELINE_LOG": "jsonl"})
    assert done.returncode == 2
    assert "LIGHTLY_PIPELINE_LOG is 'jsonl': write text or json" in done.stderr


def test_steps_in_dagster_write_the_same_lines_and_figures(videos: Path, tmp_path: Path) -> None:
    with collecting() as collector:
        environment = {
            "LIGHTLY_PIPELINE_LOG": "json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        }
        done = execute(["-c", DAGSTER_RUN, str(videos), str(tmp_path / "out")], environment)
    assert done.returncode == 0, done.stderr
    run_id = done.stdout.strip()
    ours = [json.loads(line) for line in done.stderr.splitlines() if line.startswith('{"time"')]
    [step] = [line for line in ours if line["logger"] == "lightly_pipeline.steps.timing"]
    assert (step["dataset"], step["run"], step["step"]) == ("street", run_id, "catalog")
    assert collector.count("lightly_pipeline.step.duration", dataset="street") == 1
    assert {span.trace_id for span in collector.spans} == {uuid.UUID(run_id).hex}
