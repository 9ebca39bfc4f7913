"""What the log and the export of figures cost: CPU time a video, and bytes.

    python -m benchmarks.telemetry

Says 10,000 times in each way that a video is over, in turns; medians of five. The collector is a
process of its own, which parses what comes. CPU time is that of all threads.
"""

import logging
import os
import statistics
import subprocess
import sys
import time

from lightly_pipeline.tables.outcome import VideoOutcome, log_outcome
from lightly_pipeline.telemetry import metrics
from lightly_pipeline.telemetry.json_lines import JsonFormatter
from lightly_pipeline.telemetry.labels import labelled

_N, _REPEATS = 10_000, 5
_COLLECTOR = """
import sys
from lightly_pipeline_tests.support.collector import collecting
with collecting() as collector:
    print(collector.url, flush=True)
    sys.stdin.read()
"""
_LABELS = {
    "dataset": "street",
    "run": "7cf8d00a-9e5a-4d72-9f64-253d95cc9356",
    "step": "decode_and_embed",
}


class _Counting(logging.Handler):
    """Formats lines and counts their bytes."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.n_bytes = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.n_bytes += len(self.format(record).encode()) + 1


def main() -> None:
    """Prints the table."""
    collector = subprocess.Popen(
        [sys.executable, "-c", _COLLECTOR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert collector.stdout is not None
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.stdout.readline().strip()
    started = time.process_time()
    metrics.count("videos", 1, outcome="decoded")
    print(f"setting up the exporter: {time.process_time() - started:.2f} CPU s")
    (exporter,) = metrics._exporters
    text = _Counting(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    ways = {
        "text": (text, None),
        "JSON": (_Counting(JsonFormatter()), None),
        "text, OTLP": (_Counting(text.formatter or logging.Formatter()), exporter),
    }
    logger = logging.getLogger("lightly_pipeline")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_REPEATS):
        for name, (handler, sent) in ways.items():
            logger.handlers, metrics._exporters[:] = [handler], [sent]
            times[name].append(_say_all())
    metrics._exporters[:] = [exporter]
    for name, (handler, _) in ways.items():
        n_bytes = handler.n_bytes / _REPEATS
        print(f"{name:<12} {statistics.median(times[name]):6.0f} us  {n_bytes / 1e6:.1f} MB")
    collector.terminate()


def _say_all() -> float:
    """Returns the CPU microseconds that saying it once takes."""
    started = time.process_time()
    with labelled(**_LABELS):
        for number in range(_N):
            log_outcome(_outcome(number))
    return (time.process_time() - started) / _N * 1e6


def _outcome(number: int) -> VideoOutcome:
    return VideoOutcome(
        f"camera-{number % 7}/2026-11-{number % 28:02d}/recording-{number:05d}.mp4",
        "fingerprint",
        n_frames=9000,
        n_rows=9000,
        n_embedded=9000,
        seconds=42.123,
        requests=17,
        bytes_read=123_456_789,
    )


if __name__ == "__main__":
    main()
